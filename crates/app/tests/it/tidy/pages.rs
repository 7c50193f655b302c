//! Rules about everything that is no Rust: pages, scripts, sizes.

/// Bytes a file may have. Bigger things are generated, or fetched where they are used.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Where the limits of the crates are, and where they are told to people.
pub(super) const LIMITS_SOURCES: [&str; 6] = [
    "crates/rows/src/limits.rs",
    "crates/pipeline/src/limits.rs",
    "crates/engine/src/limits.rs",
    "crates/app/src/limits.rs",
    "crates/infra/src/limits.rs",
    "crates/lambda/src/limits.rs",
];
/// See [`LIMITS_SOURCES`]. One line each: the name and the value, both in backticks, and what happens.
pub(super) const LIMITS_PAGE: &str = "docs/limits.md";

/// Marks a module on the map that is planned but not there yet.
const TO_COME: &str = "to come:";

/// The rows of all tables of a page, without heads; cells without backticks and spaces around them.
pub(super) fn table_rows(page: &str) -> Vec<Vec<String>> {
    let lines: Vec<&str> = page.lines().map(str::trim).collect();
    let is_rule = |line: &str| line.starts_with('|') && line.chars().all(|c| "|-: ".contains(c));
    let mut rows = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let is_head = lines.get(index + 1).is_some_and(|next| is_rule(next));
        let Some(inside) = line.strip_prefix('|') else { continue };
        if is_head || is_rule(line) {
            continue;
        }
        let cells = inside.strip_suffix('|').unwrap_or(inside).split('|');
        rows.push(cells.map(|cell| cell.trim().trim_matches('`').to_owned()).collect());
    }
    rows
}

/// Every limit of the sources (`pub const …_MAX`) has a line on the page. What has a line, limit or not, is a constant
/// of the source, with the value as it is written there and what happens.
pub(super) fn limits_are_told(source: &str, page: &str) -> Vec<String> {
    let constants: Vec<(String, String)> = source.split("pub const ").skip(1).filter_map(constant).collect();
    let rows = table_rows(page);
    let mut problems = Vec::new();
    for (name, value) in &constants {
        let Some(row) = rows.iter().find(|row| row.first() == Some(name)) else {
            if !name.ends_with("_MAX") {
                continue;
            }
            let line = format!("| `{name}` | `{value}` | what happens |");
            problems.push(format!("{LIMITS_PAGE}: `{name}` is missing; add {line}"));
            continue;
        };
        if row.get(1).is_none_or(|cell| !cell.split('`').any(|part| part == value)) {
            problems.push(format!("{LIMITS_PAGE}: the value of `{name}` is `{value}` in {LIMITS_SOURCES:?}"));
        }
        if row.get(2).is_none_or(String::is_empty) {
            problems.push(format!("{LIMITS_PAGE}: say what happens past `{name}`"));
        }
    }
    for name in rows.iter().filter_map(|row| row.first()) {
        if !constants.iter().any(|(constant, _)| constant == name) {
            problems.push(format!("{LIMITS_PAGE}: there is no `{name}` in {LIMITS_SOURCES:?}; remove the line"));
        }
    }
    problems
}

/// Name and value of the constant that begins here.
fn constant(declaration: &str) -> Option<(String, String)> {
    let (name, rest) = declaration.split_once(':')?;
    let (_, rest) = rest.split_once('=')?;
    let (value, _) = rest.split_once(';')?;
    Some((name.trim().to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" ")))
}

/// Every top module of every crate has a line on the map, under a heading that names its crate; a line without
/// a module says that it is to come.
pub(super) fn modules_are_on_the_map(paths: &[&str], map: &str) -> Vec<String> {
    let modules: Vec<(&str, &str)> = paths.iter().filter_map(|path| top_module(path)).collect();
    let mut lines: Vec<(&str, String, bool)> = Vec::new();
    for section in map.split("\n## ").flat_map(|part| part.split("\n### ")) {
        let heading = section.lines().next().unwrap_or_default();
        let Some(name) = heading.strip_prefix('`').and_then(|rest| rest.split('`').next()) else { continue };
        for row in table_rows(section) {
            let to_come = row.get(1).is_some_and(|is| is.starts_with(TO_COME));
            lines.extend(row.first().map(|module| (name, module.clone(), to_come)));
        }
    }
    let mut problems = Vec::new();
    for (name, module) in &modules {
        match lines.iter().find(|(crate_name, line, _)| crate_name == name && line == module) {
            None => problems.push(format!("ARCHITECTURE.md: `{module}` is missing under `{name}`; say what it is for")),
            Some((_, _, true)) => problems.push(format!("ARCHITECTURE.md: `{module}` is there; drop `{TO_COME}`")),
            Some(_) => {}
        }
    }
    for (name, module, to_come) in &lines {
        if !to_come && !modules.contains(&(*name, module.as_str())) {
            problems.push(format!("ARCHITECTURE.md: `{name}` has no module `{module}`; remove the line"));
        }
    }
    problems
}

fn top_module(path: &str) -> Option<(&str, &str)> {
    let (name, inside) = path.strip_prefix("crates/")?.split_once("/src/")?;
    let module = inside.strip_suffix(".rs")?;
    (!module.contains('/') && !["lib", "main"].contains(&module)).then_some((name, module))
}

/// Every link to a file of ours leads somewhere. `exists` is asked with a path from the root.
pub(super) fn links_resolve(path: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let mut problems = Vec::new();
    for target in links(text) {
        let file = target.split('#').next().unwrap_or_default();
        if file.is_empty() || file.contains("://") || file.starts_with("mailto:") {
            continue;
        }
        match from_root(path, file) {
            None => problems.push(format!("{path}: the link to {target} leaves the project")),
            Some(file) if !exists(&file) => problems.push(format!("{path}: the link to {target} leads nowhere")),
            Some(_) => {}
        }
    }
    problems
}

/// The targets of `[text](target)` and `[name]: target`, but not inside code.
fn links(text: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    let mut in_fence = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        }
        if in_fence {
            continue;
        }
        if let Some((_, target)) = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")) {
            targets.push(target.trim());
        }
        // what stands between backticks is every second part; after [`code`](target) one begins with `](`
        let outside = line.split('`').step_by(2);
        for part in outside.flat_map(|part| part.split("](").skip(1)) {
            targets.extend(part.split([')', ' ']).next());
        }
    }
    targets
}

/// `target` as seen from the file `path`, from the root; none when it leaves the project.
fn from_root(path: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

pub(super) fn is_shell_script(path: &str, text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    let program = first.strip_prefix("#!").and_then(|rest| rest.rsplit(['/', ' ']).next());
    path.ends_with(".sh") || program.is_some_and(|program| ["sh", "bash", "dash"].contains(&program))
}

pub(super) fn stops_at_the_first_error(path: &str, text: &str) -> Vec<String> {
    let wanted =
        if text.lines().next().is_some_and(|line| line.ends_with("bash")) { "set -euo pipefail" } else { "set -eu" };
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    if first == Some(wanted) {
        return Vec::new();
    }
    vec![format!("{path}: its first command is not `{wanted}`: it would go on after an error")]
}

pub(super) fn is_small(path: &str, bytes: u64) -> Vec<String> {
    if bytes <= FILE_BYTES_MAX {
        return Vec::new();
    }
    vec![format!("{path}: {bytes} bytes, more than {FILE_BYTES_MAX}; generate it, or add it to .gitignore")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let page = "text | text\n\n| a | b |\n| --- | :-: |\n| `x` | two words |\n| y | |\n";
        assert_eq!(table_rows(page), [["x", "two words"], ["y", ""]]);
    }

    #[test]
    fn limits() {
        let source = "/// A.\npub const A_MAX: usize = 64 * 1024;\n/// B.\npub const B_MAX: u64 =\n    7;\npub const C_ROWS: u8 = 1;\n";
        let check = |lines: &str| limits_are_told(source, &format!("| limit | value | what |\n|---|---|---|\n{lines}"));
        let good = "| `A_MAX` | 64 KiB (`64 * 1024`) | refused |\n| `B_MAX` | `7` | cut |\n";
        assert_eq!(check(good), Vec::<String>::new());
        let one = |lines: &str, of: &str| {
            let problems = check(lines);
            assert!(problems.len() == 1 && problems[0].contains(of), "{of:?}: {problems:?}");
        };
        one("| `A_MAX` | `64 * 1024` | refused |\n", "add | `B_MAX` | `7` | what happens |");
        one(&good.replace("`7`", "`77`"), "the value of `B_MAX` is `7`");
        one(&good.replace("| cut |", "| |"), "say what happens past `B_MAX`");
        one(&format!("{good}| `D_MAX` | `1` | cut |\n"), "there is no `D_MAX`");
        one(&format!("{good}| `C_ROWS` | `2` | ends |\n"), "the value of `C_ROWS` is `1`");
    }

    #[test]
    fn map() {
        let paths = ["crates/rows/src/csv.rs", "crates/rows/src/csv/dialect.rs", "crates/rows/src/lib.rs", "README.md"];
        let check = |lines: &str| {
            modules_are_on_the_map(&paths, &format!("# M\n\n### `rows`: x\n\n| m | is |\n|---|---|\n{lines}"))
        };
        assert_eq!(check("| `csv` | text |\n| `json` | to come: more |\n"), Vec::<String>::new());
        assert_eq!(check(""), ["ARCHITECTURE.md: `csv` is missing under `rows`; say what it is for"]);
        assert_eq!(check("| `csv` | to come: text |\n"), ["ARCHITECTURE.md: `csv` is there; drop `to come:`"]);
        assert_eq!(
            check("| `csv` | x |\n| `old` | x |\n"),
            ["ARCHITECTURE.md: `rows` has no module `old`; remove the line"]
        );
        assert_eq!(
            check("\n### `app`\n\n| m | is |\n|---|---|\n| `csv` | to come: x |\n").len(),
            1,
            "under its own crate"
        );
    }

    #[test]
    fn resolved_links() {
        let exists = |path: &str| ["README.md", "docs/a.md", "docs/deep/b.md"].contains(&path);
        let check = |text: &str| links_resolve("docs/a.md", text, exists);
        for good in [
            "[up](../README.md) and [down](deep/b.md#part), [here](#part), [out](https://example.com/x.md)\n",
            "`[code](nowhere.md)`\n```\n[fenced](nowhere.md)\n```\n",
            "[name]: deep/b.md\n[titled](./deep/b.md \"title\")\n",
        ] {
            assert_eq!(check(good), Vec::<String>::new(), "{good}");
        }
        for bad in
            ["[a](b.md)", "[name]: b.md", "see [`a`](gone.md#x), [ok](a.md)", "[a](../../b.md)", "[a](../docs/b.md)"]
        {
            assert_eq!(check(bad).len(), 1, "{bad}");
        }
    }

    #[test]
    fn scripts() {
        for script in ["#!/bin/sh\n", "#!/usr/bin/env bash\nset -u", "#!/bin/bash"] {
            assert!(is_shell_script("run", script), "{script}");
        }
        assert!(is_shell_script("a.sh", ""));
        assert!(!is_shell_script("a.py", "#!/usr/bin/env python3\n"));
        assert!(!is_shell_script("a.md", "set -eu\n"));

        let stops = |text: &str| stops_at_the_first_error("run", text).is_empty();
        assert!(stops("#!/bin/sh\n# why\n\nset -eu\ncd x\n"));
        assert!(stops("#!/usr/bin/env bash\nset -euo pipefail\n"));
        assert!(!stops("#!/usr/bin/env bash\nset -eu\n"));
        assert!(!stops("#!/bin/sh\ncd x\nset -eu\n"));
        assert!(!stops("#!/bin/sh\n# set -eu\n"));
    }

    #[test]
    fn sizes() {
        assert!(is_small("a", 1024 * 1024).is_empty());
        assert_eq!(is_small("a", 1024 * 1024 + 1).len(), 1);
    }
}
