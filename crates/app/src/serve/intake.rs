//! The bytes of a request on their way into an object, whichever door they come through.
//!
//! While one piece is hashed and written, away from the threads that answer, the next one comes: a body of any size takes
//! the memory of a few pieces, which are filled again and again.

use std::io;

use tokio::task::JoinHandle;

use super::state::blocking;

/// Bytes that are hashed and written at once, away from the threads that answer.
const PIECE_BYTES: usize = 512 * 1024;
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
    writing: Option<JoinHandle<io::Result<Taken<T>>>>,
    held: Vec<u8>,
    spare: Option<Vec<u8>>,
}

impl<T: Take> Intake<T> {
    pub fn new(making: T) -> Self {
        Self { making: Some(making), writing: None, held: Vec::new(), spare: None }
    }

    /// Takes more bytes; waits for what is being written when there are many.
    pub async fn push(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES - self.held.len()));
            self.held.extend_from_slice(now);
            if self.held.len() == PIECE_BYTES {
                let free = self.settled().await?;
                let next = self.spare.take().unwrap_or_else(|| Vec::with_capacity(PIECE_BYTES));
                let piece = std::mem::replace(&mut self.held, next);
                self.writing = Some(tokio::task::spawn_blocking(move || free.take(piece)));
            }
            bytes = later;
        }
        Ok(())
    }

    /// All bytes are there.
    pub async fn end(mut self) -> io::Result<T> {
        let free = self.settled().await?;
        let held = self.held;
        let taken =
            if held.len() <= HERE_BYTES_MAX { free.take(held) } else { blocking(move || free.take(held)).await };
        taken.map(|(made, _)| made)
    }

    /// The object, once what was begun is written.
    async fn settled(&mut self) -> io::Result<T> {
        if let Some(writing) = self.writing.take() {
            let (free, spare) = writing.await.map_err(io::Error::other)??;
            (self.making, self.spare) = (Some(free), spare);
        }
        self.making.take().ok_or_else(|| io::Error::other("the object could not be written before"))
    }
}
