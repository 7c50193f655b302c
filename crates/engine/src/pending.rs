//! An answer that is to come: a thread can wait for it, and async code can await it on any runtime.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crate::queues::{Error, Result};

/// The answer to a call. The call happens whether anyone waits for the answer or not.
#[must_use = "the answer says whether the call was carried out"]
#[derive(Debug)]
pub struct Pending<T> {
    slot: Arc<Mutex<Slot<T>>>,
}

/// The other end: whoever carries out the call.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    /// Gone when the answer was given.
    slot: Option<Arc<Mutex<Slot<T>>>>,
}

#[derive(Debug)]
struct Slot<T> {
    answer: Option<Result<T>>,
    waker: Option<Waker>,
}

/// Both ends of an answer.
pub(crate) fn pending<T>() -> (Reply<T>, Pending<T>) {
    let slot = Arc::new(Mutex::new(Slot { answer: None, waker: None }));
    (Reply { slot: Some(slot.clone()) }, Pending { slot })
}

impl<T> Pending<T> {
    /// An answer that is there already.
    pub(crate) fn ready(answer: Result<T>) -> Self {
        Self { slot: Arc::new(Mutex::new(Slot { answer: Some(answer), waker: None })) }
    }

    /// Blocks this thread until the answer is there, or for so long; nothing if it did not come, and it may be waited for
    /// again.
    pub fn wait_for(&mut self, patience: Duration) -> Option<Result<T>> {
        block_on_for(self, patience)
    }

    /// Blocks this thread until the answer is there.
    pub fn wait(self) -> Result<T> {
        block_on(self)
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = lock(&self.slot);
        match slot.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                slot.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<T> Reply<T> {
    /// Gives the answer. Whoever waits is woken from this thread.
    pub(crate) fn send(mut self, answer: Result<T>) {
        self.fill(answer);
    }

    /// Whether nobody waits any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.slot.as_ref().is_none_or(|slot| Arc::strong_count(slot) == 1)
    }

    fn fill(&mut self, answer: Result<T>) {
        let Some(slot) = self.slot.take() else { return };
        let mut slot = lock(&slot);
        slot.answer = Some(answer);
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Reply<T> {
    /// Nobody waits for ever: a call that is dropped was not carried out.
    fn drop(&mut self) {
        self.fill(Err(Error::Closed));
    }
}

/// Blocks this thread until a future is done.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::park();
    }
}

/// The same for so long at most.
fn block_on_for<F: Future>(future: F, patience: Duration) -> Option<F::Output> {
    let until = Instant::now() + patience;
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        std::thread::park_timeout(left);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn lock<T>(slot: &Mutex<Slot<T>>) -> MutexGuard<'_, Slot<T>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_waited_for_from_another_thread() {
        let (reply, pending) = pending();
        let waiting = std::thread::spawn(move || pending.wait());
        reply.send(Ok(7));
        assert_eq!(waiting.join().unwrap().unwrap(), 7);
    }

    #[test]
    fn patience_ends() {
        let (reply, mut one) = pending::<u8>();
        assert!(one.wait_for(Duration::from_millis(5)).is_none());
        reply.send(Ok(7));
        assert_eq!(one.wait_for(Duration::from_millis(5)).unwrap().unwrap(), 7, "it may be waited for again");
        let (reply, mut given_up) = pending::<u8>();
        assert!(given_up.wait_for(Duration::from_millis(5)).is_none() && !reply.is_abandoned());
        drop(given_up);
        assert!(reply.is_abandoned());
    }

    #[test]
    fn a_call_that_was_dropped_is_answered() {
        let (reply, pending) = pending::<()>();
        drop(reply);
        assert!(matches!(pending.wait(), Err(Error::Closed)));
    }
}
