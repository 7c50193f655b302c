//! The message groups of a FIFO queue, by number and by name.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The number of no group.
pub(crate) const NONE: u32 = u32::MAX;

/// One message group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: Arc<str>,
    /// Messages that nobody has, by position.
    pub(crate) waiting: BTreeSet<u64>,
    pub(crate) in_flight: usize,
    /// The dead letters it waits for.
    pub(crate) parked: BTreeSet<u64>,
    /// The position under which it stands among the groups whose turn it can be.
    pub(crate) ready_as: Option<u64>,
}

/// The groups that have messages or wait for dead letters. A number is used again when its group is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    numbers: HashMap<Arc<str>, u32>,
    groups: Vec<Option<Group>>,
    free: Vec<u32>,
}

impl Groups {
    /// The number of a group, which is made if there is none of that name.
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let name: Arc<str> = Arc::from(name);
        let waiting = BTreeSet::new();
        let group = Group { name: name.clone(), waiting, in_flight: 0, parked: BTreeSet::new(), ready_as: None };
        let number = match self.free.pop() {
            Some(number) => {
                self.groups[number as usize] = Some(group);
                number
            }
            None => {
                self.groups.push(Some(group));
                (self.groups.len() - 1) as u32
            }
        };
        self.numbers.insert(name, number);
        number
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Group> {
        self.groups.get(number as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Group> {
        self.groups.get_mut(number as usize)?.as_mut()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().flatten()
    }

    pub(crate) fn forget(&mut self, number: u32) {
        if let Some(group) = self.groups.get_mut(number as usize).and_then(Option::take) {
            self.numbers.remove(&group.name);
            self.free.push(number);
        }
    }
}
