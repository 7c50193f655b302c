//! What one sees while a stack changes: one line that is kept up to date on a terminal, a line for each event elsewhere.

use std::cell::{Cell, RefCell};
use std::io::{IsTerminal, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

use super::stack::Event;

const RED: Style = AnsiColor::Red.on_default();
const STEP: Duration = Duration::from_millis(120);

/// The view of one stack.
pub(super) struct View {
    name: String,
    bar: Option<ProgressBar>,
    done: Cell<u64>,
    busy: RefCell<Vec<String>>,
}

impl View {
    /// A view of work on about so many resources.
    pub(super) fn new(name: &str, resources: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(resources as u64);
            let style =
                ProgressStyle::with_template("{spinner} {prefix} [{bar:20.cyan}] {pos}/{len} {elapsed}  {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ "));
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(STEP);
            bar
        });
        Self { name: name.to_owned(), bar, done: Cell::new(0), busy: RefCell::default() }
    }

    /// Tells one event.
    pub(super) fn event(&self, event: &Event) {
        let reason = event.reason.as_deref().filter(|reason| !reason.is_empty());
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let Event { resource, kind, status, .. } = event;
        let Some(bar) = &self.bar else {
            // who cannot be told does not stop the work
            let _ = writeln!(anstream::stderr(), "{}: {status} {resource} ({kind}){reason}", self.name);
            return;
        };
        let mut busy = self.busy.borrow_mut();
        busy.retain(|name| name != resource);
        if event.is_failure() {
            bar.println(format!("{RED}{status}{RED:#} {resource} ({kind}){reason}"));
        } else if status.ends_with("_IN_PROGRESS") {
            busy.push(resource.clone());
        } else {
            self.done.set(self.done.get() + 1);
            bar.set_position(self.done.get());
        }
        bar.set_message(busy.join(" "));
    }

    /// How far counted work has come.
    pub(super) fn count(&self, what: &str, done: usize) {
        match &self.bar {
            Some(bar) => bar.set_message(format!("{what} {done}")),
            None => {
                let _ = writeln!(anstream::stderr(), "{}: {what} {done}", self.name);
            }
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
