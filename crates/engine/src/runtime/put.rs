//! Files come in: object, receipt, names and the first message in one transaction.

use std::io::Read;

use pipeline::arrive::{Arrived, arrive};
use pipeline::message::Message;
use pipeline::object::{ObjectVersion, ReceiptId};
use pipeline::records::Notice;
use pipeline::step::RecordKey;

use super::{Engine, Error, Result, Shared, now};
use crate::objects::{Change, Stored, Upload};
use crate::pending::Pending;
use crate::queues::{Sent, Transaction};
use crate::session::record_key;

/// A file that is in once [`Placing::wait`] answers: then it survives anything (invariant 2).
#[must_use = "it is safe only when it was waited for"]
#[derive(Debug)]
pub struct Placing {
    placed: Placed,
    answer: Pending<Vec<Sent>>,
}

/// A file that is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its object.
    pub object: ObjectVersion,
    /// Its receipt, if a feed takes it.
    pub receipt: Option<ReceiptId>,
    /// Its length.
    pub bytes: u64,
    /// Its sha256.
    pub sha256: String,
}

impl Placing {
    /// Blocks until the file is safe.
    pub fn wait(self) -> Result<Placed> {
        self.answer.wait()?;
        Ok(self.placed)
    }

    /// The same for async code.
    pub async fn done(self) -> Result<Placed> {
        self.answer.await?;
        Ok(self.placed)
    }
}

impl Engine {
    /// Begins a file: write its bytes, then [`Engine::place`] it.
    pub fn upload(&self, bucket: &str, key: &str) -> Result<Upload> {
        Ok(self.shared.objects.upload(bucket, key)?)
    }

    /// Ends a file. Files are in the order in which this was called, also while earlier ones are on their way.
    pub fn place(&self, upload: Upload, id: Option<String>) -> Result<Placing> {
        self.place_beside(upload, id, Vec::new())
    }

    /// The same, and other objects come or go with it, all or nothing.
    pub fn place_beside(&self, upload: Upload, id: Option<String>, beside: Vec<Change>) -> Result<Placing> {
        let at = now();
        let Stored { object, head, change } = upload.finish(at)?;
        let (bytes, sha256) = (head.bytes, head.digest.clone());
        let arrived = Arrived { object: object.clone(), at: head.at, upload: id, sha256: Some(head.digest) };
        let arriving = arrive(&self.shared.pipeline.feeds, arrived);
        let mut transaction = Transaction { objects: beside, ..Transaction::default() };
        transaction.objects.push(change);
        let receipt = arriving.as_ref().map(|arriving| arriving.receipt.clone());
        if let Some(arriving) = arriving {
            let writes = arriving.step.writes.into_iter();
            transaction.records.extend(writes.map(|write| (record_key(&write.key), write.value)));
            for message in &arriving.step.sends {
                transaction.sends.push(self.shared.routed(message)?);
            }
        }
        let answer = self.shared.queues.transact(transaction, at);
        Ok(Placing { placed: Placed { object, receipt, bytes, sha256 }, answer })
    }

    /// Writes down something that is to be told to whoever wants to hear of it.
    pub fn note(&self, key: &RecordKey, notice: &Notice) -> Pending<Vec<Sent>> {
        self.shared.note(key, notice)
    }

    /// Sends a message of the pipeline's from outside of it; it is safe once this is answered.
    pub fn send(&self, message: &Message) -> Result<Pending<Vec<Sent>>> {
        let sent = self.shared.routed(message)?;
        let transaction = Transaction { sends: vec![sent], ..Transaction::default() };
        Ok(self.shared.queues.transact(transaction, now()))
    }

    /// The same for several messages, all or nothing.
    pub fn send_all(&self, messages: &[Message]) -> Result<Pending<Vec<Sent>>> {
        let sends = messages.iter().map(|message| self.shared.routed(message)).collect::<Result<_>>()?;
        Ok(self.shared.queues.transact(Transaction { sends, ..Transaction::default() }, now()))
    }

    /// Deletes a version for good because its owner says so; false when it is not there. Its receipt stays, and what the
    /// file added; that the file is gone on purpose is written down first.
    pub fn remove(&self, object: &ObjectVersion) -> Result<bool> {
        let record = (removed_key(&ReceiptId::of(object)), Some(now().to_be_bytes().to_vec()));
        let transaction = Transaction { records: vec![record], ..Transaction::default() };
        self.shared.queues.transact(transaction, now()).wait()?;
        Ok(self.shared.objects.delete(object, now())?)
    }

    /// Puts a whole file and waits until it is safe.
    pub fn put(&self, bucket: &str, key: &str, bytes: &mut dyn Read) -> Result<Placed> {
        let mut upload = self.upload(bucket, key)?;
        std::io::copy(bytes, &mut upload).map_err(Error::Input)?;
        self.place(upload, None)?.wait()
    }
}

impl Shared {
    pub(super) fn note(&self, key: &RecordKey, notice: &Notice) -> Pending<Vec<Sent>> {
        let record = (record_key(key), Some(serde_json::to_vec(notice).unwrap_or_default()));
        self.queues.transact(Transaction { records: vec![record], ..Transaction::default() }, now())
    }
}

/// Where it is written down that the file of a receipt was deleted on purpose.
pub(super) fn removed_key(receipt: &ReceiptId) -> Vec<u8> {
    format!("removed/{receipt}").into_bytes()
}
