//! Groups of rows by name and time, for bars and totals: a table in memory that goes to scratch as a sorted run when
//! it reaches its budget, and is merged with its runs at the end. However many groups there are, memory stays bounded.

mod bar;
pub(crate) mod bytes;
mod digits;
mod nodes;
mod total;

use crate::batch::Names;
use crate::runs::Runs;
use crate::source::Scratch;
use crate::{Error, Refusal, Result, parallel};

use nodes::{Node, Nodes};

pub use bar::{Bar, BarGroup};
pub(crate) use digits::write_scaled;
pub use total::{Total, TotalGroup};

/// What a group adds up. Merging is done oldest first, because position decides between rows of equal time.
pub(crate) trait Partial: Default {
    /// Appends the group's bytes.
    fn encode(&self, into: &mut Vec<u8>);
    /// Reads them back; None when they are not what `encode` wrote.
    fn decode(bytes: &[u8]) -> Option<Self>;
    /// Adds a group of later rows; false when a sum leaves its range.
    fn merge(&mut self, later: &Self) -> bool;
    /// Reads something at both ends of the group.
    fn touch(&self) -> u64;
}

/// What a group is of: order is by prefix, name, bucket.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    pub bucket: i64,
    pub name: u32,
    pub prefix: u16,
}

impl Key {
    /// What `Groups` finds it by.
    #[inline]
    pub fn hash(self) -> u64 {
        let name = u64::from(self.name) << 16 | u64::from(self.prefix);
        let folded = u128::from(name ^ 0x9E37_79B9_7F4A_7C15) * u128::from(self.bucket as u64 ^ 0xD6E8_FEB8_6659_FD93);
        (folded as u64) ^ (folded >> 64) as u64
    }
}

/// The same as others see it, the name in full.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GroupOf<'a> {
    pub prefix: u16,
    pub name: &'a [u8],
    pub bucket: i64,
}

/// The table.
pub(crate) struct Groups<P> {
    index: Vec<Slot>,
    nodes: Nodes<P>,
    budget: usize,
    runs: Option<Runs>,
    scratch: Option<Box<dyn Scratch>>,
}

/// Where a group is, counted from 1; 0 is an empty slot. By the tag, the part of its hash that says nothing about the
/// place of the slot, it is known that another is meant without a look at it.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    tag: u32,
    entry: u32,
}

const FIRST_SLOTS: usize = 2048;

/// Groups that are printed at a time: few enough to stay in the cache of a core.
const PRINTED_GROUPS: usize = 2048;
/// Bytes of text that are handed on at a time when groups come from scratch.
const PRINTED_BYTES: usize = 256 * 1024;

impl<P: Partial> Groups<P> {
    pub fn new(budget: usize, scratch: Option<Box<dyn Scratch>>) -> Self {
        Self { index: vec![Slot::default(); FIRST_SLOTS], nodes: Nodes::new(), budget, runs: None, scratch }
    }

    pub fn memory(&self) -> usize {
        self.index.len() * size_of::<Slot>() + self.nodes.len() * size_of::<Node<P>>()
    }

    /// Whether there are groups in memory.
    pub fn has_some(&self) -> bool {
        self.nodes.len() > 0
    }

    #[inline(always)]
    pub fn at(&mut self, position: u32) -> &mut P {
        &mut self.nodes.at_mut(position).group
    }

    /// Brings what `position` and `at` will need for keys of these hashes into the cache, for all of them at once.
    pub fn touch(&self, hashes: impl Iterator<Item = u64> + Clone) {
        let mask = self.index.len() - 1;
        let entries = hashes.map(|hash| self.index[hash as usize & mask].entry);
        std::hint::black_box(entries.clone().fold(0, |all, entry| all ^ entry));
        let nodes = entries.filter_map(|entry| Some(self.nodes.at(entry.checked_sub(1)?)));
        std::hint::black_box(nodes.fold(0, |all, node| all ^ u64::from(node.key.name) ^ node.group.touch()));
    }

    /// The position of the group of `key`, which has this hash, made if it is new.
    #[inline]
    pub fn position(&mut self, key: Key, hash: u64) -> u32 {
        debug_assert_eq!(hash, key.hash());
        let mask = self.index.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let Slot { tag, entry } = self.index[slot];
            if entry == 0 {
                return self.insert(key, hash);
            }
            if tag == tag_of(hash) && self.nodes.at(entry - 1).key == key {
                return entry - 1;
            }
            slot = (slot + 1) & mask;
        }
    }

    #[inline(never)]
    fn insert(&mut self, key: Key, hash: u64) -> u32 {
        if (self.nodes.len() + 1) * 2 > self.index.len() {
            self.grow();
        }
        self.nodes.push(Node { key, group: P::default() });
        let entry = self.nodes.len() as u32;
        place(&mut self.index, hash, entry);
        entry - 1
    }

    #[cold]
    fn grow(&mut self) {
        let slots = self.index.len() * 2;
        self.index.clear();
        self.index.resize(slots, Slot::default());
        for (entry, node) in (1..).zip(self.nodes.iter()) {
            place(&mut self.index, node.key.hash(), entry);
        }
    }

    /// Makes room when the table and `names` are over budget. Positions given out before mean nothing afterwards.
    pub fn keep_within_budget(&mut self, names: &Names) -> Result<bool> {
        if self.memory() + names.memory() <= self.budget {
            return Ok(false);
        }
        self.flush(names)?;
        Ok(true)
    }

    fn flush(&mut self, names: &Names) -> Result<()> {
        if self.runs.is_none() {
            let Some(scratch) = self.scratch.take() else {
                return Err(Refusal::new(
                    "too_many_groups",
                    format!("more than {} groups do not fit the memory given", self.nodes.len()),
                    "give more memory or scratch space, or a longer interval",
                )
                .into());
            };
            self.runs = Some(Runs::new(scratch));
        }
        let order = self.order(names);
        let runs = self.runs.as_mut().expect("made just above");
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let mut run = runs.begin();
        for position in order {
            key.clear();
            value.clear();
            let Node { key: Key { bucket, name, prefix }, group } = self.nodes.at(position);
            encode_key(GroupOf { prefix: *prefix, name: names.get(*name), bucket: *bucket }, &mut key);
            group.encode(&mut value);
            run.push(&key, &value)?;
        }
        run.end()?;
        self.nodes.clear();
        self.index.fill(Slot::default());
        Ok(())
    }

    /// Positions in the order of their keys. Names are ranked once, so that groups are compared by numbers.
    fn order(&self, names: &Names) -> Vec<u32> {
        let mut by_name: Vec<u32> = (0..names.len() as u32).collect();
        by_name.sort_unstable_by(|left, right| names.get(*left).cmp(names.get(*right)));
        let mut rank = vec![0u32; by_name.len()];
        for (position, name) in by_name.iter().enumerate() {
            rank[*name as usize] = position as u32;
        }
        let keys: Vec<Key> = self.nodes.iter().map(|node| node.key).collect();
        let positions: Vec<u32> = (0..keys.len() as u32).collect();
        let by_rank = counted(&positions, by_name.len(), |position| rank[keys[position].name as usize] as usize);
        let prefixes = keys.iter().map(|key| usize::from(key.prefix) + 1).max().unwrap_or(1);
        let mut order = match prefixes {
            1 => by_rank,
            _ => counted(&by_rank, prefixes, |position| usize::from(keys[position].prefix)),
        };
        let key = |position: u32| keys[position as usize];
        for run in order.chunk_by_mut(|left, right| {
            let (left, right) = (key(*left), key(*right));
            left.name == right.name && left.prefix == right.prefix
        }) {
            run.sort_unstable_by_key(|position| key(*position).bucket);
        }
        order
    }

    /// Gives every group once, in the order of prefix, name and bucket.
    pub fn finish(
        mut self,
        names: &Names,
        memory: usize,
        mut each: impl FnMut(GroupOf<'_>, &P) -> Result<()>,
    ) -> Result<()> {
        if self.runs.is_none() {
            let groups = self.in_memory(names);
            return self.order(names).into_iter().try_for_each(|position| {
                let (group_of, group) = groups.at(position);
                each(group_of, group)
            });
        }
        self.flush(names)?;
        let runs = self.runs.take().expect("there is at least the run just written");
        drop((self.index, self.nodes));
        let mut merged = runs.merge(memory, combine::<P>)?;
        let (mut key, mut value) = (Vec::new(), Vec::new());
        while merged.next(&mut key, &mut value)? {
            each(decode_key(&key).ok_or_else(damaged)?, &P::decode(&value).ok_or_else(damaged)?)?;
        }
        Ok(())
    }

    /// Writes a line of every group, in the same order, on any number of threads; `take` gets the text piece by piece.
    pub fn print(
        self,
        names: &Names,
        memory: usize,
        threads: usize,
        line: impl Fn(GroupOf<'_>, &P, &mut Vec<u8>) + Sync,
        take: &mut (dyn FnMut(&[u8]) -> Result<()> + Send),
    ) -> Result<()>
    where
        P: Sync,
    {
        if self.runs.is_some() {
            let mut text = Vec::new();
            self.finish(names, memory, |group_of, group| {
                line(group_of, group, &mut text);
                if text.len() >= PRINTED_BYTES {
                    take(&text)?;
                    text.clear();
                }
                Ok(())
            })?;
            return take(&text);
        }
        let (order, groups) = (self.order(names), self.in_memory(names));
        let parts: Vec<&[u32]> = order.chunks(PRINTED_GROUPS).collect();
        let make = |part: usize, text: &mut Vec<u8>| {
            groups.touch(parts[part]);
            for position in parts[part] {
                let (group_of, group) = groups.at(*position);
                line(group_of, group, text);
            }
        };
        parallel::in_order(threads, parts.len(), make, take)
    }

    fn in_memory<'a>(&'a self, names: &'a Names) -> InMemory<'a, P> {
        InMemory { nodes: &self.nodes, names }
    }
}

/// Groups of which none went to scratch.
struct InMemory<'a, P> {
    nodes: &'a Nodes<P>,
    names: &'a Names,
}

impl<'a, P: Partial> InMemory<'a, P> {
    fn at(&self, position: u32) -> (GroupOf<'a>, &'a P) {
        let Node { key: Key { bucket, name, prefix }, group } = self.nodes.at(position);
        (GroupOf { prefix: *prefix, name: self.names.get(*name), bucket: *bucket }, group)
    }

    /// Brings groups that lie anywhere into the cache, many at a time; printing would wait for one after the other.
    fn touch(&self, positions: &[u32]) {
        for position in positions {
            let node = self.nodes.at(*position);
            std::hint::black_box((node.key.prefix, node.group.touch()));
        }
    }
}

/// `positions` in the order of a small number that each has, equal ones as they were.
fn counted(positions: &[u32], numbers: usize, number: impl Fn(usize) -> usize) -> Vec<u32> {
    let mut ends = vec![0u32; numbers + 1];
    for position in positions {
        ends[number(*position as usize) + 1] += 1;
    }
    for index in 1..ends.len() {
        ends[index] += ends[index - 1];
    }
    let mut sorted = vec![0; positions.len()];
    for position in positions {
        let place = &mut ends[number(*position as usize)];
        sorted[*place as usize] = *position;
        *place += 1;
    }
    sorted
}

fn combine<P: Partial>(sum: &mut Vec<u8>, later: &[u8]) -> Result<()> {
    let mut group = P::decode(sum).ok_or_else(damaged)?;
    if !group.merge(&P::decode(later).ok_or_else(damaged)?) {
        return Err(sum_out_of_range());
    }
    sum.clear();
    group.encode(sum);
    Ok(())
}

/// A sum left the 256 bits it is kept in.
pub(crate) fn sum_out_of_range() -> Error {
    let hint = "no real market adds up to this: check the unit and the scale of the contract";
    Refusal::new("sum_out_of_range", "a sum of volumes or amounts is beyond 1e40", hint).into()
}

fn damaged() -> Error {
    Error::Io(std::io::Error::new(std::io::ErrorKind::InvalidData, "scratch space gave back other bytes than it took"))
}

/// Keys in bytes compare as groups are ordered.
pub(crate) fn encode_key(of: GroupOf<'_>, into: &mut Vec<u8>) {
    into.extend_from_slice(&of.prefix.to_be_bytes());
    into.extend_from_slice(of.name);
    // No name holds a NUL (such rows are refused), so a shorter name sorts before its continuations.
    into.push(0);
    into.extend_from_slice(&encode_bucket(of.bucket));
}

/// The last bytes of a key.
pub(crate) fn encode_bucket(bucket: i64) -> [u8; 8] {
    ((bucket as u64) ^ (1 << 63)).to_be_bytes()
}

/// What `encode_key` was given; None when it did not write this.
pub(crate) fn decode_key(key: &[u8]) -> Option<GroupOf<'_>> {
    let (prefix, rest) = key.split_first_chunk::<2>()?;
    let (name, bucket) = rest.split_last_chunk::<8>()?;
    let (end, name) = name.split_last()?;
    if *end != 0 || memchr::memchr(0, name).is_some() {
        return None;
    }
    let bucket = (u64::from_be_bytes(*bucket) ^ (1 << 63)) as i64;
    Some(GroupOf { prefix: u16::from_be_bytes(*prefix), name, bucket })
}

fn place(index: &mut [Slot], hash: u64, entry: u32) {
    let mask = index.len() - 1;
    let mut slot = hash as usize & mask;
    while index[slot].entry != 0 {
        slot = (slot + 1) & mask;
    }
    index[slot] = Slot { tag: tag_of(hash), entry };
}

#[inline(always)]
fn tag_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_hash_alike_are_not_taken_for_each_other() {
        let key = |name, bucket| Key { bucket, name, prefix: 0 };
        let (one, other) = (key(545_222, 765_187_875_270), key(887_068, 970_141_882_696));
        let place = |key: Key| (tag_of(key.hash()), key.hash() as usize % FIRST_SLOTS);
        assert_eq!(place(one), place(other), "the hash is another: look for two keys that share tag and slot");
        let mut groups: Groups<BarGroup> = Groups::new(usize::MAX, None);
        let positions = [one, other, one, other].map(|key| groups.position(key, key.hash()));
        assert_eq!(positions, [0, 1, 0, 1]);
    }

    #[test]
    fn groups_stay_where_they_are_however_many_come() {
        let mut groups: Groups<TotalGroup> = Groups::new(usize::MAX, None);
        let keys = (0..20_000).map(|bucket| Key { bucket, name: 7, prefix: 3 });
        for (key, place) in keys.clone().zip(0..) {
            let position = groups.position(key, key.hash());
            assert_eq!(position, place);
            groups.at(position).add(key.bucket);
        }
        for (key, place) in keys.zip(0..) {
            assert_eq!(groups.position(key, key.hash()), place);
            let mut alone = TotalGroup::default();
            alone.add(key.bucket);
            assert_eq!(*groups.at(place), alone);
        }
    }
}
