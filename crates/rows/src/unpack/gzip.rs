//! Gzip (RFC 1952) and the raw deflate inside it, which zip shares.
//!
//! Members follow one another (`cat a.gz b.gz`, BGZF) and unpack to one stream. Zero bytes after the last member are
//! padding; anything else there is refused, because it may be rows that got lost (`gzip -t` warns and fails too).

use flate2::{Crc, Decompress, FlushDecompress, Status};

use crate::{Refusal, Result};

use super::packed::Packed;

const SEND_AGAIN: &str = "send the file again";

const HEADER_CRC: u8 = 0x02;
const EXTRA: u8 = 0x04;
const NAME: u8 = 0x08;
const COMMENT: u8 = 0x10;
const RESERVED: u8 = 0xe0;

/// Raw deflate with the checksum and length of what it made.
pub(super) struct Inflate {
    state: Decompress,
    pub(super) made: Crc,
}

/// What one step of `Inflate` came to.
pub(super) enum Inflated {
    /// So many bytes, at least one; more may follow.
    Bytes(usize),
    /// So many bytes, maybe none, and the stream is complete.
    End(usize),
    /// The packed bytes ended inside the stream.
    Truncated,
    /// The packed bytes are not deflate.
    Corrupt,
}

impl Inflate {
    pub(super) fn new() -> Self {
        Self { state: Decompress::new(false), made: Crc::new() }
    }

    fn reset(&mut self) {
        self.state.reset(false);
        self.made.reset();
    }

    pub(super) fn read(&mut self, packed: &mut Packed, into: &mut [u8]) -> Result<Inflated> {
        loop {
            let shown = packed.fill()?;
            let at_end = shown.is_empty();
            let (taken_before, made_before) = (self.state.total_in(), self.state.total_out());
            let result = self.state.decompress(shown, into, FlushDecompress::None);
            let taken = (self.state.total_in() - taken_before) as usize;
            let made = (self.state.total_out() - made_before) as usize;
            packed.consume(taken);
            let Ok(status) = result else {
                return Ok(Inflated::Corrupt);
            };
            self.made.update(&into[..made]);
            if status == Status::StreamEnd {
                return Ok(Inflated::End(made));
            }
            if made > 0 {
                return Ok(Inflated::Bytes(made));
            }
            if at_end {
                return Ok(Inflated::Truncated);
            }
            if taken == 0 {
                return Ok(Inflated::Corrupt);
            }
        }
    }
}

enum State {
    /// Before a member, the first or a further one.
    Between,
    Body,
    End,
}

/// All members of a gzip file, one after another.
pub(super) struct Gzip {
    inflate: Inflate,
    state: State,
    is_first: bool,
}

impl Gzip {
    pub(super) fn new() -> Self {
        Self { inflate: Inflate::new(), state: State::Between, is_first: true }
    }

    pub(super) fn read(&mut self, packed: &mut Packed, into: &mut [u8]) -> Result<usize> {
        loop {
            match self.state {
                State::End => return Ok(0),
                State::Between => {
                    self.state = self.begin(packed)?;
                }
                State::Body => {
                    let made = match self.inflate.read(packed, into)? {
                        Inflated::Bytes(made) => made,
                        Inflated::End(made) => {
                            self.check_trailer(packed)?;
                            self.state = State::Between;
                            made
                        }
                        Inflated::Truncated => return Err(truncated(packed).into()),
                        Inflated::Corrupt => return Err(corrupt(packed, "they are not deflate").into()),
                    };
                    if made > 0 {
                        return Ok(made);
                    }
                }
            }
        }
    }

    /// Reads what stands between two members: a header, padding or the end.
    fn begin(&mut self, packed: &mut Packed) -> Result<State> {
        if !self.is_first {
            match packed.fill()?.first() {
                None => return Ok(State::End),
                Some(0) => return pass_padding(packed),
                Some(_) => {}
            }
        }
        let shown = packed.peek(2)?;
        if shown.len() == 2 && shown != b"\x1f\x8b" || shown.first() != Some(&0x1f) {
            return Err(garbage(packed).into());
        }
        pass_header(packed)?;
        self.inflate.reset();
        self.is_first = false;
        Ok(State::Body)
    }

    fn check_trailer(&mut self, packed: &mut Packed) -> Result<()> {
        let mut trailer = [0; 8];
        if !packed.exact(&mut trailer)? {
            return Err(truncated(packed).into());
        }
        let [c0, c1, c2, c3, l0, l1, l2, l3] = trailer;
        if u32::from_le_bytes([c0, c1, c2, c3]) != self.inflate.made.sum() {
            return Err(corrupt(packed, "the checksum (CRC-32) of the content differs").into());
        }
        if u32::from_le_bytes([l0, l1, l2, l3]) != self.inflate.made.amount() {
            return Err(corrupt(packed, "the length of the content differs").into());
        }
        Ok(())
    }
}

/// Only zeros may follow up to the end.
fn pass_padding(packed: &mut Packed) -> Result<State> {
    loop {
        let shown = packed.fill()?;
        if shown.is_empty() {
            return Ok(State::End);
        }
        let zeros = shown.iter().position(|byte| *byte != 0).unwrap_or(shown.len());
        let all = zeros == shown.len();
        packed.consume(zeros);
        if !all {
            return Err(garbage(packed).into());
        }
    }
}

/// The bytes of one header, with the checksum that it may end in.
struct Header<'a> {
    packed: &'a mut Packed,
    seen: Crc,
}

impl Header<'_> {
    fn byte(&mut self) -> Result<u8> {
        let Some(byte) = self.packed.byte()? else {
            return Err(truncated(self.packed).into());
        };
        self.seen.update(&[byte]);
        Ok(byte)
    }

    fn pass_text(&mut self) -> Result<()> {
        while self.byte()? != 0 {}
        Ok(())
    }
}

fn pass_header(packed: &mut Packed) -> Result<()> {
    let mut header = Header { packed, seen: Crc::new() };
    let mut fixed = [0; 10];
    for byte in &mut fixed {
        *byte = header.byte()?;
    }
    let [_, _, method, flags, ..] = fixed;
    if method != 8 {
        return Err(corrupt(header.packed, &format!("the compression method is {method}, not 8 (deflate)")).into());
    }
    if flags & RESERVED != 0 {
        return Err(corrupt(header.packed, &format!("the header has unknown flags ({flags:#04x})")).into());
    }
    if flags & EXTRA != 0 {
        let length = u16::from_le_bytes([header.byte()?, header.byte()?]);
        for _ in 0..length {
            header.byte()?;
        }
    }
    if flags & NAME != 0 {
        header.pass_text()?;
    }
    if flags & COMMENT != 0 {
        header.pass_text()?;
    }
    if flags & HEADER_CRC != 0 {
        let expected = header.seen.sum() as u16;
        if u16::from_le_bytes([header.byte()?, header.byte()?]) != expected {
            return Err(corrupt(header.packed, "the checksum of the header differs").into());
        }
    }
    Ok(())
}

fn truncated(packed: &Packed) -> Refusal {
    let message = format!("the gzip file ends in the middle of its data, at byte {}", packed.offset());
    Refusal::new("truncated_gzip", message, "the transfer was cut short: send the file again, whole")
}

fn corrupt(packed: &Packed, why: &str) -> Refusal {
    let message = format!("the gzip data is damaged at or before byte {}: {why}", packed.offset());
    Refusal::new("corrupt_gzip", message, SEND_AGAIN)
}

fn garbage(packed: &Packed) -> Refusal {
    let message = format!("the gzip data is followed by something else, at byte {}", packed.offset());
    Refusal::new("corrupt_gzip", message, "send the packed data alone, or pack what follows it too")
}
