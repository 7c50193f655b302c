//! Sessions pass the suites of both ports: an immediate one as it is, and a batch that is flushed before anybody looks
//! from outside.

use std::path::Path;

use engine::objects::Objects;
use engine::pipeline::message::Message;
use engine::pipeline::ports::{Ledger, Objects as ObjectsPort};
use engine::session::Session;
use testkit::contract::{self, LedgerHome, ObjectsHome};

use crate::T;

/// A data folder with a session on it.
struct Home {
    folder: tempfile::TempDir,
    is_batch: bool,
    open: Option<(Objects, Session)>,
}

impl Home {
    fn new(is_batch: bool) -> Self {
        let mut home = Self { folder: tempfile::tempdir().unwrap(), is_batch, open: None };
        home.reopen();
        home
    }

    fn reopen(&mut self) {
        self.flush();
        self.open = None;
        let objects = open(self.folder.path());
        let session = self.begin(&objects);
        self.open = Some((objects, session));
    }

    fn begin(&self, objects: &Objects) -> Session {
        let begin = if self.is_batch { Session::batch } else { Session::immediate };
        begin(objects, super::route(objects), T)
    }

    fn flush(&mut self) {
        if let Some((objects, session)) = self.open.take() {
            session.flush(Vec::new(), T).unwrap();
            let session = self.begin(&objects);
            self.open = Some((objects, session));
        }
    }

    fn session(&self) -> &Session {
        &self.open.as_ref().unwrap().1
    }
}

fn open(folder: &Path) -> Objects {
    crate::objects::open(folder).unwrap().0
}

impl LedgerHome for Home {
    fn ledger(&self) -> &dyn Ledger {
        self.session()
    }

    fn receive(&mut self) -> Vec<Message> {
        self.flush();
        let queues = self.open.as_ref().unwrap().0.queues();
        let q = queues.queue("q").unwrap();
        let mut messages = Vec::new();
        loop {
            let received = queues.receive(q, 10, None, T).wait().unwrap();
            if received.is_empty() {
                return messages;
            }
            let bodies = received.iter().map(|received| std::str::from_utf8(&received.body).unwrap());
            messages.extend(bodies.map(|body| Message::from_json(body).unwrap()));
            queues.acknowledge(received.iter().map(|received| received.lease).collect(), T).wait().unwrap();
        }
    }

    fn restart(&mut self) {
        self.reopen();
    }
}

impl ObjectsHome for Home {
    fn objects(&self) -> &dyn ObjectsPort {
        self.session()
    }

    fn restart(&mut self) {
        self.reopen();
    }
}

#[test]
fn an_immediate_session_is_a_ledger() {
    contract::ledger(&|| Box::new(Home::new(false)));
}

#[test]
fn an_immediate_session_keeps_objects() {
    contract::objects(&|| Box::new(Home::new(false)));
}

#[test]
fn a_batch_is_a_ledger_to_itself() {
    contract::ledger(&|| Box::new(Home::new(true)));
}

#[test]
fn a_batch_keeps_objects() {
    contract::objects(&|| Box::new(Home::new(true)));
}
