//! Settings that others read from TOML: the reader of contracts, lent out, so that a fault is told the same way.

use serde::de::DeserializeOwned;

use crate::Refusal;

/// Reads settings. What is wrong is told with its line and what stands there.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Refusal> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let what = plain(error.message().trim());
        let Some(span) = error.span() else { return Refusal::new("invalid_settings", what, "") };
        let line = text.get(..span.start).map_or(0, |before| before.matches('\n').count()) + 1;
        let there = text.lines().nth(line - 1).unwrap_or_default().trim();
        Refusal::new("invalid_settings", format!("line {line}, `{there}`: {what}"), "mend that line")
    })
}

/// What the reader says, without the names of types.
fn plain(what: &str) -> String {
    let words = [
        ("expected socket address", "expected an address with a port, such as \"127.0.0.1:8080\""),
        ("expected u16", "expected a number from 0 to 65535"),
        ("expected u32", "expected a number from 0 to 4294967295"),
        ("expected u64", "expected a number that is not negative"),
        ("expected usize", "expected a number that is not negative"),
    ];
    let found = words.iter().find_map(|(end, plain)| Some(format!("{}{plain}", what.strip_suffix(end)?)));
    found.unwrap_or_else(|| what.to_owned())
}

/// The lines on which a field has this text, in the tables of this head, such as `[[feed]]`, in their order; what is written
/// in a way that is not looked for is left out. It is for what is found to be wrong after the settings were read.
pub fn lines_of(text: &str, head: &str, field: &str, value: &str) -> Vec<usize> {
    let (mut lines, mut is_within) = (Vec::new(), false);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            is_within = line == head;
        }
        let said = line.strip_prefix(field).and_then(|rest| rest.trim_start().strip_prefix('='));
        let Some(said) = said.map(str::trim_start).filter(|_| is_within) else { continue };
        let quoted = |quote: char| said.strip_prefix(quote)?.split(quote).next();
        if quoted('"').or_else(|| quoted('\'')) == Some(value) {
            lines.push(number + 1);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_later_has_its_line_too() {
        let text = "[serve]\nname = \"a\"\n\n[[feed]]\nname = 'b'\n\n[[feed]] \n  name=\"a\" # this\nkeys = \"a\"\n";
        assert_eq!(lines_of(text, "[[feed]]", "name", "a"), [8]);
        assert_eq!(lines_of(text, "[[feed]]", "name", "b"), [5]);
        assert_eq!(lines_of(text, "[[feed]]", "keys", "a"), [9]);
        assert!(lines_of(text, "[[feed]]", "name", "c").is_empty());
        let twice = format!("{text}[[feed]]\nname = \"a\"\n");
        assert_eq!(lines_of(&twice, "[[feed]]", "name", "a"), [8, 11]);
    }

    #[test]
    fn a_fault_has_its_line() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Settings {
            #[expect(dead_code, reason = "read for its form")]
            size: u32,
        }
        let told = |text: &str| read::<Settings>(text).unwrap_err().message;
        assert!(read::<Settings>("size = 1").is_ok());
        assert!(
            told("# one\nsize = \"x\"\n").starts_with("line 2, `size = \"x\"`: "),
            "{}",
            told("# one\nsize = \"x\"")
        );
        for size in ["-1", "\"x\"", "4294967296"] {
            let told = told(&format!("size = {size}"));
            assert!(told.ends_with(", expected a number from 0 to 4294967295"), "{told}");
        }
        assert!(told("size = 1\n\nsiez = 2").starts_with("line 3, `siez = 2`: "), "{}", told("size = 1\n\nsiez = 2"));
    }
}
