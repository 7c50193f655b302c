//! A contract in the making: entries with what was seen and what is in doubt, and how they are written as TOML.

use crate::contract::{At, Kind};

/// One key of a contract with what there is to say about it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: String,
    /// The value as TOML.
    pub value: String,
    pub notes: Vec<String>,
    pub doubts: Vec<String>,
}

impl Entry {
    pub(super) fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into(), notes: Vec::new(), doubts: Vec::new() }
    }

    /// An entry of `[columns]`.
    pub(super) fn column(target: &str, keys: &[(&str, String)]) -> Self {
        Self::new(target, inline(keys))
    }

    pub(super) fn doubt(mut self, doubt: impl Into<String>) -> Self {
        self.doubts.push(doubt.into());
        self
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// A contract in the making.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub kind: Kind,
    pub format: Vec<Entry>,
    pub number: Vec<Entry>,
    pub columns: Vec<Entry>,
    pub bars: Vec<Entry>,
    /// Columns of the file that nothing is read from.
    pub unmapped: Vec<String>,
    /// Required values that no column holds and that no constant can stand for.
    pub missing: usize,
    /// How much speaks for this kind.
    pub score: i32,
}

impl Draft {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            format: Vec::new(),
            number: Vec::new(),
            columns: Vec::new(),
            bars: Vec::new(),
            unmapped: Vec::new(),
            missing: 0,
            score: 0,
        }
    }

    /// Everything in doubt, in the order of the text.
    pub(super) fn doubts(&self) -> Vec<String> {
        let doubts = |entry: &Entry| {
            let key = entry.key.clone();
            entry.doubts.iter().map(move |doubt| format!("{key}: {doubt}")).collect::<Vec<_>>()
        };
        let of_kind = self.kind_doubt().map(|doubt| format!("kind: {doubt}"));
        let of_entries = self.sections().into_iter().flat_map(|(_, entries)| entries.iter().flat_map(doubts));
        of_kind.into_iter().chain(of_entries).collect()
    }

    /// Whether hardly anything speaks for the kind.
    pub(super) fn is_guess(&self) -> bool {
        self.missing > 0 || self.score < SCORE_SURE
    }

    fn kind_doubt(&self) -> Option<&'static str> {
        self.is_guess().then_some(
            "little in the file says what its rows are; trades, bars and transactions need different columns",
        )
    }

    /// The contract as text, with `head` as its first comment.
    pub(super) fn write(&self, name: &str, head: &[String]) -> String {
        let mut text = String::new();
        for line in head {
            comment("", line, &mut text);
        }
        text.push_str(&format!("name = {}\nversion = 1\n", quoted(name)));
        if let Some(doubt) = self.kind_doubt() {
            comment("doubt: ", doubt, &mut text);
        }
        text.push_str(&format!("kind = \"{}\"\n", self.kind.name()));
        for (section, entries) in self.sections() {
            if entries.is_empty() {
                continue;
            }
            text.push_str(&format!("\n[{section}]\n"));
            for entry in entries {
                for doubt in &entry.doubts {
                    comment("doubt: ", doubt, &mut text);
                }
                for note in &entry.notes {
                    comment("", note, &mut text);
                }
                text.push_str(&format!("{} = {}\n", entry.key, entry.value));
            }
        }
        if !self.unmapped.is_empty() {
            text.push('\n');
            comment("", &format!("not read: {}", self.unmapped.join(", ")), &mut text);
        }
        text
    }

    fn sections(&self) -> [(&'static str, &[Entry]); 4] {
        [("format", &self.format), ("number", &self.number), ("columns", &self.columns), ("bars", &self.bars)]
    }
}

/// A kind that scores less than this is a guess.
const SCORE_SURE: i32 = 60;

const COMMENT_WIDTH: usize = 110;

/// Writes a comment over as many lines as it takes.
fn comment(mark: &str, words: &str, into: &mut String) {
    let words = format!("{mark}{}", shown(words, usize::MAX));
    let mut line = String::from("#");
    for word in words.split(' ') {
        if line.chars().count() + word.chars().count() >= COMMENT_WIDTH && line.len() > 1 {
            into.push_str(&line);
            line = String::from("\n#");
        }
        line.push(' ');
        line.push_str(word);
    }
    into.push_str(&line);
    into.push('\n');
}

/// Text of a file as it can stand in a comment.
pub(super) fn shown(text: &str, characters: usize) -> String {
    let plain = |character: char| if character.is_control() { '\u{fffd}' } else { character };
    let mut shown: String = text.chars().take(characters).map(plain).collect();
    if text.chars().nth(characters).is_some() {
        shown.push('…');
    }
    shown
}

/// An inline table.
pub(super) fn inline(keys: &[(&str, String)]) -> String {
    let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!("{{ {} }}", keys.join(", "))
}

/// A place as TOML.
pub(super) fn place(at: &At) -> String {
    match at {
        At::Position(position) => position.to_string(),
        At::Name(name) => quoted(name),
    }
}

/// A TOML string on one line.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\t' => quoted.push_str("\\t"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            control if control.is_control() => quoted.push_str(&format!("\\u{:04X}", control as u32)),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_survives_being_quoted() {
        for text in ["", "a\"b\\c", "tab\tnew\nline\rnul\0del\u{7f}", "日時", "\u{85}\u{2028}"] {
            let table: toml::Table = format!("key = {}\n", quoted(text)).parse().unwrap();
            assert_eq!(table["key"].as_str(), Some(text));
        }
    }

    #[test]
    fn comments_stay_comments() {
        let mut written = String::new();
        comment("doubt: ", &format!("a\nb {}", "word ".repeat(60)), &mut written);
        assert!(written.lines().all(|line| line.starts_with("# ") && line.chars().count() <= COMMENT_WIDTH + 1));
        assert!(written.parse::<toml::Table>().unwrap().is_empty());
    }
}
