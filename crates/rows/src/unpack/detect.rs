//! What a file is packed with, by its first bytes; and the kinds of file we know and do not read.

use crate::{Refusal, Result};

use super::Compression;

/// How many bytes `compression` wants to see.
pub(super) const SHOWN_BYTES: usize = 16;

/// Packers that we do not read. Each magic holds bytes that no text has, or enough of them.
const PACKERS: [(&[u8], &str); 9] = [
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x02\x21\x4c\x18", "lz4 (legacy)"),
    (b"LZIP\x01", "lzip"),
    (b"\x1f\x9d", "compress (.Z)"),
    (b"\xff\x06\x00\x00sNaPpY", "snappy"),
    (b"PK\x07\x08", "a zip that is split into volumes"),
];

/// What the file that begins with `shown` is packed with; a refusal if it is something we know and do not read.
pub(super) fn compression(shown: &[u8]) -> Result<Compression> {
    if shown.starts_with(b"\x1f\x8b") {
        return Ok(Compression::Gzip);
    }
    if shown.starts_with(b"\x28\xb5\x2f\xfd") || is_skippable_frame(shown) {
        return Ok(Compression::Zstd);
    }
    if shown.starts_with(b"PK\x03\x04") || shown.starts_with(b"PK\x05\x06") {
        return Ok(Compression::Zip);
    }
    if is_bzip2(shown) {
        return Err(packed_with("bzip2").into());
    }
    for (magic, name) in PACKERS {
        if shown.starts_with(magic) {
            return Err(packed_with(name).into());
        }
    }
    if shown.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return Err(unsupported_file("a Microsoft Office file (.xls or the like)", SAVE_AS_CSV).into());
    }
    if shown.starts_with(b"%PDF-") {
        return Err(unsupported_file("a PDF document", "send the rows as CSV, JSON or Parquet").into());
    }
    Ok(Compression::None)
}

/// What to do with a spreadsheet.
pub(super) const SAVE_AS_CSV: &str = "save it as CSV and send that";

/// The refusal of a file that is `kind`.
pub(super) fn unsupported_file(kind: &str, hint: &str) -> Refusal {
    Refusal::new("unsupported_file", format!("the file is {kind}"), hint)
}

fn packed_with(name: &str) -> Refusal {
    Refusal::new(
        "unsupported_compression",
        format!("the file is packed with {name}"),
        "send it plain, or packed with gzip, zstd or zip",
    )
}

fn is_skippable_frame(shown: &[u8]) -> bool {
    matches!(shown, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// `BZh` alone could begin a header row, so the mark of the first block, or of an empty file, is wanted too.
fn is_bzip2(shown: &[u8]) -> bool {
    let Some((front, mark)) = shown.split_at_checked(4) else {
        return false;
    };
    matches!(front, [b'B', b'Z', b'h', b'1'..=b'9'])
        && (mark.starts_with(b"\x31\x41\x59\x26\x53\x59") || mark.starts_with(b"\x17\x72\x45\x38\x50\x90"))
}
