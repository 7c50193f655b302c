//! Large files reach the disk while they are still written, so that little is left to wait for at their end.
//!
//! Nothing is promised by it: the sync at the end waits for what is left, and hears of every error. Files are synced here
//! through a handle of their own, because the system tells an error once to each handle: through the writer's, the
//! error would be gone before its sync asked for it.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Bytes behind which a file is synced again.
pub(super) const EVERY_BYTES: u64 = 32 * 1024 * 1024;

/// Files that wait; one more is left to the end.
const WAITING_MAX: usize = 4;

/// Syncs files on a thread of its own, until it is dropped.
#[derive(Debug)]
pub(super) struct Ahead(Option<SyncSender<File>>);

impl Ahead {
    /// Starts the thread; without one, everything is left to the end.
    pub(super) fn start() -> Self {
        let (send, files) = sync_channel::<File>(WAITING_MAX);
        let work = move || {
            for file in files {
                let _ = file.sync_data();
            }
        };
        let started = std::thread::Builder::new().name("millrace-sync".to_owned()).spawn(work);
        Self(started.ok().map(|_| send))
    }

    /// Has what was written of a file so far synced.
    pub(super) fn sync(&self, path: &Path) {
        if let Some(send) = &self.0
            && let Ok(file) = OpenOptions::new().write(true).open(path)
        {
            let _ = send.try_send(file);
        }
    }
}
