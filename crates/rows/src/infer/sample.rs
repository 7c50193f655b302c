//! The beginning of a file: unpacked, decoded, or a table's first rows.

use crate::contract::At;
use crate::source::{Input, Source};
use crate::table::{self, Table, TableKind};
use crate::text::{Encoding, ToUtf8};
use crate::unpack::{self, Compression, Parts};
use crate::{Error, Refusal, Result};

use super::draft::Entry;

/// Bytes of text that are looked at.
const SAMPLE_BYTES: usize = 1024 * 1024;
/// Rows that are looked at.
pub(super) const ROWS_MAX: usize = 3000;
/// Columns that are looked at.
pub(super) const COLUMNS_MAX: usize = 256;
/// Characters of a value that are looked at.
const VALUE_CHARS_MAX: usize = 200;
/// Members of a zip that are named.
const MEMBERS_MAX: usize = 20;

/// What was read of a file.
pub(super) struct Sample {
    pub compression: Compression,
    /// Names of a zip's members.
    pub members: Vec<String>,
    pub body: Body,
}

pub(super) enum Body {
    Text(Text),
    Table { kind: TableKind, columns: Vec<Column>, rows: usize },
}

/// Text as UTF-8, and whether that is all of it.
pub(super) struct Text {
    pub text: Vec<u8>,
    pub ended: bool,
    /// What the contract must say about the encoding.
    pub encoding: Option<Entry>,
}

/// A column and its values, one for each row that was looked at; empty where there is none.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Where a contract finds it.
    pub at: At,
    /// What it is called; none when only its place is known.
    pub name: Option<String>,
    pub values: Vec<String>,
}

impl Column {
    /// How it is told to people.
    pub(super) fn shown(&self) -> String {
        match (&self.at, &self.name) {
            (At::Name(name), _) => name.clone(),
            (At::Position(position), Some(name)) => format!("{name} (number {position})"),
            (At::Position(position), None) => format!("number {position}"),
        }
    }
}

/// A value, cut to what is looked at.
pub(super) fn value_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(VALUE_CHARS_MAX).collect()
}

/// Reads the beginning of a file.
pub(super) fn read(input: Box<dyn Input>) -> Result<Sample> {
    let mut parts = unpack::open(input, None)?;
    let compression = parts.compression();
    let mut members = Vec::new();
    let mut raw = Vec::new();
    let mut ended = false;
    let mut kind = None;
    while let Some(mut part) = parts.next()? {
        members.extend(part.name.take());
        if members.len() > MEMBERS_MAX {
            break;
        }
        // Later members are named, not read.
        if raw.iter().any(|byte: &u8| !byte.is_ascii_whitespace()) {
            continue;
        }
        raw.clear();
        (raw, ended) = read_some(part.bytes.as_mut())?;
        kind = table::is_table(&raw[..raw.len().min(4096)]);
        if kind.is_some() {
            break;
        }
    }
    if let Some(kind) = kind {
        return table(kind, parts, compression);
    }
    if raw.iter().all(u8::is_ascii_whitespace) {
        return Err(Refusal::new("empty_file", "the file is empty", "give it a file that has rows").into());
    }
    let text = decode(&raw, ended)?;
    Ok(Sample { compression, members, body: Body::Text(text) })
}

/// The first bytes of a part. What was read before the part turned out to be damaged is enough.
fn read_some(source: &mut dyn Source) -> Result<(Vec<u8>, bool)> {
    let mut raw = vec![0; SAMPLE_BYTES];
    let mut filled = 0;
    while filled < raw.len() {
        match source.read(&mut raw[filled..]) {
            Ok(0) => {
                raw.truncate(filled);
                return Ok((raw, true));
            }
            Ok(read) => filled += read,
            Err(Error::Refused(_)) if filled > 0 => break,
            Err(error) => return Err(error),
        }
    }
    raw.truncate(filled);
    Ok((raw, false))
}

fn table(kind: TableKind, parts: Parts, compression: Compression) -> Result<Sample> {
    let mut table = Table::open(parts.into_plain()?)?;
    let names = table.columns().to_vec();
    let readable = (0..names.len()).filter(|column| table.why_not(*column).is_none());
    let chosen: Vec<usize> = readable.take(COLUMNS_MAX).collect();
    table.select(&chosen)?;
    let mut batch = table::Batch::default();
    table.next(&mut batch)?;
    let rows = batch.rows().min(ROWS_MAX);
    let column = |(slot, index): (usize, &usize)| Column {
        at: place(&names, *index),
        name: Some(names[*index].clone()),
        values: (0..rows).map(|row| value_of(batch.cell(row, slot))).collect(),
    };
    let columns = chosen.iter().enumerate().map(column).collect();
    Ok(Sample { compression, members: Vec::new(), body: Body::Table { kind, columns, rows } })
}

/// By name where that finds the column, by position where the name is empty or came before.
pub(super) fn place(names: &[String], index: usize) -> At {
    let first = names.iter().position(|name| *name == names[index]);
    if names[index].is_empty() || first != Some(index) { At::Position(index) } else { At::Name(names[index].clone()) }
}

fn decode(raw: &[u8], ended: bool) -> Result<Text> {
    let (encoding, entry) = guess(raw, ended);
    let mut source = ToUtf8::new(Bytes(raw), encoding);
    let mut text = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match source.read(&mut buffer)? {
            0 => break,
            read => text.extend_from_slice(&buffer[..read]),
        }
    }
    Ok(Text { text, ended, encoding: entry })
}

/// The encoding of text without a byte order mark: UTF-8 when it is that, else what it looks most like.
fn guess(raw: &[u8], ended: bool) -> (Option<Encoding>, Option<Entry>) {
    let marks: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
    if marks.iter().any(|mark| raw.starts_with(mark)) {
        return (None, None);
    }
    let head = &raw[..raw.len().min(64) & !1];
    let zeros =
        |place: usize| head.len() >= 8 && head.chunks_exact(2).all(|unit| unit[place] == 0 && unit[1 - place] != 0);
    let label = match () {
        () if zeros(1) => "utf-16le",
        () if zeros(0) => "utf-16be",
        () if is_utf8(raw, ended) => return (None, None),
        () => eight_bit(raw),
    };
    let entry = Entry::new("encoding", format!("\"{label}\""))
        .doubt(format!("the text is not UTF-8 and looks like {label}; check a value with accents or signs"));
    (Encoding::named(label), Some(entry))
}

/// UTF-8, a few broken bytes aside: those cost rows, not the file.
fn is_utf8(raw: &[u8], ended: bool) -> bool {
    match std::str::from_utf8(raw) {
        Ok(_) => true,
        Err(error) if !ended && error.error_len().is_none() => true,
        Err(_) => {
            let text = String::from_utf8_lossy(raw);
            let (broken, whole) =
                text.chars().filter(|character| !character.is_ascii()).fold((0, 0), |(broken, whole), character| {
                    if character == '\u{fffd}' { (broken + 1, whole) } else { (broken, whole + 1) }
                });
            whole > 4 * broken
        }
    }
}

fn eight_bit(raw: &[u8]) -> &'static str {
    let (japanese, _, broken) = encoding_rs::SHIFT_JIS.decode(raw);
    let high = japanese.chars().filter(|character| !character.is_ascii()).count();
    let kana = japanese.chars().filter(|character| ('\u{3040}'..='\u{30ff}').contains(character)).count();
    if !broken && kana * 5 >= high {
        return "shift_jis";
    }
    let letters = raw.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let cyrillic = raw.iter().filter(|byte| **byte >= 0xc0).count();
    match () {
        () if cyrillic > letters => "windows-1251",
        () if raw.iter().any(|byte| (0x80..0xa0).contains(byte)) => "windows-1252",
        () => "latin-1",
    }
}

/// Bytes at hand.
struct Bytes<'a>(&'a [u8]);

impl Source for Bytes<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let count = into.len().min(self.0.len());
        let (now, later) = self.0.split_at(count);
        into[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(raw: &[u8]) -> Option<String> {
        guess(raw, true).1.map(|entry| entry.value)
    }

    #[test]
    fn encodings_are_guessed_only_when_they_must_be() {
        assert_eq!(label("Währung;Betrag\n".as_bytes()), None);
        assert_eq!(label(b"\xef\xbb\xbfa;b\n"), None);
        assert_eq!(label(b"W\xe4hrung;Betrag\n").as_deref(), Some("\"latin-1\""));
        assert_eq!(label(b"price \x80;Betrag\n").as_deref(), Some("\"windows-1252\""));
        assert_eq!(label(b"\x83R\x83C\x83\x93,price\n").as_deref(), Some("\"shift_jis\""));
        assert_eq!(label(b"a\0,\0b\0,\0c\0\n\0").as_deref(), Some("\"utf-16le\""));
        assert_eq!(
            label(
                "ok ä ö ü ß é è à ç \u{20ac}".as_bytes().iter().chain(b"\xff").copied().collect::<Vec<_>>().as_slice()
            ),
            None
        );
    }
}
