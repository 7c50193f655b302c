//! The fakes in homes of their own.

use pipeline::message::Message;
use pipeline::ports::{Ledger, Objects};
use testkit::contract::{self, LedgerHome, ObjectsHome};
use testkit::{Faults, MemoryLedger, MemoryObjects};

/// Both fakes and the process they share.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) faults: Faults,
    pub(crate) objects: MemoryObjects,
    pub(crate) ledger: MemoryLedger,
}

impl Memory {
    pub(crate) fn new() -> Self {
        let faults = Faults::default();
        Self { objects: MemoryObjects::new(&faults), ledger: MemoryLedger::new(&faults), faults }
    }
}

impl ObjectsHome for Memory {
    fn objects(&self) -> &dyn Objects {
        &self.objects
    }

    fn restart(&mut self) {
        self.faults.restart();
    }
}

impl LedgerHome for Memory {
    fn ledger(&self) -> &dyn Ledger {
        &self.ledger
    }

    fn receive(&mut self) -> Vec<Message> {
        self.ledger.take_outbox()
    }

    fn restart(&mut self) {
        self.faults.restart();
    }
}

#[test]
fn objects_in_memory_pass() {
    contract::objects(&|| Box::new(Memory::new()));
}

#[test]
fn a_ledger_in_memory_passes() {
    contract::ledger(&|| Box::new(Memory::new()));
}
