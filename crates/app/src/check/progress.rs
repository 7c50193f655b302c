//! The progress bar: megabytes read, speed and time left, on a terminal only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar that follows a counter of bytes.
pub(crate) struct Bar {
    bar: ProgressBar,
    over: Arc<AtomicBool>,
}

/// Shorter work shows no bar.
const QUIET: Duration = Duration::from_millis(300);
const STEP: Duration = Duration::from_millis(100);

impl Bar {
    pub(crate) fn new(name: &str, visible: bool) -> Self {
        let bar = if visible { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let template = "{msg} [{bar:30.cyan}] {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("━╸ "));
        bar.set_message(name.to_owned());
        Self { bar, over: Arc::default() }
    }

    /// Watches `counter` on a thread of its own until `finish`.
    pub(crate) fn follow(&self, counter: Arc<AtomicU64>, total: u64) {
        if self.bar.is_hidden() {
            return;
        }
        let (bar, over) = (self.bar.clone(), self.over.clone());
        bar.set_length(total);
        std::thread::spawn(move || {
            std::thread::sleep(QUIET);
            while !over.load(Ordering::Relaxed) {
                bar.set_position(counter.load(Ordering::Relaxed));
                std::thread::sleep(STEP);
            }
        });
    }

    pub(crate) fn finish(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.bar.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.finish();
    }
}
