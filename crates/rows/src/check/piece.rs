//! Pieces of a file: cut in order, parsed anywhere, folded in order.

use crate::batch::Batch;
use crate::csv::Index;
use crate::source::Source;
use crate::{Result, json, table};

/// Bytes of text in one piece, more or less: enough to make the overhead of a piece small, little enough to stay in
/// the cache of a core while it is parsed.
pub(crate) const PIECE_BYTES: usize = 256 * 1024;

/// A piece that grows by half of this must grow.
pub(crate) const PIECE_BYTES_MIN: usize = 64;

/// One piece, cut at the end of a record.
#[derive(Default)]
pub(crate) struct Piece {
    /// Whole records.
    pub buffer: Vec<u8>,
    /// Physical lines of the part before this piece.
    pub lines_before: u64,
    /// CSV: where records and fields end, and how many records at the front are no rows.
    pub index: Index,
    pub header_records: usize,
    /// JSON: where records stand.
    pub records: Vec<json::Record>,
    /// JSON: lines in this piece, and those of them that are blank.
    pub lines: u64,
    pub blank_lines: u64,
    /// Tables: the cells, and the index of the first row.
    pub cells: table::Batch,
    pub first_row: u64,
}

/// Cuts a part into pieces, one after the other.
pub(crate) trait Cut: Send {
    /// Fills `piece` with the next records; false at the end.
    fn next(&mut self, piece: &mut Piece) -> Result<bool>;
}

/// Turns pieces into batches; every thread has its own.
pub(crate) trait Parse {
    /// Replaces `batch` by the rows of `piece`. A refusal ends the file after the rows before it.
    fn parse(&mut self, piece: &mut Piece, batch: &mut Batch) -> Result<()>;
}

/// How much a piece whose front is `carried` bytes is filled to.
pub(crate) fn size_after(carried: usize, piece_bytes: usize) -> usize {
    carried.max(piece_bytes / 2).saturating_add(piece_bytes / 2)
}

/// Writes `carry` over the front of `buffer` and empties it; answers how many bytes of `buffer` count now.
pub(crate) fn begin_with(carry: &mut Vec<u8>, buffer: &mut Vec<u8>) -> usize {
    let carried = carry.len();
    buffer.resize(buffer.len().max(carried), 0);
    buffer[..carried].copy_from_slice(carry);
    carry.clear();
    carried
}

/// Room that is made in a new buffer before anything was read into it.
const ROOM_BYTES: usize = 16 * 1024;

/// Reads until `buffer`, of which the first `filled` bytes count, holds `size` bytes or the source ends.
pub(crate) fn extend(
    source: &mut dyn Source,
    buffer: &mut Vec<u8>,
    mut filled: usize,
    size: usize,
    ended: &mut bool,
) -> Result<()> {
    // What is past `filled` is not cleared first: most of it was read once, and will be written over. Of a new buffer only
    // so much is made as there is to read: most files are small.
    let room = buffer.len().max(filled.saturating_add(ROOM_BYTES)).min(size.max(filled));
    buffer.resize(room, 0);
    while filled < size {
        if filled == buffer.len() {
            buffer.resize(filled.saturating_mul(4).min(size), 0);
        }
        match source.read(&mut buffer[filled..]) {
            Ok(0) => {
                *ended = true;
                break;
            }
            Ok(read) => filled += read,
            Err(error) => {
                buffer.truncate(filled);
                return Err(error);
            }
        }
    }
    buffer.truncate(filled);
    Ok(())
}
