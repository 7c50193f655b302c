//! What is there: looked over at every start, and read to the last byte when somebody asks.

use std::collections::HashSet;
use std::fmt;
use std::ops::{Bound, ControlFlow};

use pipeline::object::ObjectVersion;

use super::change::LAST_KEY;
use super::clock::from_text;
use super::digest::Digest;
use super::error::{Error, Result};
use super::lifecycle::from_reader;
use super::record::{Place, Record};
use super::{Objects, corrupt, key, key_of};
use crate::queues::{self, Queues, Transaction};
use crate::store::Table;

/// Records that are looked at together.
const PAGE: usize = 1000;

/// What a check of all objects found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Object versions that were read.
    pub objects: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// Something that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong with which object or file.
    pub what: String,
    /// What to do next.
    pub hint: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.hint)
    }
}

/// How many records there are, the files that they name, and the last number that was given.
pub(super) fn survey(queues: &Queues) -> Result<(usize, HashSet<u64>, u64)> {
    let last = queues.store().get(Table::Meta, LAST_KEY).map_err(queues::Error::Store)?;
    let last = last.map(|last| last.try_into().map_err(|_| corrupt(queues, LAST_KEY))).transpose()?;
    let (mut objects, mut named, mut last) = (0, HashSet::new(), last.map_or(0, u64::from_be_bytes));
    let mut damaged = None;
    let see = |key: &[u8], value: &[u8]| {
        let (Some(object), Some(record)) = (key::decode(key), Record::decode(value)) else {
            damaged = Some(key.to_vec());
            return ControlFlow::Break(());
        };
        objects += 1;
        last = last.max(record.place.number()).max(from_text(&object.version).unwrap_or(0));
        if let Place::File(number) = record.place {
            named.insert(number);
        }
        ControlFlow::Continue(())
    };
    let all = (Bound::Unbounded, Bound::Unbounded);
    queues.store().scan(Table::Objects, all, see).map_err(queues::Error::Store)?;
    damaged.map_or(Ok((objects, named, last)), |key| Err(corrupt(queues, &key)))
}

impl Objects {
    /// Reads everything: each record must have its bytes, and each file its record. Blocks for as long as reading
    /// takes; others go on meanwhile. `told` hears of each object when it was read.
    pub fn check(&self, mut told: impl FnMut(&ObjectVersion)) -> Result<Checked> {
        let mut checked = Checked::default();
        let (files, strangers) = self
            .files()
            .list()
            .map_err(|error| Error::from_io(format!("list the folder {}", self.files().folder().display()), error))?;
        // Files that are on their way now are no problem; those that were are recorded when this is answered.
        let placed = self.files().placed();
        self.queues().transact(Transaction::default(), 0).wait()?;
        let mut named = HashSet::new();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let mut page = Vec::new();
            self.scan(b"", after.as_deref(), |object, record| {
                page.push((object, record));
                if page.len() < PAGE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            let Some((last, _)) = page.last() else { break };
            after = Some(key_of(last));
            for (object, record) in page {
                if let Place::File(number) = record.place {
                    named.insert(number);
                }
                match self.check_one(&object) {
                    Ok(()) | Err(Error::NotFound(_)) => {}
                    Err(error) => checked.problems.push(Problem { what: error.to_string(), hint: error.hint() }),
                }
                checked.objects += 1;
                checked.bytes += record.head.bytes;
                told(&object);
            }
        }
        let unnamed = files.into_iter().filter(|number| !named.contains(number) && !placed.contains(number));
        for path in unnamed.map(|number| self.files().path(number)).filter(|path| path.exists()) {
            let what = format!("file {} belongs to no object", path.display());
            checked.problems.push(Problem { what, hint: "start again, which takes it away" });
        }
        for path in strangers {
            let what = format!("file {} is none of ours", path.display());
            checked.problems.push(Problem { what, hint: "move it elsewhere" });
        }
        Ok(checked)
    }

    /// Reads one object as it is now, wherever it lies.
    fn check_one(&self, object: &ObjectVersion) -> Result<()> {
        let mut open = self.read(object)?;
        let mut digest = Digest::like(&open.head.digest);
        loop {
            let block = open.input.next_block().map_err(from_reader)?;
            if block.is_empty() {
                break;
            }
            digest.update(block);
        }
        if digest.finish() == open.head.digest {
            return Ok(());
        }
        let name = super::name_of(object);
        Err(Error::Damaged { what: format!("{name} has other bytes than when it was written") })
    }
}
