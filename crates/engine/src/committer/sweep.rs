//! Gives disk space back when enough messages are gone, on a thread of its own.

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::limits::SWEEP_MESSAGES_MIN;
use crate::store::{Store, Table};

/// The tables in which messages leave something behind.
const SWEPT: [Table; 4] = [Table::Index, Table::Bodies, Table::Notes, Table::Deduplication];

/// Counts what is gone, and sweeps when that is worth it.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    gone: usize,
    thread: Option<JoinHandle<()>>,
}

impl Sweep {
    /// So many messages went with a commit, and so many are there. A sweep costs as much as there is to keep, so it
    /// comes when more is gone than that.
    pub(super) fn count(&mut self, gone: usize, there: usize, store: &Arc<Store>) {
        self.gone = self.gone.saturating_add(gone);
        let is_running = self.thread.as_ref().is_some_and(|thread| !thread.is_finished());
        if self.gone < SWEEP_MESSAGES_MIN.max(there) || is_running {
            return;
        }
        self.gone = 0;
        let store = store.clone();
        let sweep = move || {
            for table in SWEPT {
                // Nothing is lost when it fails: if the disk is at fault, the next commit tells.
                let _ = store.compact(table);
            }
        };
        // Without a thread there is no sweep this time.
        self.thread = std::thread::Builder::new().name("millrace-sweep".to_owned()).spawn(sweep).ok();
    }
}

impl Drop for Sweep {
    /// The folder is only free for others when nobody works on it.
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic in the thread was told by the thread.
            let _ = thread.join();
        }
    }
}
