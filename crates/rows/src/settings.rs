//! Settings that others read from TOML: the reader of contracts, lent out, so that a fault is told the same way.

use serde::de::DeserializeOwned;

use crate::Refusal;

/// Reads settings. What is wrong is told with its line and what stands there.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Refusal> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let what = error.message().trim().to_owned();
        let Some(span) = error.span() else { return Refusal::new("invalid_settings", what, "") };
        let line = text.get(..span.start).map_or(0, |before| before.matches('\n').count()) + 1;
        let there = text.lines().nth(line - 1).unwrap_or_default().trim();
        Refusal::new("invalid_settings", format!("line {line}, `{there}`: {what}"), "mend that line")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(told("size = 1\n\nsiez = 2").starts_with("line 3, `siez = 2`: "), "{}", told("size = 1\n\nsiez = 2"));
    }
}
