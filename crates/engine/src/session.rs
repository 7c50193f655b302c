//! Both ports of the domain over queues and objects.
//!
//! A session of a batch stages what the steps of its messages decide; later steps see it, and [`Session::flush`] commits
//! all of it in one transaction, together with the acknowledgements. A message with very many steps has the first of them
//! committed before its last: each is known by its source, so a message that comes again goes on behind them. An
//! immediate session commits each step by itself.

mod error;
mod key;
mod sources;
mod staged;

use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pipeline::message::Message;
use pipeline::object::ObjectVersion;
use pipeline::ports::{
    Cause, Commit, Committed, Error, Ledger, Loaded, Objects as ObjectsPort, Opened, Revision, Writing,
};
use pipeline::step::{Kind, RecordKey};

use crate::objects::{self, Derived, Objects, Ready};
use crate::queues::{self, Lease, Millis, Queue, Queues};
pub use error::FlushError;
pub use key::record_key;
pub use sources::forget_sources;
use staged::Staged;

/// Which queue a message goes to, and what is sent. It must answer the same for the same message.
pub type Route = Arc<dyn Fn(&Message) -> Result<(Queue, queues::Message), Cause> + Send + Sync>;

/// Both ports for one batch of messages, or for one call. Reads no clock: it has one time.
pub struct Session {
    objects: Objects,
    route: Route,
    now: Millis,
    /// Nothing when each commit is by itself.
    staged: Option<Arc<Mutex<Staged>>>,
    /// Whether its first steps could not be committed, because others changed what they were decided by.
    is_overtaken: AtomicBool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("staged", &self.staged).field("now", &self.now).finish_non_exhaustive()
    }
}

impl Session {
    /// A session that stages: nothing of it is durable before [`Session::flush`], except large objects.
    pub fn batch(objects: &Objects, route: Route, now: Millis) -> Self {
        Self {
            objects: objects.clone(),
            route,
            now,
            staged: Some(Arc::default()),
            is_overtaken: AtomicBool::new(false),
        }
    }

    /// A session that commits each step and each object when it is told.
    pub fn immediate(objects: &Objects, route: Route, now: Millis) -> Self {
        Self { objects: objects.clone(), route, now, staged: None, is_overtaken: AtomicBool::new(false) }
    }

    /// Whether it has staged so much that it should be flushed before the next message is handled.
    pub fn wants_flush(&self) -> bool {
        self.staged.as_ref().is_some_and(|staged| lock(staged).wants_flush())
    }

    /// Whether the first steps of a message could not be committed for no fault of its own. What was staged is gone: handle
    /// it again in an immediate session, where it decides anew step by step.
    pub fn is_overtaken(&self) -> bool {
        self.is_overtaken.load(Ordering::Relaxed)
    }

    /// Commits everything that is staged, and acknowledges the messages, in one transaction. Blocks until it is durable.
    pub fn flush(self, acknowledges: Vec<Lease>, now: Millis) -> Result<(), FlushError> {
        let staged = self.staged.as_ref().map(|staged| std::mem::take(&mut *lock(staged))).unwrap_or_default();
        let transaction = staged.into_transaction(acknowledges);
        self.queues().transact(transaction, now).wait().map_err(FlushError::from_queues)?;
        Ok(())
    }

    /// Commits what is staged, without an acknowledgement. If that fails, the session is of no use any more: its message
    /// and those before it come again.
    fn make_room(&self, staged: Staged) -> Result<(), Error> {
        let done = self.queues().transact(staged.into_transaction(Vec::new()), self.now).wait();
        if matches!(done, Err(queues::Error::Changed { .. })) {
            self.is_overtaken.store(true, Ordering::Relaxed);
        }
        done.map(drop).map_err(|error| unavailable("commit the first steps of a message", error))
    }

    fn queues(&self) -> &Queues {
        self.objects.queues()
    }

    /// Carries `read` out on what is staged.
    fn with_staged<T>(&self, read: impl FnOnce(&Staged) -> T) -> T {
        match &self.staged {
            Some(staged) => read(&lock(staged)),
            None => read(&Staged::default()),
        }
    }
}

impl Ledger for Session {
    fn load(&self, key: &RecordKey) -> Result<Loaded, Error> {
        let value = self.with_staged(|staged| staged.load(self.queues(), &record_key(key)));
        let value = value.map_err(|error| unavailable(format!("load record {:?} {}", key.kind, key.id), error))?;
        Ok(Loaded { revision: Revision::of(value.as_deref()), value })
    }

    fn page(
        &self,
        kind: Kind,
        within: &str,
        after: Option<&str>,
        records_max: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let prefix = key::with(key::letter(kind), within);
        let after = after.map(|after| key::with(key::letter(kind), after));
        let page = self.with_staged(|staged| staged.page(self.queues(), &prefix, after.as_deref(), records_max));
        let page = page.map_err(|error| unavailable(format!("list records {kind:?} {within}"), error))?;
        let named = |(key, value): (Vec<u8>, Vec<u8>)| key::decode(&key).map(|key| (key.id, value));
        Ok(page.into_iter().filter_map(named).collect())
    }

    fn commit(&self, commit: Commit) -> Result<Committed, Error> {
        if let Some(staged) = &self.staged {
            let mut staged = lock(staged);
            if staged.wants_flush() {
                self.make_room(std::mem::take(&mut staged))?;
            }
            return staged.commit(self.queues(), &self.route, &commit, self.now);
        }
        let mut staged = Staged::default();
        if staged.commit(self.queues(), &self.route, &commit, self.now)? == Committed::Before {
            return Ok(Committed::Before);
        }
        let transaction = staged.into_transaction(Vec::new());
        match self.queues().transact(transaction, self.now).wait() {
            Ok(_) => Ok(Committed::Now),
            Err(queues::Error::Changed { key }) => match key::decode(&key) {
                Some(key) => Err(Error::Changed(key)),
                // the source, which somebody else committed at the same time
                None => Ok(Committed::Before),
            },
            Err(error) => Err(unavailable("commit a step", error)),
        }
    }
}

impl ObjectsPort for Session {
    fn open(&self, object: &ObjectVersion) -> Result<Opened, Error> {
        let small = self.with_staged(|staged| staged.object(object).cloned());
        let open = match small {
            Some(small) => self.objects.read_staged(object, small.head, &small.bytes),
            None => self.objects.read(object),
        };
        let open =
            open.map_err(|error| from_objects(format!("read object {}/{}", object.bucket, object.key), error))?;
        let (bytes, sha256) = (open.head.bytes, open.head.sha256().map(str::to_owned));
        Ok(Opened { input: open.into_input(), bytes, sha256 })
    }

    fn create(&self, bucket: &str, key: &str) -> Result<Box<dyn Writing>, Error> {
        let tried = format!("write object {bucket}/{key}");
        let derived = self.objects.create(bucket, key).map_err(|error| from_objects(tried.clone(), error))?;
        Ok(Box::new(Staging { derived, staged: self.staged.clone(), now: self.now, tried }))
    }
}

/// An object on its way into a session.
struct Staging {
    derived: Derived,
    staged: Option<Arc<Mutex<Staged>>>,
    now: Millis,
    tried: String,
}

impl Write for Staging {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.derived.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.derived.flush()
    }
}

impl Writing for Staging {
    fn finish(self: Box<Self>) -> Result<ObjectVersion, Error> {
        let Self { derived, staged, now, tried } = *self;
        let failed = |error| from_objects(tried.clone(), error);
        let Some(staged) = staged else { return derived.finish(now).map_err(failed) };
        let objects = derived.objects().clone();
        match derived.ready(now).map_err(failed)? {
            Ready::There(object) => Ok(object),
            // its file is synced anyway, and a batch of many would be a large transaction
            Ready::Large(stored) => objects.commit_stored(stored, now).map_err(failed),
            Ready::Small(stored, bytes) => lock(&staged).put(stored, bytes),
        }
    }
}

fn from_objects(what: String, error: objects::Error) -> Error {
    match error {
        objects::Error::NotFound(object) => Error::NotFound(object),
        error => unavailable(what, error),
    }
}

fn unavailable(what: impl Into<String>, cause: impl Into<Cause>) -> Error {
    Error::Unavailable { what: what.into(), cause: cause.into() }
}

fn lock(staged: &Mutex<Staged>) -> MutexGuard<'_, Staged> {
    staged.lock().unwrap_or_else(PoisonError::into_inner)
}
