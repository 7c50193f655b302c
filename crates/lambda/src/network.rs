//! The network: what the clients of the cloud run on. It has no thread of its own: whoever waits for an answer keeps it
//! going meanwhile, so an answer wakes the thread that wants it and no other.

use std::io;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

/// The network; clones are the same one.
#[derive(Debug, Clone)]
pub struct Network(Arc<Runtime>);

impl Network {
    /// A network on which nothing is under way.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(Builder::new_current_thread().enable_all().build()?)))
    }

    /// Waits for an answer; from any thread that is not itself a part of what is waited for. Of several that wait at the same
    /// time one keeps the network going for all, and hands that on when it has its answer.
    pub fn wait<T>(&self, asked: impl Future<Output = T>) -> T {
        self.0.block_on(async {
            // what came while nobody waited is seen first: a connection that was closed is not asked
            tokio::task::yield_now().await;
            asked.await
        })
    }
}
