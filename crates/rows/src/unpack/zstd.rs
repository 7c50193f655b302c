//! Zstandard (RFC 8878): frames one after another unpack to one stream, skippable frames to nothing.
//!
//! Checksums are checked where a frame has one. Frames that need a dictionary, and the formats before 0.8, are refused.

use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_error_name};

use crate::limits::ZSTD_WINDOW_LOG_MAX;
use crate::{Error, Refusal, Result};

use super::packed::Packed;

/// All frames of a zstd file, one after another.
pub(super) struct Zstd {
    context: DCtx<'static>,
    in_frame: bool,
}

impl Zstd {
    pub(super) fn new() -> Result<Self> {
        let mut context = DCtx::try_create().ok_or_else(out_of_memory)?;
        let limited = context.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX));
        limited.map_err(|code| Error::Io(std::io::Error::other(get_error_name(code))))?;
        Ok(Self { context, in_frame: false })
    }

    pub(super) fn read(&mut self, packed: &mut Packed, into: &mut [u8]) -> Result<usize> {
        loop {
            let shown = packed.fill()?;
            let (at_end, shown_bytes) = (shown.is_empty(), shown.len() as u64);
            if at_end && !self.in_frame {
                return Ok(0);
            }
            let mut input = InBuffer::around(shown);
            let mut output = OutBuffer::around(&mut *into);
            let result = self.context.decompress_stream(&mut output, &mut input);
            let (taken, made) = (input.pos(), output.pos());
            packed.consume(taken);
            match result {
                // 0 says that the frame is complete and all of it was handed out.
                Ok(hint) => self.in_frame = hint != 0,
                Err(code) => return Err(fault(packed.offset(), shown_bytes, get_error_name(code))),
            }
            if made > 0 {
                return Ok(made);
            }
            if at_end && self.in_frame {
                let message = format!("the zstd file ends in the middle of its data, at byte {}", packed.offset());
                let hint = "the transfer was cut short: send the file again, whole";
                return Err(Refusal::new("truncated_zstd", message, hint).into());
            }
        }
    }
}

/// The library tells its errors apart by name only, and does not say where in the `shown_bytes` from `offset` on.
fn fault(offset: u64, shown_bytes: u64, name: &str) -> Error {
    let end = offset.saturating_add(shown_bytes);
    match name {
        "Allocation error : not enough memory" => Error::Io(out_of_memory()),
        "Frame requires too much memory for decoding" => Refusal::new(
            "unsupported_compression",
            format!("a zstd frame between bytes {offset} and {end} needs a window of more than {} MiB", window_mib()),
            format!("pack it with a smaller window: zstd --long={ZSTD_WINDOW_LOG_MAX} or less"),
        )
        .into(),
        "Dictionary mismatch" => Refusal::new(
            "unsupported_compression",
            format!(
                "a zstd frame between bytes {offset} and {end} was packed with a dictionary, which only its sender has"
            ),
            "pack it without a dictionary",
        )
        .into(),
        "Unknown frame descriptor" => Refusal::new(
            "corrupt_zstd",
            format!("something that is not a zstd frame begins between bytes {offset} and {end}"),
            "send the packed data alone, or pack what follows it too",
        )
        .into(),
        _ => Refusal::new(
            "corrupt_zstd",
            format!("the zstd data is damaged between bytes {offset} and {end}: {}", lowercase_first(name)),
            "send the file again",
        )
        .into(),
    }
}

fn window_mib() -> u64 {
    (1 << ZSTD_WINDOW_LOG_MAX) / (1024 * 1024)
}

fn lowercase_first(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

fn out_of_memory() -> std::io::Error {
    std::io::ErrorKind::OutOfMemory.into()
}
