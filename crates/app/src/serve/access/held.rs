//! Bodies that are held in memory whole, and how many bytes of all of them at a time.
//!
//! What is counted are bytes that came, not those that were announced: who announces much and sends nothing takes nothing
//! from the others.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use futures_util::StreamExt;

use crate::limits::{HELD_BYTES_MAX, SIGNED_BODY_BYTES_MAX};
use crate::serve::http::Problem;

/// What bodies may take. Those of requests that nobody knows yet whether somebody with a key made them are counted apart:
/// they keep out nobody else.
pub(in crate::serve) struct Budgets {
    pub known: Arc<Budget>,
    pub unproven: Arc<Budget>,
    /// What the S3 door may hold of requests that are signed, so that neither door keeps out the other.
    pub s3: Arc<Budget>,
}

impl Budgets {
    /// `one_max` is how long one of the known may be: it fits, whatever the limit of all.
    pub fn new(one_max: usize) -> Self {
        let [unproven, s3] = [(); 2].map(|()| Budget::of(HELD_BYTES_MAX));
        Self { known: Budget::of(HELD_BYTES_MAX.max(one_max)), unproven, s3 }
    }
}

/// How many bytes may be held at a time.
pub(in crate::serve) struct Budget {
    bytes: AtomicUsize,
    bytes_max: usize,
}

impl Budget {
    pub fn of(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicUsize::new(0), bytes_max })
    }

    /// The place of one body, which has no bytes yet.
    pub fn place(self: &Arc<Self>) -> Held {
        Held { budget: self.clone(), bytes: 0 }
    }

    /// Counts so many bytes more, until they are given back.
    pub fn take(&self, bytes: usize) -> Result<(), Full> {
        let bytes_max = self.bytes_max;
        let more = |held: usize| held.checked_add(bytes).filter(|all| *all <= bytes_max);
        let taken = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map(|_| ()).map_err(|_| Full { bytes_max })
    }

    /// Counts so many of the bytes that were taken no more.
    pub fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes of one body, until it is dropped. In the extensions of a request whose body was taken into memory before it was
/// let in.
pub(in crate::serve) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

/// There are too many bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::serve) struct Full {
    bytes_max: usize,
}

impl fmt::Display for Full {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "requests under way hold {} bytes in memory, which is all they may", self.bytes_max)
    }
}

impl Held {
    /// Counts so many bytes more.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        self.budget.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

impl From<Full> for Problem {
    fn from(full: Full) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "too_much_held", full.to_string())
            .hint("try again in 1 s; large files go to POST /upload, signed with their sha256 in X-Amz-Content-Sha256")
            .retry_after(1)
    }
}

/// Why a body was not taken into memory.
pub(super) enum Unheld {
    TooLong,
    Full(Full),
    Broken(axum::Error),
}

/// A body whose signature must be looked at as a whole.
pub(super) async fn whole(body: Body, held: &mut Held) -> Result<Bytes, Unheld> {
    if body.size_hint().lower() > SIGNED_BODY_BYTES_MAX as u64 {
        return Err(Unheld::TooLong);
    }
    let (mut pieces, mut bytes) = (body.into_data_stream(), Vec::new());
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(Unheld::Broken)?;
        if bytes.len() + piece.len() > SIGNED_BODY_BYTES_MAX {
            return Err(Unheld::TooLong);
        }
        held.grow(piece.len()).map_err(Unheld::Full)?;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_counted_until_it_is_dropped() {
        let budget = Budget::of(10);
        let (mut one, mut other) = (budget.place(), budget.place());
        assert_eq!((one.grow(6), other.grow(4)), (Ok(()), Ok(())));
        assert_eq!((one.grow(1), other.grow(usize::MAX)), (Err(Full { bytes_max: 10 }), Err(Full { bytes_max: 10 })));
        drop(one);
        assert_eq!((other.grow(7), other.grow(6)), (Err(Full { bytes_max: 10 }), Ok(())));
        drop(other);
        assert_eq!(budget.bytes.load(Ordering::Relaxed), 0);
        assert_eq!(Budgets::new(HELD_BYTES_MAX + 1).known.place().grow(HELD_BYTES_MAX + 1), Ok(()));
    }
}
