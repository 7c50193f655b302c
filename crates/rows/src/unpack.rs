//! Unpacking: what a file is packed with is found by its content, never by its name, and comes out as a stream.
//!
//! A plain file, gzip (all members) and zstd (all frames) are one part; a zip has one part per file in it. What is in
//! a part is not unpacked again. An error of the input stays `Error::Io`; a fault of the content is a refusal.
//! Memory stays flat whatever the file says of itself, and what grows too much is refused as a bomb.

mod detect;
mod gzip;
mod packed;
#[cfg(test)]
mod tests;
mod zip;
mod zstd;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::limits::{UNPACK_RATIO_MAX, UNPACKED_BYTES_FREE, UNPACKED_BYTES_MAX};
use crate::source::{Input, Source};
use crate::{Error, Refusal, Result};

use packed::Packed;

/// What a file is packed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Nothing that we know: the content is the file.
    None,
    /// Gzip, one or more members.
    Gzip,
    /// Zstandard, one or more frames.
    Zstd,
    /// A zip archive.
    Zip,
}

impl Compression {
    /// The name in reports and contracts.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Zip => "zip",
        }
    }
}

/// A file with what it is packed with, giving its parts one by one.
pub struct Parts {
    packed: Packed,
    input_bytes: u64,
    compression: Compression,
    rest: Rest,
    budget: Budget,
}

/// The parts not given yet.
enum Rest {
    Whole,
    Members(VecDeque<zip::Member>),
    Nothing,
}

/// One stream of content.
pub struct Part<'a> {
    /// The name of the zip member: only a name, never a path to write to.
    pub name: Option<String>,
    /// The unpacked content. It need not be read to its end, but only at its end are all checksums checked.
    /// Fastest when read into 256 KiB or more. Once it refused the file, it goes on doing so.
    pub bytes: Box<dyn Source + 'a>,
}

/// Looks at the beginning of `input`, and at the directory if it is a zip.
///
/// `member` picks the member of a zip by its whole name, hidden or not (all of them if several have it); other files
/// have no members, and for them it means nothing.
///
/// # Errors
///
/// Refused: packed with something that is not read here, an Office or PDF file, or a zip that is damaged, is
/// encrypted, has too many members or lacks `member`. A zip without a single file is not refused; it has no parts.
pub fn open(input: Box<dyn Input>, member: Option<&str>) -> Result<Parts> {
    let (mut packed, input_bytes) = Packed::new(input)?;
    let compression = detect::compression(packed.peek(detect::SHOWN_BYTES)?)?;
    let rest = if compression == Compression::Zip {
        let members = zip::read_directory(&mut packed, input_bytes)?;
        packed.set_consumed(0);
        Rest::Members(zip::select(members, member)?.into())
    } else {
        Rest::Whole
    };
    let budget = Budget { input_bytes, unpacked_bytes: 0 };
    Ok(Parts { packed, input_bytes, compression, rest, budget })
}

impl Parts {
    /// What the file is packed with.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// The length of the file as it is.
    pub fn input_bytes(&self) -> u64 {
        self.input_bytes
    }

    /// How many bytes of the file were consumed so far, kept up to date while parts are read. Equals `input_bytes`
    /// once `next` answered that there are no more parts.
    pub fn progress(&self) -> Arc<AtomicU64> {
        self.packed.progress()
    }

    /// The next part, or none after the last. What was left unread of the part before is skipped.
    ///
    /// # Errors
    ///
    /// Refused: the member of a zip is not where its directory says.
    #[expect(clippy::should_implement_trait, reason = "a part borrows from this, which no iterator can say")]
    pub fn next(&mut self) -> Result<Option<Part<'_>>> {
        let (name, decoder) = match &mut self.rest {
            Rest::Whole => {
                self.rest = Rest::Nothing;
                let decoder = match self.compression {
                    Compression::Gzip => Decoder::Gzip(gzip::Gzip::new()),
                    Compression::Zstd => Decoder::Zstd(zstd::Zstd::new()?),
                    Compression::None | Compression::Zip => Decoder::Plain,
                };
                (None, decoder)
            }
            Rest::Members(members) => match members.pop_front() {
                Some(member) => {
                    let name = member.name.clone();
                    (Some(name), Decoder::Member(zip::Content::open(&mut self.packed, member)?))
                }
                None => return Ok(self.finish()),
            },
            Rest::Nothing => return Ok(self.finish()),
        };
        let stream = Stream { packed: &mut self.packed, budget: &mut self.budget, decoder, refusal: None };
        Ok(Some(Part { name, bytes: Box::new(stream) }))
    }

    fn finish(&mut self) -> Option<Part<'_>> {
        self.rest = Rest::Nothing;
        self.packed.set_consumed(self.input_bytes);
        None
    }

    /// The file itself, from its beginning, for content that is read from its end (Parquet, Arrow). Parts may have
    /// been read before, to see what it is. Progress is not counted any more.
    ///
    /// # Errors
    ///
    /// Refused: the file is packed.
    pub fn into_plain(self) -> Result<Box<dyn Input>> {
        if self.compression != Compression::None {
            let name = self.compression.name();
            let message = format!("the content must be read from its end, and the file is packed with {name}");
            return Err(Refusal::new("unsupported_compression", message, "send the content unpacked").into());
        }
        Ok(self.packed.into_input()?)
    }
}

enum Decoder {
    Plain,
    Gzip(gzip::Gzip),
    Zstd(zstd::Zstd),
    Member(zip::Content),
}

/// A part while it is read.
struct Stream<'a> {
    packed: &'a mut Packed,
    budget: &'a mut Budget,
    decoder: Decoder,
    refusal: Option<Refusal>,
}

impl Stream<'_> {
    fn unpack(&mut self, into: &mut [u8]) -> Result<usize> {
        let made = match &mut self.decoder {
            Decoder::Plain => self.packed.read(into)?,
            Decoder::Gzip(gzip) => gzip.read(self.packed, into)?,
            Decoder::Zstd(zstd) => zstd.read(self.packed, into)?,
            Decoder::Member(content) => content.read(self.packed, into)?,
        };
        self.budget.spend(made, self.packed.consumed())?;
        Ok(made)
    }
}

impl Source for Stream<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone().into());
        }
        let result = self.unpack(into);
        if let Err(Error::Refused(refusal)) = &result {
            self.refusal = Some(refusal.clone());
        }
        result
    }
}

/// What the content of one file may grow to, all parts together.
struct Budget {
    input_bytes: u64,
    unpacked_bytes: u64,
}

impl Budget {
    /// `made` more bytes came out, after `consumed` bytes of the file went in.
    fn spend(&mut self, made: usize, consumed: u64) -> Result<()> {
        self.unpacked_bytes = self.unpacked_bytes.saturating_add(made as u64);
        let unpacked = self.unpacked_bytes;
        if unpacked > UNPACKED_BYTES_MAX {
            let message = format!("the content has more than {UNPACKED_BYTES_MAX} bytes");
            return Err(Refusal::new("content_too_large", message, "send it in several files").into());
        }
        // Members that are read again must not earn more than the file has.
        let packed = consumed.min(self.input_bytes);
        if unpacked > UNPACKED_BYTES_FREE && unpacked > packed.saturating_mul(UNPACK_RATIO_MAX) {
            let message = format!(
                "the content grew to {unpacked} bytes from {packed} packed ones, more than {UNPACK_RATIO_MAX} times"
            );
            let hint = "no real data shrinks that much; if yours does, send it unpacked";
            return Err(Refusal::new("decompression_bomb", message, hint).into());
        }
        Ok(())
    }
}
