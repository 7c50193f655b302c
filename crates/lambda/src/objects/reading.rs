//! Reading an object: piece by piece, the next one asked for while this one is read.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::thread::JoinHandle;

use pipeline::ports::Cause;

use crate::bucket::{Buckets, Piece};
use crate::limits::{PART_BYTES, READ_BYTES_MIN};

/// Bucket, key and version.
type Place = (String, String, Option<String>);
type Ahead = JoinHandle<Result<Option<Piece>, Cause>>;

/// An object that is read.
pub(super) struct Reading {
    buckets: Arc<dyn Buckets>,
    place: Arc<Place>,
    whole_bytes: u64,
    /// What is here, and where it begins.
    here: Vec<u8>,
    begins: u64,
    at: u64,
    /// How much to ask for next.
    next_bytes: usize,
    /// What was asked for already, and from where.
    ahead: Option<(u64, Ahead)>,
}

impl Reading {
    /// Goes on from the first piece.
    pub fn new(buckets: Arc<dyn Buckets>, place: Place, first: Piece) -> Self {
        let Piece { bytes: here, whole_bytes, .. } = first;
        let (begins, at, next_bytes, ahead) = (0, 0, READ_BYTES_MIN, None);
        Self { buckets, place: Arc::new(place), whole_bytes, here, begins, at, next_bytes, ahead }
    }

    fn ends(&self) -> u64 {
        self.begins + self.here.len() as u64
    }

    fn ask(&self, from: u64, bytes: usize) -> impl FnOnce() -> Result<Option<Piece>, Cause> + Send + 'static {
        let (buckets, place) = (self.buckets.clone(), self.place.clone());
        let range = from..from.saturating_add(bytes as u64).min(self.whole_bytes);
        move || buckets.get(&place.0, &place.1, place.2.as_deref(), range)
    }

    /// Gets the piece that holds the place.
    fn fetch(&mut self) -> io::Result<()> {
        let goes_on = self.at == self.ends();
        let asked = self.ahead.take().filter(|(from, _)| goes_on && *from == self.at);
        let answer = match asked {
            Some((_, thread)) => thread.join().unwrap_or_else(|_| Err("a read came to nothing".into())),
            None => {
                // somebody who jumps about wants little, somebody who goes on wants more and more
                self.next_bytes = if goes_on { self.next_bytes } else { READ_BYTES_MIN };
                self.ask(self.at, self.next_bytes)()
            }
        };
        let piece = answer.map_err(io::Error::other)?;
        let piece = piece.ok_or_else(|| io::Error::other("the object is gone while it is read"))?;
        if piece.bytes.is_empty() || piece.whole_bytes != self.whole_bytes {
            return Err(io::Error::other("the object changed while it is read"));
        }
        (self.begins, self.here) = (self.at, piece.bytes);
        self.next_bytes = (self.next_bytes * 2).min(PART_BYTES);
        let from = self.ends();
        if goes_on && from < self.whole_bytes {
            let ask = self.ask(from, self.next_bytes);
            let thread = std::thread::Builder::new().name("read-ahead".into()).spawn(ask)?;
            self.ahead = Some((from, thread));
        }
        Ok(())
    }
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() || self.at >= self.whole_bytes {
            return Ok(0);
        }
        if !(self.begins..self.ends()).contains(&self.at) {
            self.fetch()?;
        }
        let from = usize::try_from(self.at - self.begins).map_err(io::Error::other)?;
        let rest = &self.here[from..];
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Reading {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(by) => self.whole_bytes.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = place.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "before the first byte"))?;
        Ok(self.at)
    }
}
