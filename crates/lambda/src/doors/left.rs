//! Files that a tick has begun anew and not sent: one that failed in between is not repeated for ever, and the next is another.

use pipeline::message::{Feed, Message, Work};
use pipeline::object::ReceiptId;
use pipeline::ports::Ledger as _;
use pipeline::preset::Stage;
use pipeline::records;
use pipeline::step::Kind;

use crate::function::{Error, Function, chain};

/// Records that are looked at at once.
const PAGE: usize = 500;

impl Function {
    /// Sends files of a feed to their first stage that were begun anew and did not get there. One that was sent and waits is
    /// known there when it comes twice.
    pub(super) fn send_left(&self, feed: &Feed) -> Result<(), Error> {
        let (ledger, within) = (self.ledger()?, records::within(&[feed.as_str()]));
        let mut after: Option<String> = None;
        loop {
            let open = ledger.page(Kind::Open, &within, after.as_deref(), PAGE)?;
            let mut left = Vec::new();
            for (_, value) in &open {
                left.extend(self.left(&ReceiptId::named(String::from_utf8_lossy(value)))?);
            }
            ledger.begin_anew_again(&left).map_err(|cause| Error::new("unavailable", chain(cause.as_ref())))?;
            match open.into_iter().last() {
                Some((last, _)) => after = Some(last),
                None => return Ok(()),
            }
        }
    }

    /// The message of a file of which its first stage knows nothing since it was begun anew.
    fn left(&self, id: &ReceiptId) -> Result<Option<Message>, Error> {
        let known = pipeline::find::by_id(self.ledger()?, id)?;
        let waits = known.filter(|known| {
            known.generation() > 0 && known.account().is_none() && known.progress(Stage::Ingest).is_none()
        });
        Ok(waits.map(|known| {
            let (arrival, generation) = (known.arrival(), known.generation());
            Message::MarketIngest(Work { object: arrival.object.clone(), feed: arrival.feed.clone(), generation })
        }))
    }
}
