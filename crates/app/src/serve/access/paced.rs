//! The body of a request as a whole must come in some time: a piece now and then is not enough.
//!
//! Counted is the time for which the service waits for the client, not that which it takes itself. Of that there is twice
//! as much as for one piece, and a second more for every so many bytes that came.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use crate::limits::BODY_BYTES_PER_SECOND_MIN;

/// A body that fails when it comes too slowly.
pub(in crate::serve) struct Paced<B> {
    body: B,
    bytes: u64,
    grace: Duration,
    waited: Duration,
    /// Since when it waits, and until when it does at most.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<B> Paced<B> {
    /// `grace` is what a body may be waited for that brings nothing.
    pub fn new(body: B, grace: Duration) -> Self {
        Self { body, bytes: 0, grace, waited: Duration::ZERO, waiting: None }
    }

    /// For how long it may still be waited for.
    fn patience(&self) -> Duration {
        let earned = Duration::from_millis(self.bytes.saturating_mul(1000) / BODY_BYTES_PER_SECOND_MIN);
        self.grace.saturating_add(earned).saturating_sub(self.waited)
    }
}

/// A body came too slowly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::serve) struct TooSlow {
    bytes: u64,
    waited: Duration,
}

impl fmt::Display for TooSlow {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, seconds) = (self.bytes, self.waited.as_secs());
        write!(
            to,
            "{bytes} bytes of the body came in {seconds} seconds, less than {BODY_BYTES_PER_SECOND_MIN} a second"
        )
    }
}

impl Error for TooSlow {}

/// That a body came too slowly, if an error comes from that.
pub(in crate::serve) fn too_slow<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e TooSlow> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<TooSlow>() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

impl<B> Body for Paced<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            if let Some((since, _)) = this.waiting.take() {
                this.waited += since.elapsed();
            }
            let came = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            this.bytes += came.map_or(0, |bytes| bytes.len() as u64);
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let patience = this.patience();
        let (since, until) =
            this.waiting.get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(patience))));
        if until.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        let waited = this.waited + since.elapsed();
        Poll::Ready(Some(Err(Box::new(TooSlow { bytes: this.bytes, waited }))))
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
    use futures_util::StreamExt;

    use super::*;

    /// What a body comes to that brings a piece of so many bytes every so often, so many times, for
    /// one who rests between pieces. All times are milliseconds.
    fn read(grace: u64, bytes: usize, every: u64, times: usize, rest: u64) -> Result<usize, TooSlow> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let pieces = futures_util::stream::unfold(0, move |number| async move {
                tokio::time::sleep(Duration::from_millis(every)).await;
                (number < times).then(|| (Ok::<_, std::io::Error>(Bytes::from(vec![7; bytes])), number + 1))
            });
            let body = axum::body::Body::from_stream(pieces);
            let body = axum::body::Body::new(Paced::new(body, Duration::from_millis(grace)));
            let (mut pieces, mut came) = (body.into_data_stream(), 0);
            while let Some(piece) = pieces.next().await {
                came += piece.map_err(|error| too_slow(&error).expect("it is what it fails with").clone())?.len();
                tokio::time::sleep(Duration::from_millis(rest)).await;
            }
            Ok(came)
        })
    }

    #[test]
    fn a_body_that_drips_is_given_up_and_one_that_flows_is_not() {
        let slow = read(300, 1, 50, 100, 0).unwrap_err();
        assert!((2..=6).contains(&slow.bytes) && slow.waited >= Duration::from_millis(300), "{slow:?}");
        assert!(slow.to_string().ends_with("of the body came in 0 seconds, less than 1024 a second"), "{slow}");
        // at half of it, after twice the time for which one is waited for that brings nothing
        let half = read(200, 51, 100, 100, 0).unwrap_err();
        let earned = Duration::from_millis(half.bytes * 1000 / BODY_BYTES_PER_SECOND_MIN);
        assert!(half.waited >= Duration::from_millis(200) + earned && half.bytes >= 51, "{half:?}");
        // at twice the least rate it may go on, past what one piece is waited for
        assert_eq!(read(300, 100, 50, 20, 0), Ok(2000));
        // that nobody wanted more of it for a while is not held against it
        assert_eq!(read(300, 1, 1, 6, 100), Ok(6));
    }
}
