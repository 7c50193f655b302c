//! Rules about Rust files.

/// Lines a file may have, tests included. A file is one idea; `foo.rs` splits into `foo.rs` and `foo/part.rs`.
const LINES_MAX: usize = 500;

/// Files that a program writes: they may be long.
pub(super) const GENERATED: &[&str] = &[];

/// The one place for `unsafe`: the SIMD scan, behind a safe function (its parts may lie in the folder).
const UNSAFE_HOME: [&str; 2] = ["crates/rows/src/scan.rs", "crates/rows/src/scan/"];

/// What work in progress leaves behind, in code. Spaces are not looked at.
const LEFTOVERS: [&str; 6] = ["todo!", "unimplemented!", "dbg!", "#[ignore", "assert!(true)", "#[allow("];

/// What work in progress leaves behind, in comments.
const NOTES: [&str; 3] = ["FIXME", "XXX:", "TODO"];

pub(super) fn opens_with_its_purpose(path: &str, text: &str) -> Vec<String> {
    match text.strip_prefix("//! ") {
        Some(rest) if !rest.trim_start().is_empty() => Vec::new(),
        _ => vec![format!("{path}: does not open with `//!`; say in a sentence what the file is for")],
    }
}

pub(super) fn is_short(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines <= LINES_MAX || GENERATED.contains(&path) {
        return Vec::new();
    }
    vec![format!("{path}: {lines} lines, more than {LINES_MAX}; move a part of the idea into a file of its own")]
}

pub(super) fn is_not_called_mod(path: &str) -> Vec<String> {
    let Some(folder) = path.strip_suffix("/mod.rs") else { return Vec::new() };
    vec![format!("{path}: call it {folder}.rs")]
}

pub(super) fn is_safe(path: &str, text: &str) -> Vec<String> {
    let [file, folder] = UNSAFE_HOME;
    if path == file || path.starts_with(folder) {
        return Vec::new();
    }
    let parts = Parts::of(text);
    let found = lines_where(&parts.code, |line| words(line).any(|word| word == "unsafe"));
    found.map(|line| format!("{path}:{line}: `unsafe` is for {file} only; find a safe way")).collect()
}

pub(super) fn has_no_leftovers(path: &str, text: &str) -> Vec<String> {
    let parts = Parts::of(text);
    let mut problems = Vec::new();
    for leftover in LEFTOVERS {
        let holds =
            |line: &str| without_spaces(line).match_indices(leftover).any(|(at, _)| is_whole(line, leftover, at));
        problems.extend(lines_where(&parts.code, holds).map(|line| (line, leftover)));
    }
    for note in NOTES {
        problems.extend(lines_where(&parts.comments, |line| line.contains(note)).map(|line| (line, note)));
    }
    problems.sort_unstable();
    problems
        .iter()
        .map(|(line, what)| format!("{path}:{line}: `{what}` is left over; finish it or take it out"))
        .collect()
}

/// Whether the match at `at` of the line without spaces is no part of a longer name (`debug_assert!(true)` is).
fn is_whole(line: &str, leftover: &str, at: usize) -> bool {
    let line = without_spaces(line);
    let before = line[..at].chars().next_back();
    !leftover.starts_with(char::is_alphabetic) || !before.is_some_and(is_word)
}

fn without_spaces(line: &str) -> String {
    line.chars().filter(|c| !c.is_whitespace()).collect()
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c| !is_word(c))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn lines_where(text: &str, holds: impl Fn(&str) -> bool) -> impl Iterator<Item = usize> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    numbered.filter(move |(_, line)| holds(line)).map(|(number, _)| number)
}

/// A Rust text taken apart: each part has the lines of the whole, with the other parts left out.
/// What stands in string and character literals is in neither.
struct Parts {
    code: String,
    comments: String,
}

impl Parts {
    fn of(text: &str) -> Self {
        let mut parts = Self { code: String::new(), comments: String::new() };
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let after_word = parts.code.chars().next_back().is_some_and(is_word);
            let taken = if rest.starts_with("//") {
                let taken = rest.find('\n').unwrap_or(rest.len());
                parts.comments.push_str(&rest[..taken]);
                taken
            } else if rest.starts_with("/*") {
                let taken = block_comment(rest);
                parts.comments.push_str(&rest[..taken]);
                parts.code.push_str(&breaks(&rest[..taken]));
                taken
            } else if let Some(taken) = literal(rest, after_word) {
                parts.code.push_str("\"\"");
                parts.code.push_str(&breaks(&rest[..taken]));
                parts.comments.push_str(&breaks(&rest[..taken]));
                taken
            } else {
                parts.code.push(first);
                if first == '\n' {
                    parts.comments.push('\n');
                }
                first.len_utf8()
            };
            rest = &rest[taken..];
        }
        parts
    }
}

fn breaks(text: &str) -> String {
    text.chars().filter(|&c| c == '\n').collect()
}

/// Length of the block comment at the start; they nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Length of the string or character literal at the start, prefix included; none if there is none.
fn literal(text: &str, after_word: bool) -> Option<usize> {
    if after_word {
        // the `r` of `for` does not begin a raw string; a quote after a word ends nothing that we need to know
        return text.starts_with('"').then(|| quoted(text, 1));
    }
    for prefix in ["r", "br", "cr"] {
        let Some(rest) = text.strip_prefix(prefix) else { continue };
        let hashes = rest.len() - rest.trim_start_matches('#').len();
        if rest[hashes..].starts_with('"') {
            let start = prefix.len() + hashes + 1;
            let end = format!("\"{}", "#".repeat(hashes));
            return Some(text[start..].find(&end).map_or(text.len(), |at| start + at + end.len()));
        }
    }
    for prefix in ["", "b", "c"] {
        let Some(rest) = text.strip_prefix(prefix) else { continue };
        if rest.starts_with('"') {
            return Some(quoted(text, prefix.len() + 1));
        }
        if let Some(length) = character(rest) {
            return Some(prefix.len() + length);
        }
    }
    None
}

/// Where the string whose inside begins at `start` ends.
fn quoted(text: &str, start: usize) -> usize {
    let mut escaped = false;
    for (at, c) in text[start..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return start + at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of the character literal at the start; none for a lifetime.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    if inside.starts_with('\\') {
        return inside.char_indices().skip(2).find(|&(_, c)| c == '\'').map(|(at, _)| at + 2);
    }
    let first = inside.chars().next()?;
    inside[first.len_utf8()..].starts_with('\'').then_some(first.len_utf8() + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: impl Fn(&str, &str) -> Vec<String>, good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(rule("a.rs", text), Vec::<String>::new(), "{text:?} is fine");
        }
        for text in bad {
            assert_eq!(rule("a.rs", text).len(), 1, "{text:?} has one problem: {:?}", rule("a.rs", text));
        }
    }

    #[test]
    fn purpose() {
        check(
            opens_with_its_purpose,
            &["//! It adds.\nfn add() {}\n"],
            &["", "//! ", "fn add() {}\n//! late\n", "// x\n"],
        );
    }

    #[test]
    fn length() {
        let lines = |count: usize| "x\n".repeat(count);
        check(is_short, &[&lines(500)], &[&lines(501)]);
        assert_eq!(
            is_short("a.rs", &lines(600)),
            ["a.rs: 600 lines, more than 500; move a part of the idea into a file of its own"]
        );
    }

    #[test]
    fn called_mod() {
        assert_eq!(is_not_called_mod("src/csv/mod.rs"), ["src/csv/mod.rs: call it src/csv.rs"]);
        assert!(is_not_called_mod("src/model.rs").is_empty());
        assert!(is_not_called_mod("src/csv/amod.rs").is_empty());
    }

    #[test]
    fn leftovers() {
        check(
            has_no_leftovers,
            &[
                "let x = \"todo!() FIXME\"; // it is done\n",
                "let codes = [\"XXX\"]; // XXX and XTS are no money\n",
                "fn my_todo() {}\nmy_todo!();\ndebug_assert!(true);\n",
                "let quote = '\"'; let text = r#\"dbg!\"#; let more = b\"dbg!\";\n",
                "/* todo!() is what one must not write */\n",
            ],
            &[
                "fn later() { todo!() }\n",
                "unimplemented ! (\"x\");\n",
                "let quote = '\"'; dbg!(quote); let other = '\"';\n",
                "#[ignore = \"slow\"]\n",
                "# [ ignore ]\n",
                "assert!( true );\n",
                "// FIXME\n",
                "/* XXX: wrong */\n",
                "let a = 1; // TODO: two\n",
                "std::todo!();\n",
                "let text = r\"\\\"; dbg!(text);\n",
                "#[allow(dead_code)]\n",
            ],
        );
        assert_eq!(has_no_leftovers("a.rs", "\n\ntodo!()"), ["a.rs:3: `todo!` is left over; finish it or take it out"]);
    }

    #[test]
    fn safety() {
        let bad = "let x = unsafe { *p };\n";
        check(
            is_safe,
            &["#![deny(unsafe_code)]\n// unsafe\nlet x = \"unsafe\";\n", "fn f<'a>(x: &'a str) -> char { '\\'' }\n"],
            &[bad, "fn f<'a>(x: &'a u8) { unsafe {} }\nlet c = 'a';\n"],
        );
        assert!(is_safe("crates/rows/src/scan.rs", bad).is_empty());
        assert!(is_safe("crates/rows/src/scan/wide.rs", bad).is_empty());
        assert_eq!(is_safe("crates/rows/src/scanner.rs", bad).len(), 1);
        assert_eq!(is_safe("crates/app/src/scan.rs", bad).len(), 1);
    }

    #[test]
    fn parts_keep_their_lines() {
        let text = "a /* 1\n/* 2 */\n3 */ b\n\"x\ny\" c // d\ne 'f' 'static \"\\\"\" g\n";
        let parts = Parts::of(text);
        assert_eq!(parts.code, "a \n\n b\n\"\"\n c \ne \"\" 'static \"\" g\n");
        assert_eq!(parts.comments, "/* 1\n/* 2 */\n3 */\n\n// d\n\n");
    }
}
