//! The bytes of a request on their way into an object, whichever door they come through.
//!
//! While one piece is hashed and written, away from the threads that answer, the next one comes: a body of any size takes
//! the memory of two pieces.

use std::io;

use tokio::task::JoinHandle;

use super::state::blocking;

/// Time in which the next piece of a body must come.
pub(super) const PIECE_SECONDS_MAX: u64 = 60;
/// Bytes that are hashed and written at once, away from the threads that answer.
const PIECE_BYTES: usize = 1024 * 1024;
/// Up to here hashing costs less than going elsewhere for it.
const HERE_BYTES_MAX: usize = 64 * 1024;

/// What bytes are written to.
pub(super) trait Take: Sized + Send + 'static {
    /// Takes more bytes.
    fn take(self, bytes: &[u8]) -> io::Result<Self>;
}

/// An object in the making.
pub(super) struct Intake<T> {
    making: Option<T>,
    writing: Option<JoinHandle<io::Result<T>>>,
    held: Vec<u8>,
}

impl<T: Take> Intake<T> {
    pub fn new(making: T) -> Self {
        Self { making: Some(making), writing: None, held: Vec::new() }
    }

    /// Takes more bytes; waits for what is being written when there are many.
    pub async fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= PIECE_BYTES {
            let free = self.settled().await?;
            let next = Vec::with_capacity(self.held.capacity());
            let piece = std::mem::replace(&mut self.held, next);
            self.writing = Some(tokio::task::spawn_blocking(move || free.take(&piece)));
        }
        Ok(())
    }

    /// All bytes are there.
    pub async fn end(mut self) -> io::Result<T> {
        let free = self.settled().await?;
        let held = self.held;
        if held.len() <= HERE_BYTES_MAX { free.take(&held) } else { blocking(move || free.take(&held)).await }
    }

    /// The object, once what was begun is written.
    async fn settled(&mut self) -> io::Result<T> {
        if let Some(writing) = self.writing.take() {
            self.making = Some(writing.await.map_err(io::Error::other)??);
        }
        self.making.take().ok_or_else(|| io::Error::other("the object could not be written before"))
    }
}
