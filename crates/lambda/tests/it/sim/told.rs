//! The records of a ledger with what people were told in the place of what was taken away when it was told.

use std::collections::BTreeMap;

use lambda::ledger::Ledger;
use pipeline::ports::{self, Commit, Committed, Loaded};
use pipeline::records::Notice;
use pipeline::step::{Kind, RecordKey};

use crate::cloud::Cloud;
use crate::ledger::ledger;

#[derive(Debug)]
pub(super) struct Told {
    ledger: Ledger,
    notices: BTreeMap<String, Vec<u8>>,
}

impl Told {
    pub(super) fn new(cloud: &Cloud) -> Self {
        let mut last: BTreeMap<String, (u64, Vec<u8>)> = BTreeMap::new();
        for event in cloud.told() {
            let body: serde_json::Value = serde_json::from_str(&event.payload).expect("an event is JSON");
            let notice: Notice = serde_json::from_value(body["data"].clone()).expect("its data is a notice");
            let value = serde_json::to_vec(&notice).expect("it is JSON");
            if last.get(&event.record).is_none_or(|(at, _)| *at <= notice.at) {
                last.insert(event.record, (notice.at, value));
            }
        }
        let notices = last.into_iter().map(|(id, (_, value))| (id, value)).collect();
        Self { ledger: ledger(cloud, u64::MAX), notices }
    }
}

impl ports::Ledger for Told {
    fn load(&self, key: &RecordKey) -> Result<Loaded, ports::Error> {
        self.ledger.load(key)
    }

    fn page(
        &self,
        kind: Kind,
        within: &str,
        after: Option<&str>,
        records_max: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, ports::Error> {
        if kind != Kind::Notice {
            return self.ledger.page(kind, within, after, records_max);
        }
        Ok(self.notices.iter().map(|(id, value)| (id.clone(), value.clone())).collect())
    }

    fn commit(&self, _: Commit) -> Result<Committed, ports::Error> {
        panic!("nobody commits any more")
    }
}
