//! Runs futures: a blocked thread for each, or all of them on two threads as an async runtime would.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{JoinHandle, Thread};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Waits for a future on a thread of its own.
pub(crate) fn on_a_thread(mut work: Work) -> JoinHandle<()> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    std::thread::spawn(move || {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        while work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            std::thread::park();
        }
    })
}

struct Task {
    work: Mutex<Option<Work>>,
    ready: Sender<Arc<Task>>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let ready = self.ready.clone();
        // Nobody listens any more when all work is done.
        let _ = ready.send(self);
    }
}

/// Runs all futures on two threads, each with its share.
pub(crate) fn on_two_threads(work: Vec<Work>) -> Vec<JoinHandle<()>> {
    let mut shares: [Vec<Work>; 2] = [Vec::new(), Vec::new()];
    for (number, work) in work.into_iter().enumerate() {
        shares[number % 2].push(work);
    }
    shares.map(|share| std::thread::spawn(move || run(share))).into_iter().collect()
}

fn run(share: Vec<Work>) {
    let (ready, next): (Sender<Arc<Task>>, Receiver<Arc<Task>>) = channel();
    let mut left = share.len();
    for work in share {
        Arc::new(Task { work: Mutex::new(Some(work)), ready: ready.clone() }).wake();
    }
    while left > 0 {
        let Ok(task) = next.recv() else { return };
        let waker = Waker::from(task.clone());
        let mut work = task.work.lock().expect("work does not panic");
        let Some(mut polled) = work.take() else { continue };
        match polled.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(()) => left -= 1,
            Poll::Pending => *work = Some(polled),
        }
    }
}
