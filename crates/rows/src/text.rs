//! Encodings: whatever the sender wrote, rows are parsed as UTF-8; rejects go back in what the sender wrote.
//!
//! A byte order mark decides over what is declared and is dropped. Text without one is what is declared, else UTF-8.
//! UTF-8 passes through untouched, bad bytes too: a row is refused for them later, not the file. For the same reason a
//! malformed sequence of another encoding becomes the single byte 0xFF, which UTF-8 never has.

mod encode;
mod label;
#[cfg(test)]
mod tests;

use encoding_rs::{Decoder, DecoderResult};

use crate::source::Source;
use crate::{Refusal, Result};

/// How text is written as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, and so ASCII.
    Utf8,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
    /// ISO 8859-1 as it is written down: the bytes 0x80 to 0x9F are the controls U+0080 to U+009F. (On the web the
    /// name means windows-1252, which has quotes and the euro sign there.)
    Latin1,
    /// One of the others of the Encoding Standard; made by `named` only.
    Other(&'static encoding_rs::Encoding),
}

/// Raw bytes decoded at a time.
const RAW_BYTES: usize = 16 * 1024;
/// Room for what they become: three bytes for one at most. Were it too little, it would only be filled more often.
const TEXT_BYTES: usize = RAW_BYTES * 3;
/// What a malformed sequence becomes: no UTF-8 has this byte.
const MALFORMED: u8 = 0xff;
/// Bytes looked at before the first is handed out.
const HEAD_BYTES: usize = 64;
/// Fewest UTF-16 units that must look like ones before undeclared text is taken for UTF-16.
const UTF16_UNITS_MIN: usize = 4;

/// A stream of text in any encoding, as UTF-8.
pub struct ToUtf8<S> {
    source: S,
    declared: Option<Encoding>,
    state: State,
}

enum State {
    /// The first bytes, until there are enough to decide.
    Head { bytes: [u8; HEAD_BYTES], filled: usize },
    /// UTF-8: what is left of the first bytes, then the source itself.
    Through { bytes: [u8; HEAD_BYTES], start: usize, end: usize },
    /// Anything else.
    Decode(Box<Decoding>),
}

impl<S: Source> ToUtf8<S> {
    /// Reads `source` as `declared` unless it begins with a byte order mark.
    pub fn new(source: S, declared: Option<Encoding>) -> Self {
        Self { source, declared, state: State::Head { bytes: [0; HEAD_BYTES], filled: 0 } }
    }

    /// What the text is written in; known after the first read.
    pub fn encoding(&self) -> Option<Encoding> {
        match &self.state {
            State::Head { .. } => None,
            State::Through { .. } => Some(Encoding::Utf8),
            State::Decode(decoding) => Some(decoding.encoding),
        }
    }

    /// Reads the first bytes and decides on them.
    fn decide(&mut self) -> Result<()> {
        let State::Head { bytes, filled } = &mut self.state else {
            return Ok(());
        };
        while *filled < HEAD_BYTES {
            match self.source.read(&mut bytes[*filled..])? {
                0 => break,
                count => *filled += count,
            }
        }
        let head = &bytes[..*filled];
        let (encoding, mark_bytes) = match by_mark(head)? {
            Some(found) => found,
            None => (self.declared.map_or_else(|| undeclared(head), Ok)?, 0),
        };
        self.state = match encoding {
            Encoding::Utf8 => State::Through { bytes: *bytes, start: mark_bytes, end: *filled },
            encoding => State::Decode(Box::new(Decoding::new(encoding, &head[mark_bytes..]))),
        };
        Ok(())
    }
}

impl<S: Source> Source for ToUtf8<S> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        self.decide()?;
        match &mut self.state {
            State::Through { bytes, start, end } if *start < *end => {
                let count = into.len().min(*end - *start);
                into[..count].copy_from_slice(&bytes[*start..*start + count]);
                *start += count;
                Ok(count)
            }
            State::Decode(decoding) => decoding.read(&mut self.source, into),
            State::Head { .. } | State::Through { .. } => self.source.read(into),
        }
    }
}

/// What the byte order mark says, and its length.
fn by_mark(head: &[u8]) -> Result<Option<(Encoding, usize)>> {
    // The mark of UTF-32LE begins with that of UTF-16LE. Text that begins with U+0000 is not expected.
    if head.starts_with(b"\xff\xfe\x00\x00") || head.starts_with(b"\x00\x00\xfe\xff") {
        return Err(unsupported("the text is UTF-32", "save it as UTF-8"));
    }
    let marks: [(&[u8], Encoding); 3] =
        [(b"\xef\xbb\xbf", Encoding::Utf8), (b"\xff\xfe", Encoding::Utf16Le), (b"\xfe\xff", Encoding::Utf16Be)];
    let found = marks.into_iter().find(|(mark, _)| head.starts_with(mark));
    Ok(found.map(|(mark, encoding)| (encoding, mark.len())))
}

/// UTF-8, unless every second byte is zero and no other is: then it is UTF-16 for sure, and rather than reject every
/// row for its zeros we say so. It is not decoded on a guess: that is for the contract to say.
fn undeclared(head: &[u8]) -> Result<Encoding> {
    let units = head.chunks_exact(2);
    if units.len() < UTF16_UNITS_MIN {
        return Ok(Encoding::Utf8);
    }
    for (zero, name) in [(1, "utf-16le"), (0, "utf-16be")] {
        if units.clone().all(|unit| unit[zero] == 0 && unit[1 - zero] != 0) {
            let message = format!("the text looks like {name}, and neither a byte order mark nor the contract says so");
            return Err(unsupported(message, format!("save it as UTF-8, or set the encoding to \"{name}\"")));
        }
    }
    Ok(Encoding::Utf8)
}

fn unsupported(message: impl Into<String>, hint: impl Into<String>) -> crate::Error {
    Refusal::new("unsupported_encoding", message, hint).into()
}

enum Machine {
    /// Latin-1 needs no state.
    Latin1,
    Standard(Decoder),
}

/// Text on its way from another encoding.
struct Decoding {
    encoding: Encoding,
    machine: Machine,
    raw: Vec<u8>,
    raw_start: usize,
    raw_end: usize,
    is_last: bool,
    text: Vec<u8>,
    text_start: usize,
    text_end: usize,
    is_done: bool,
}

impl Decoding {
    fn new(encoding: Encoding, head: &[u8]) -> Self {
        let machine = match encoding {
            Encoding::Latin1 => Machine::Latin1,
            Encoding::Utf8 => Machine::Standard(encoding_rs::UTF_8.new_decoder_without_bom_handling()),
            Encoding::Utf16Le => Machine::Standard(encoding_rs::UTF_16LE.new_decoder_without_bom_handling()),
            Encoding::Utf16Be => Machine::Standard(encoding_rs::UTF_16BE.new_decoder_without_bom_handling()),
            Encoding::Other(other) => Machine::Standard(other.new_decoder_without_bom_handling()),
        };
        let mut raw = vec![0; RAW_BYTES];
        raw[..head.len()].copy_from_slice(head);
        Self {
            encoding,
            machine,
            raw,
            raw_start: 0,
            raw_end: head.len(),
            is_last: false,
            text: vec![0; TEXT_BYTES],
            text_start: 0,
            text_end: 0,
            is_done: false,
        }
    }

    fn read(&mut self, source: &mut impl Source, into: &mut [u8]) -> Result<usize> {
        while self.text_start == self.text_end {
            if self.is_done {
                return Ok(0);
            }
            if self.raw_start == self.raw_end && !self.is_last {
                let count = source.read(&mut self.raw)?;
                self.raw_start = 0;
                self.raw_end = count;
                self.is_last = count == 0;
            }
            self.decode();
        }
        let ready = &self.text[self.text_start..self.text_end];
        let count = ready.len().min(into.len());
        into[..count].copy_from_slice(&ready[..count]);
        self.text_start += count;
        Ok(count)
    }

    /// Decodes what is there until the text is full or a sequence is malformed.
    fn decode(&mut self) {
        let raw = &self.raw[self.raw_start..self.raw_end];
        self.text_start = 0;
        match &mut self.machine {
            Machine::Latin1 => {
                let (taken, made) = encoding_rs::mem::convert_latin1_to_utf8_partial(raw, &mut self.text);
                self.raw_start += taken;
                self.text_end = made;
                self.is_done = self.is_last;
            }
            Machine::Standard(decoder) => {
                // The last byte is kept free for the mark of a malformed sequence.
                let target = &mut self.text[..TEXT_BYTES - 1];
                let (result, taken, made) = decoder.decode_to_utf8_without_replacement(raw, target, self.is_last);
                self.raw_start += taken;
                self.text_end = made;
                match result {
                    DecoderResult::InputEmpty => self.is_done = self.is_last,
                    DecoderResult::OutputFull => {}
                    DecoderResult::Malformed(..) => {
                        self.text[made] = MALFORMED;
                        self.text_end = made + 1;
                    }
                }
            }
        }
    }
}
