//! The labels of a group: texts that come again and again, numbered in the order they first come in it.

use super::group::Texts;
use crate::batch::{FileNames, Names};

/// Finds the number that a name of the file has in the present group.
#[derive(Debug, Default)]
pub(super) struct Labels {
    /// By number in the file: the group in which the name was last seen, and its number there.
    known: Vec<(u32, u32)>,
    group: u32,
    /// When the file forgets its names, their numbers are given anew.
    epoch: u32,
    /// The names of the group. A name that the file forgot is still the same label.
    names: Names,
}

impl Labels {
    /// To be called before the rows of a batch.
    pub fn follow(&mut self, names: &FileNames) {
        if self.epoch != names.epoch() {
            self.epoch = names.epoch();
            self.known.clear();
        }
        self.known.resize(names.names.len(), (0, 0));
    }

    /// To be called before the first row of a group.
    pub fn begin_group(&mut self) {
        self.group = self.group.wrapping_add(1);
        if self.group == 0 {
            self.known.fill((0, 0));
            self.group = 1;
        }
        self.names.clear();
    }

    /// The number of the name that has `number` in the file; if it is new to the group, it is added to `dictionary`.
    #[inline(always)]
    pub fn number(&mut self, number: u32, names: &Names, dictionary: &mut Texts) -> u32 {
        match self.known[number as usize] {
            (group, label) if group == self.group => label,
            _ => self.meet(number, names.get(number), dictionary),
        }
    }

    #[cold]
    fn meet(&mut self, number: u32, name: &[u8], dictionary: &mut Texts) -> u32 {
        let label = self.names.number(name);
        if label as usize == dictionary.ends.len() {
            dictionary.push(name);
        }
        self.known[number as usize] = (self.group, label);
        label
    }
}
