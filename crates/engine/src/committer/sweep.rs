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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Changes;

    #[test]
    fn a_sweep_comes_when_more_is_gone_than_there_and_gives_the_space_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let (mut put, mut delete) = (Changes::new(), Changes::new());
        for key in 0..1000_u32 {
            put.put(Table::Bodies, key.to_be_bytes(), [0x5a; 1000]);
            delete.delete(Table::Bodies, key.to_be_bytes());
        }
        store.commit(&put).unwrap();
        store.compact(Table::Bodies).unwrap();
        store.commit(&delete).unwrap();
        let bytes = || store.disk_bytes(Table::Bodies).unwrap();
        assert!(bytes() > 1_000_000);

        let mut sweep = Sweep::default();
        sweep.count(SWEEP_MESSAGES_MIN - 1, 0, &store);
        sweep.count(1, SWEEP_MESSAGES_MIN + 1, &store);
        assert!(sweep.thread.is_none(), "more is there than gone");
        sweep.count(1, SWEEP_MESSAGES_MIN + 1, &store);
        assert!(sweep.thread.is_some());
        drop(sweep);
        assert!(bytes() < 10_000, "{}", bytes());
    }
}
