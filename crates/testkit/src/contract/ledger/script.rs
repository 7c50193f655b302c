//! Commits in few words.

use pipeline::message::{Feed, Message, MessageId, Work};
use pipeline::object::ObjectVersion;
use pipeline::ports::{Commit, Committed, Error, Ledger, Loaded, Revision};
use pipeline::step::{Kind, RecordKey, Step, Write};

pub(super) fn key(kind: Kind, id: &str) -> RecordKey {
    RecordKey { kind, id: id.to_owned() }
}

/// A message of this name in this group; names tell messages apart.
pub(super) fn message(feed: &str, name: &str) -> Message {
    let object = ObjectVersion { bucket: "contract".into(), key: name.into(), version: "1".into() };
    let feed = Feed::try_from(feed.to_owned()).expect("the suite names feeds well");
    Message::FilesProcess(Work { object, feed, generation: 0 })
}

/// The name of a message, as given to [`message`].
pub(super) fn name(message: &Message) -> &str {
    match message {
        Message::FilesProcess(work) => &work.object.key,
        other => panic!("the suite sends no {other:?}"),
    }
}

pub(super) fn source(name: &str) -> MessageId {
    message("sources", &format!("source {name}")).id()
}

/// A commit in the making.
#[derive(Clone)]
pub(super) struct Script(Commit);

impl Script {
    pub(super) fn of(name: &str) -> Self {
        Self(Commit { source: source(name), expects: Vec::new(), step: Step::default() })
    }

    pub(super) fn expects(mut self, kind: Kind, id: &str, revision: Revision) -> Self {
        self.0.expects.push((key(kind, id), revision));
        self
    }

    pub(super) fn writes(mut self, kind: Kind, id: &str, value: &[u8]) -> Self {
        self.0.step.writes.push(Write { key: key(kind, id), value: Some(value.to_vec()) });
        self
    }

    pub(super) fn removes(mut self, kind: Kind, id: &str) -> Self {
        self.0.step.writes.push(Write { key: key(kind, id), value: None });
        self
    }

    pub(super) fn sends(mut self, feed: &str, name: &str) -> Self {
        self.0.step.sends.push(message(feed, name));
        self
    }

    pub(super) fn commit(self, ledger: &dyn Ledger) -> Result<Committed, Error> {
        ledger.commit(self.0)
    }

    /// Commits what must happen now.
    #[track_caller]
    pub(super) fn happens(self, ledger: &dyn Ledger) {
        let source = self.0.source.clone();
        match self.commit(ledger) {
            Ok(Committed::Now) => {}
            Ok(Committed::Before) => panic!("{} did not commit before", source.as_str()),
            Err(error) => panic!("{} is not committed: {error}", source.as_str()),
        }
    }

    /// Commits what happened before.
    #[track_caller]
    pub(super) fn happened(self, ledger: &dyn Ledger) {
        let source = self.0.source.clone();
        match self.commit(ledger) {
            Ok(Committed::Before) => {}
            Ok(Committed::Now) => panic!("{} commits a second time", source.as_str()),
            Err(error) => panic!("a second commit from {} succeeds, but: {error}", source.as_str()),
        }
    }

    /// Commits what is refused because of this record.
    #[track_caller]
    pub(super) fn fails_for(self, ledger: &dyn Ledger, kind: Kind, id: &str) {
        match self.commit(ledger) {
            Err(Error::Changed(named)) => assert_eq!(named, key(kind, id), "the first condition is named"),
            Err(error) => panic!("a condition that does not hold is no outage: {error}"),
            Ok(done) => panic!("a condition does not hold, but the commit is answered with {done:?}"),
        }
    }
}

#[track_caller]
pub(super) fn load(ledger: &dyn Ledger, kind: Kind, id: &str) -> Loaded {
    ledger.load(&key(kind, id)).unwrap_or_else(|error| panic!("{kind:?} {id:?} is not loaded: {error}"))
}

#[track_caller]
pub(super) fn revision(ledger: &dyn Ledger, kind: Kind, id: &str) -> Revision {
    load(ledger, kind, id).revision
}

/// Looks at content and revision of a record.
#[track_caller]
pub(super) fn expect(ledger: &dyn Ledger, kind: Kind, id: &str, value: Option<&[u8]>) {
    let loaded = load(ledger, kind, id);
    let lengths = (loaded.value.as_ref().map(Vec::len), value.map(<[u8]>::len));
    assert!(loaded.value.as_deref() == value, "{kind:?} {id:?} has another content; lengths: {lengths:?}");
    assert_eq!(loaded.revision, Revision::of(value), "the revision of {kind:?} {id:?} follows from its content");
}

#[track_caller]
pub(super) fn page(ledger: &dyn Ledger, kind: Kind, within: &str, after: Option<&str>, max: usize) -> Vec<String> {
    let page = ledger.page(kind, within, after, max);
    let page = page.unwrap_or_else(|error| panic!("{kind:?} within {within:?} is not listed: {error}"));
    assert!(page.len() <= max, "a page has at most what was asked for: {} of {max}", page.len());
    for (id, value) in &page {
        expect(ledger, kind, id, Some(value));
    }
    page.into_iter().map(|(id, _)| id).collect()
}

/// All ids within, page by page; one that has fewer than were asked for is the last.
#[track_caller]
pub(super) fn pages(ledger: &dyn Ledger, kind: Kind, within: &str, max: usize) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    loop {
        let next = page(ledger, kind, within, ids.last().map(String::as_str), max);
        let (count, last) = (next.len(), ids.last().map_or("", String::as_str));
        let goes_on = next.first().is_none_or(|first| ids.is_empty() || first.as_str() > last);
        assert!(goes_on, "a page is behind the id {last:?}, not at {:?}", next[0]);
        ids.extend(next);
        if count < max {
            return ids;
        }
    }
}
