//! The page about contracts against the keys that there are.

/// Where the keys of a contract are, and where they are told to people.
pub(super) const SOURCE: &str = "crates/rows/src/contract.rs";
/// See [`SOURCE`].
pub(super) const PAGE: &str = "docs/contracts.md";
/// The names of the built-in contracts.
pub(super) const BUILT_IN: &str = "crates/rows/src/contract/builtin.rs";

/// Every key of every table is on the page: at the start of a line of an example, in an inline table, or in backticks.
pub(super) fn keys_are_told(source: &str, page: &str) -> Vec<String> {
    let keys = keys(source);
    let told = |key: &str| {
        let written = [format!("\n{key} = "), format!(" {key} = "), format!("`{key}`"), format!("[{key}]")];
        written.iter().any(|form| page.contains(form))
    };
    let missing = keys.iter().filter(|key| !told(key));
    missing.map(|key| format!("{PAGE}: `{key}` of {SOURCE} is missing; say what it is for, with an example")).collect()
}

/// The keys that structs with serde fields have, as authors write them.
fn keys(source: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut renamed = None;
    for line in source.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("#[serde(").and_then(|rest| rest.split("rename = \"").nth(1)) {
            renamed = name.split('"').next().map(str::to_owned);
        } else if let Some((name, _)) = line.strip_prefix("pub ").and_then(|rest| rest.split_once(": ")) {
            if name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
                keys.push(renamed.take().unwrap_or_else(|| name.to_owned()));
            }
        } else if !line.starts_with("#[") && !line.starts_with("///") {
            renamed = None;
        }
    }
    keys
}

/// Every built-in contract is named on the page.
pub(super) fn presets_are_told(source: &str, page: &str) -> Vec<String> {
    let names = source
        .split("include_str!")
        .skip(1)
        .filter_map(|rest| rest.split("contracts/").nth(1).and_then(|rest| rest.split(".toml").next()));
    let missing = names.filter(|name| !page.contains(&format!("`{name}`")));
    missing.map(|name| format!("{PAGE}: the built-in contract `{name}` is missing")).collect()
}

/// The examples of the page are TOML.
pub(super) fn examples_are_toml(page: &str) -> Vec<String> {
    let blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let errors = blocks.filter_map(|block| Some((block, block.parse::<toml::Table>().err()?)));
    errors
        .map(|(block, error)| format!("{PAGE}: {}: {}", block.lines().next().unwrap_or_default(), error.message()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "pub struct A {\n    /// x\n    #[serde(rename = \"type\", default)]\n    pub kind: B,\n    \
                        #[serde(default)]\n    pub fields: C,\n}\n#[serde(rename_all = \"lowercase\")]\npub enum D {}\n";

    #[test]
    fn told_keys() {
        assert_eq!(keys(CODE), ["type", "fields"]);
        assert!(keys_are_told(CODE, "x\ntype = 1\n`fields`").is_empty());
        assert_eq!(keys_are_told(CODE, "prototype = 1, fields").len(), 2);
    }

    #[test]
    fn told_presets() {
        let code = "(\"a-b\", include_str!(\"../../contracts/a-b.toml\")),";
        assert!(presets_are_told(code, "`a-b`").is_empty());
        assert_eq!(presets_are_told(code, "a").len(), 1);
    }

    #[test]
    fn examples() {
        assert!(examples_are_toml("```toml\na = 1\n```\n").is_empty());
        assert_eq!(examples_are_toml("```toml\na = 1\na = 2\n```\n").len(), 1);
    }
}
