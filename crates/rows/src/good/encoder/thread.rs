//! The thread that packs row groups, and the way to it and back.

use std::io::{Error, Result};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use super::Encoder;
use crate::good::group::Group;

/// The thread of one file, which begins when there is more than one group to write. Dropped before it was told to finish,
/// it ends without a footer.
pub(in crate::good) struct Thread {
    /// Until there is a thread: the encoder, and the first group.
    here: Option<(Encoder, Option<Group>)>,
    /// Groups to be written, and none to finish.
    orders: Option<SyncSender<Option<Group>>>,
    spare: Option<Receiver<Group>>,
    handle: Option<JoinHandle<Result<()>>>,
}

/// Groups that wait; as many more are filled and packed at the time.
const WAITING_GROUPS: usize = 1;

impl Thread {
    pub fn new(encoder: Encoder) -> Self {
        Self { here: Some((encoder, None)), orders: None, spare: None, handle: None }
    }

    fn start(&mut self, encoder: Encoder) -> Result<()> {
        let (orders, received) = sync_channel(WAITING_GROUPS);
        let (done, spare) = channel();
        let handle = std::thread::Builder::new().name("good rows".into()).spawn(|| work(encoder, received, done))?;
        (self.orders, self.spare, self.handle) = (Some(orders), Some(spare), Some(handle));
        Ok(())
    }

    /// Gives a group away; answers one whose memory can be used again, if there is any.
    pub fn write(&mut self, group: Group) -> Result<Group> {
        match self.here.take() {
            Some((encoder, None)) => {
                self.here = Some((encoder, Some(group)));
                return Ok(Group::default());
            }
            Some((encoder, first)) => {
                self.start(encoder)?;
                self.order(first)?;
            }
            None => {}
        }
        self.order(Some(group))?;
        Ok(self.spare.as_ref().and_then(|spare| spare.try_recv().ok()).unwrap_or_default())
    }

    /// Waits until everything is written.
    pub fn finish(&mut self) -> Result<()> {
        if let Some((mut encoder, first)) = self.here.take() {
            first.iter().try_for_each(|group| encoder.add(group))?;
            return encoder.finish();
        }
        self.order(None)?;
        self.orders = None;
        self.join()
    }

    fn order(&mut self, order: Option<Group>) -> Result<()> {
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok());
        if sent {
            return Ok(());
        }
        // It went away before its time: it has an error to tell.
        self.orders = None;
        self.join()?;
        Err(Error::other("the writer of good rows has ended"))
    }

    fn join(&mut self) -> Result<()> {
        match self.handle.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.orders = None;
        // Sinks must not be written to once the caller has them back. What went wrong was told, or does not matter.
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

fn work(mut encoder: Encoder, orders: Receiver<Option<Group>>, done: Sender<Group>) -> Result<()> {
    for order in orders {
        match order {
            Some(group) => {
                encoder.add(&group)?;
                // Nobody may want it any more.
                let _ = done.send(group);
            }
            None => return encoder.finish(),
        }
    }
    Ok(())
}
