//! What `s3s` holds of bodies in memory: a signed chunk until it is whole, XML and forms until they are read. It does not say
//! when it lets go, so every piece of a body that goes to it is counted until it is dropped.
//!
//! A piece costs more than its bytes, and one that came by itself keeps the memory that it was read into: small ones are
//! copied out of it. So memory stays within the budget however a body is cut.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::limits::BODY_BYTES_FREE;
use crate::serve::access::held::{Budget, Full};
use crate::serve::access::paced::{TooSlow, too_slow};

/// What a piece takes beside its bytes.
const PIECE_COST: usize = 256;
/// Pieces with fewer bytes are copied.
const COPIED_BYTES: usize = 16 * 1024;

/// Why a body was not read on. `s3s` makes answers of its own of errors, so it is looked for here.
#[derive(Debug, Clone)]
pub(super) enum Broken {
    Full(Full),
    Slow(TooSlow),
}

/// Where a body leaves why it was not read on.
pub(super) type Why = Arc<OnceLock<Broken>>;

/// A body whose pieces are counted.
pub(super) struct Counted<B> {
    body: B,
    held: Arc<Held>,
    why: Why,
}

impl<B> Counted<B> {
    pub fn new(body: B, budget: &Arc<Budget>) -> (Self, Why) {
        let held = Arc::new(Held { budget: budget.clone(), cost: Mutex::default() });
        let why = Why::default();
        (Self { body, held, why: why.clone() }, why)
    }
}

/// What is held of one body. So much of each is free, and counts for nothing in the budget of all.
struct Held {
    budget: Arc<Budget>,
    cost: Mutex<usize>,
}

impl Held {
    fn take(self: &Arc<Self>, bytes: Bytes) -> Result<Bytes, Full> {
        let cost = bytes.len() + PIECE_COST;
        let mut all = self.cost.lock().unwrap_or_else(PoisonError::into_inner);
        self.budget.take(counted(*all + cost) - counted(*all))?;
        *all += cost;
        drop(all);
        let bytes = if bytes.len() < COPIED_BYTES { Bytes::copy_from_slice(&bytes) } else { bytes };
        Ok(Bytes::from_owner(Piece { bytes, cost, of: self.clone() }))
    }
}

/// How much of what one body costs is counted.
fn counted(cost: usize) -> usize {
    cost.saturating_sub(BODY_BYTES_FREE)
}

/// Bytes that are counted until they are dropped.
struct Piece {
    bytes: Bytes,
    cost: usize,
    of: Arc<Held>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut all = self.of.cost.lock().unwrap_or_else(PoisonError::into_inner);
        self.of.budget.give_back(counted(*all) - counted(*all - self.cost));
        *all -= self.cost;
    }
}

impl<B> Body for Counted<B>
where
    B: Body<Data = Bytes, Error = Box<dyn Error + Send + Sync>> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(error))) => {
                if let Some(slow) = too_slow(&*error) {
                    let _ = self.why.set(Broken::Slow(slow.clone()));
                }
                return Poll::Ready(Some(Err(error)));
            }
            other => return other,
        };
        let Ok(bytes) = frame.into_data() else {
            // what comes behind a body is not asked for
            context.waker().wake_by_ref();
            return Poll::Pending;
        };
        match self.held.take(bytes) {
            Ok(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Err(full) => {
                let told = full.to_string();
                let _ = self.why.set(Broken::Full(full));
                Poll::Ready(Some(Err(told.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many pieces of so many bytes, and no end.
    struct Pieces(usize, usize);

    /// Memory that bodies are read into.
    struct Buffer {
        bytes: Vec<u8>,
        _in_use: Arc<()>,
    }

    impl AsRef<[u8]> for Buffer {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Box<dyn Error + Send + Sync>;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            let Some(left) = self.0.checked_sub(1) else { return Poll::Pending };
            self.0 = left;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![7; self.1])))))
        }
    }

    /// Pieces of a body that are held, up to so many or until there is no room.
    fn held(budget: &Arc<Budget>, pieces: usize, bytes: usize) -> (Vec<Bytes>, bool) {
        let (mut body, why) = Counted::new(Pieces(pieces, bytes), budget);
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut held = Vec::new();
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut context) {
            held.push(frame.into_data().unwrap());
        }
        (held, matches!(why.get(), Some(Broken::Full(_))))
    }

    #[test]
    fn pieces_cost_more_than_their_bytes_until_they_are_dropped() {
        for bytes in [1, 100, 16 * 1024, 100_000] {
            let cost = bytes + PIECE_COST;
            let room = 40 * cost;
            let budget = Budget::of(room);
            let free = BODY_BYTES_FREE / cost;
            // so many cost nothing in the budget
            let (first, is_full) = held(&budget, free, bytes);
            assert!(first.len() == free && !is_full && first.iter().all(|piece| *piece == vec![7; bytes]), "{bytes}");
            assert!(budget.place().grow(room).is_ok(), "{bytes}");
            let (mut second, is_full) = held(&budget, usize::MAX, bytes);
            assert!(is_full && second.len() == (BODY_BYTES_FREE + room) / cost, "{bytes}: {}", second.len());
            // a part of a piece keeps all of it
            let parts: Vec<Bytes> = second.iter_mut().map(|piece| piece.split_to(1)).collect();
            drop(second);
            assert!(held(&budget, free + 2, bytes).1, "{bytes}");
            drop(parts);
            assert!(budget.place().grow(room).is_ok(), "{bytes}");
        }
    }

    #[test]
    fn a_small_piece_does_not_keep_what_it_was_read_into() {
        for (bytes, keeps) in [(1, false), (COPIED_BYTES - 1, false), (COPIED_BYTES, true)] {
            let in_use = Arc::new(());
            let mut buffer = Bytes::from_owner(Buffer { bytes: vec![7; 4 * COPIED_BYTES], _in_use: in_use.clone() });
            let held = Arc::new(Held { budget: Budget::of(0), cost: Mutex::default() });
            let piece = held.take(buffer.split_to(bytes)).unwrap();
            drop(buffer);
            assert_eq!((piece, Arc::strong_count(&in_use) == 2), (vec![7; bytes].into(), keeps), "{bytes}");
        }
    }
}
