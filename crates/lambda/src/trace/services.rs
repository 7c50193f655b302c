//! The seams to the services, with each call to one timed.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use pipeline::message::Message;
use pipeline::ports::Cause;

use super::{Came, Tracer};
use crate::announce::{Announcer, Event};
use crate::bucket::{Buckets, Piece};
use crate::queue::Queue;
use crate::table::{Action, Error, Item, Name, Place, Table};

/// The name of a service, and of what is asked of it.
pub(crate) type Asked = (&'static str, &'static str);

/// The topic or the event bus, whichever it is.
#[derive(Debug)]
struct Announcing {
    inner: Arc<dyn Announcer>,
    asked: Asked,
    tracer: Tracer,
}

/// A service whose calls are timed.
#[derive(Debug)]
struct Timed<T> {
    inner: T,
    tracer: Tracer,
}

impl Tracer {
    /// Tables with each call timed.
    pub(crate) fn table(&self, inner: Box<dyn Table>) -> Box<dyn Table> {
        if self.is_on() { Box::new(Timed { inner, tracer: self.clone() }) } else { inner }
    }

    /// The same with buckets.
    pub(crate) fn buckets(&self, inner: Arc<dyn Buckets>) -> Arc<dyn Buckets> {
        if self.is_on() { Arc::new(Timed { inner, tracer: self.clone() }) } else { inner }
    }

    /// The same with a queue.
    pub(crate) fn queue(&self, inner: Arc<dyn Queue>) -> Arc<dyn Queue> {
        if self.is_on() { Arc::new(Timed { inner, tracer: self.clone() }) } else { inner }
    }

    /// The same with the topic or the event bus.
    pub(crate) fn announcer(&self, inner: Arc<dyn Announcer>, asked: Asked) -> Arc<dyn Announcer> {
        if self.is_on() { Arc::new(Announcing { inner, asked, tracer: self.clone() }) } else { inner }
    }
}

fn cause<T>(answer: &Result<T, Cause>) -> Came {
    answer.as_ref().err().map(ToString::to_string)
}

impl<T> Timed<T> {
    fn ask<A>(&self, service: &str, operation: &str, ask: impl FnOnce(&T) -> Result<A, Cause>) -> Result<A, Cause> {
        self.tracer.service(service, operation, || ask(&self.inner), cause)
    }
}

impl Table for Timed<Box<dyn Table>> {
    fn get(&self, place: &Place) -> Result<Option<Item>, Cause> {
        self.ask("DynamoDB", "GetItem", |table| table.get(place))
    }

    fn query(
        &self,
        group: &str,
        within: &str,
        after: Option<&str>,
        items_max: usize,
    ) -> Result<(Vec<Item>, Option<String>), Cause> {
        self.ask("DynamoDB", "Query", |table| table.query(group, within, after, items_max))
    }

    fn query_rows(
        &self,
        symbol: &str,
        from: i128,
        to: i128,
        items_max: usize,
    ) -> Result<(Vec<Item>, Option<i128>), Cause> {
        self.ask("DynamoDB", "Query", |table| table.query_rows(symbol, from, to, items_max))
    }

    fn batch(&self, name: Name, items: Vec<Item>) -> Result<Vec<Item>, Cause> {
        // one of very many: who writes rows has them told as one
        self.inner.batch(name, items)
    }

    fn transact(&self, actions: Vec<Action>) -> Result<(), Error> {
        // what is refused is an answer, and the ledger's to understand
        let came = |answer: &Result<(), Error>| match answer {
            Err(Error::Unavailable(cause)) => Some(cause.to_string()),
            _ => None,
        };
        self.tracer.service("DynamoDB", "TransactWriteItems", || self.inner.transact(actions), came)
    }
}

impl Queue for Timed<Arc<dyn Queue>> {
    fn send(&self, messages: &[(Message, String)]) -> Result<(), Cause> {
        self.ask("SQS", "SendMessage", |queue| queue.send(messages))
    }
}

impl Announcer for Announcing {
    fn announce(&self, events: &[Event], until: Instant) -> Result<(), Cause> {
        let (service, operation) = self.asked;
        self.tracer.service(service, operation, || self.inner.announce(events, until), cause)
    }
}

impl Buckets for Timed<Arc<dyn Buckets>> {
    fn get(&self, bucket: &str, key: &str, version: Option<&str>, range: Range<u64>) -> Result<Option<Piece>, Cause> {
        self.ask("S3", "GetObject", |buckets| buckets.get(bucket, key, version, range))
    }

    fn put(&self, bucket: &str, key: &str, bytes: Vec<u8>, note: Option<&str>) -> Result<String, Cause> {
        self.ask("S3", "PutObject", |buckets| buckets.put(bucket, key, bytes, note))
    }

    fn begin(&self, bucket: &str, key: &str) -> Result<String, Cause> {
        self.ask("S3", "CreateMultipartUpload", |buckets| buckets.begin(bucket, key))
    }

    fn part(&self, bucket: &str, key: &str, upload: &str, number: usize, bytes: Vec<u8>) -> Result<String, Cause> {
        self.ask("S3", "UploadPart", |buckets| buckets.part(bucket, key, upload, number, bytes))
    }

    fn complete(&self, bucket: &str, key: &str, upload: &str, parts: &[String]) -> Result<String, Cause> {
        self.ask("S3", "CompleteMultipartUpload", |buckets| buckets.complete(bucket, key, upload, parts))
    }

    fn abort(&self, bucket: &str, key: &str, upload: &str) -> Result<(), Cause> {
        self.ask("S3", "AbortMultipartUpload", |buckets| buckets.abort(bucket, key, upload))
    }

    fn place(&self, bucket: &str, key: &str, seconds: u64) -> Result<String, Cause> {
        // signed here: nobody is asked
        self.inner.place(bucket, key, seconds)
    }
}
