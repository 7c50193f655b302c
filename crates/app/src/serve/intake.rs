//! The bytes of a request on their way into an object, whichever door they come through.
//!
//! While pieces are hashed and written, away from the threads that answer, the next ones come: a body of any size takes
//! the memory of a few pieces, which are filled again and again.

use std::io;

use tokio::task::JoinHandle;

use super::state::blocking;

/// Bytes that are hashed and written at once, away from the threads that answer. What is longer than a part of a core's
/// cache comes from memory for each of the two: pieces four times as long made uploads a seventh slower.
const PIECE_BYTES: usize = 128 * 1024;
/// Pieces that may wait while others are written: whoever sends is rarely as even as the disk.
const PIECES_WAITING: usize = 4;
/// Up to here hashing costs less than going elsewhere for it.
const HERE_BYTES_MAX: usize = 64 * 1024;

/// What bytes are written to.
pub(super) trait Take: Sized + Send + 'static {
    /// Takes more bytes, which are not copied. Gives an empty piece back, if there is one.
    fn take(self, piece: Vec<u8>) -> io::Result<Taken<Self>>;
}

/// What took a piece, and a piece that is free again.
pub(super) type Taken<T> = (T, Option<Vec<u8>>);

/// An object in the making.
pub(super) struct Intake<T> {
    making: Option<T>,
    writing: Option<JoinHandle<io::Result<Written<T>>>>,
    /// Pieces that are full and wait until those before them are written.
    waiting: Vec<Vec<u8>>,
    held: Vec<u8>,
    spares: Vec<Vec<u8>>,
}

/// What took pieces, and those that are free again.
type Written<T> = (T, Vec<Vec<u8>>);

impl<T: Take> Intake<T> {
    pub fn new(making: T) -> Self {
        let (waiting, held, spares) = Default::default();
        Self { making: Some(making), writing: None, waiting, held, spares }
    }

    /// Takes more bytes; waits for what is being written when there are many.
    pub async fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES - self.held.len()));
            self.held.extend_from_slice(now);
            if self.held.len() == PIECE_BYTES {
                let next = self.spares.pop().unwrap_or_else(|| Vec::with_capacity(PIECE_BYTES));
                self.waiting.push(std::mem::replace(&mut self.held, next));
                let is_free = self.writing.as_ref().is_none_or(JoinHandle::is_finished);
                if is_free || self.waiting.len() >= PIECES_WAITING {
                    let (free, pieces) = (self.settled().await?, std::mem::take(&mut self.waiting));
                    self.writing = Some(tokio::task::spawn_blocking(move || write(free, pieces)));
                }
            }
            bytes = later;
        }
        Ok(())
    }

    /// All bytes are there.
    pub async fn end(mut self) -> io::Result<T> {
        let free = self.settled().await?;
        let mut pieces = self.waiting;
        pieces.push(self.held);
        let is_little = pieces.iter().map(Vec::len).sum::<usize>() <= HERE_BYTES_MAX;
        let written = if is_little { write(free, pieces) } else { blocking(move || write(free, pieces)).await };
        written.map(|(made, _)| made)
    }

    /// The object, once what was begun is written.
    async fn settled(&mut self) -> io::Result<T> {
        if let Some(writing) = self.writing.take() {
            let (free, spares) = writing.await.map_err(io::Error::other)??;
            (self.making, self.spares) = (Some(free), spares);
        }
        self.making.take().ok_or_else(|| io::Error::other("the object could not be written before"))
    }
}

fn write<T: Take>(mut to: T, pieces: Vec<Vec<u8>>) -> io::Result<Written<T>> {
    let mut spares = Vec::new();
    for piece in pieces {
        let (free, spare) = to.take(piece)?;
        spares.extend(spare);
        to = free;
    }
    Ok((to, spares))
}

/// The first character of a key that XML 1.0 does not have: listings of S3 that tell of it could not be read.
pub(super) fn unspeakable(key: &str) -> Option<char> {
    let is_told = |letter: char| matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    key.chars().find(|letter| !is_told(*letter))
}
