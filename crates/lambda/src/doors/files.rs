//! Files arrive: the arrival is committed, then the first stage is done at once.

use pipeline::arrive::{Arrived, arrive};
use pipeline::message::Message;
use pipeline::ports::{Commit, Committed, Ledger as _};

use crate::function::{Error, Function};
use crate::tell::Told;

impl Function {
    /// Objects that were written. If one fails, the call comes again, and those that are done are known to be.
    pub(super) fn files(&self, files: Vec<Arrived>, told: &mut Told) -> Result<(), Error> {
        let mut failed = None;
        for arrived in files {
            if let Err(error) = self.arrived(arrived, 1, told) {
                // the last is told as what the call came to
                if let Some(earlier) = failed.replace(error) {
                    told.failed(&earlier);
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// An object that was written; the message that was handled, if a feed takes it.
    pub(super) fn arrived(&self, arrived: Arrived, attempt: u32, told: &mut Told) -> Result<Option<Message>, Error> {
        let Some(arriving) = arrive(&self.pipeline.feeds, arrived) else { return Ok(None) };
        let first = arriving.step.sends.first().cloned();
        let written = arriving.written().map(<[u8]>::to_vec);
        // the first message goes nowhere: it is kept, and whoever is called again handles it again
        let commit = Commit { source: arriving.source, expects: Vec::new(), step: arriving.step };
        let committed = self.ledger()?.commit(commit)?;
        if let Some(message) = &first {
            told.message(message);
            // of a file that arrived before, nobody knows what its receipt says by now
            let receipt = written.as_deref().filter(|_| committed == Committed::Now);
            self.handle_knowing(receipt, message, attempt)?;
        }
        Ok(first)
    }
}
