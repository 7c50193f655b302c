//! The in-memory part of the set: a hash table that remembers 80 bits of every id in 8 bytes.
//!
//! Slots come in lines of eight (a cache line), lines in groups of four. The top bits of a key name its home line; the
//! key stands there or, when that is full, in another line of the group. An entry is the way from its home line and the
//! rest of the key's bits, so that line and entry together are the whole key. Within a line the search begins at a slot
//! that the key names, and goes around. What does not fit its group is a stray, kept in an ordinary set.

use std::collections::HashSet;

use crate::Result;

/// An id as the set knows it: the top `KEY_BITS` bits of its hash. Its low 32 bits are never all 0.
pub(crate) type Key = u128;
/// Bits of the hash that are kept.
pub(crate) const KEY_BITS: u32 = 80;
/// Bytes of a key as it is written.
pub(crate) const KEY_BYTES: usize = KEY_BITS as usize / 8;

const LINE_SLOTS: usize = 8;
const GROUP_LINES: usize = 4;
/// Sizes of a table, as powers of two slots: the smallest, the largest with 16-byte entries, the smallest with 8-byte
/// entries (which leave 62 bits for the key, so that its home must say 18) and more than any budget asks for.
pub(super) const BITS_MIN: u32 = 10;
const WIDE_BITS_MAX: u32 = 18;
const PACKED_BITS_MIN: u32 = 21;
const BITS_MAX: u32 = 36;
/// Bytes that a stray takes at worst, which is while the standard library's set of them doubles.
pub(super) const STRAY_BYTES: usize = 60;

/// What a slot holds: the way from the home line in the top two bits, the rest of the key in the others; 0 if empty.
trait Entry: Copy + Eq {
    const EMPTY: Self;
    fn new(way: usize, rest: Key) -> Self;
    fn way(self) -> usize;
    fn rest(self) -> Key;
}

impl Entry for u64 {
    const EMPTY: u64 = 0;

    #[inline]
    fn new(way: usize, rest: Key) -> u64 {
        (way as u64) << 62 | rest as u64
    }

    fn way(self) -> usize {
        (self >> 62) as usize
    }

    fn rest(self) -> Key {
        Key::from(self & (u64::MAX >> 2))
    }
}

impl Entry for u128 {
    const EMPTY: u128 = 0;

    #[inline]
    fn new(way: usize, rest: Key) -> u128 {
        (way as u128) << 126 | rest
    }

    fn way(self) -> usize {
        (self >> 126) as usize
    }

    fn rest(self) -> Key {
        self & (Key::MAX >> 2)
    }
}

#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Line<E>([E; LINE_SLOTS]);

/// The lines of a table, with entries of one width.
#[derive(Debug)]
struct Lines<E> {
    lines: Vec<Line<E>>,
    bits: u32,
    len: usize,
    strays: HashSet<Key>,
}

impl<E: Entry> Lines<E> {
    fn new(bits: u32) -> Self {
        let lines = vec![Line([E::EMPTY; LINE_SLOTS]); (1 << bits) / LINE_SLOTS];
        Self { lines, bits: bits - LINE_SLOTS.ilog2(), len: 0, strays: HashSet::new() }
    }

    #[inline]
    fn home(&self, key: Key) -> usize {
        ((key >> (KEY_BITS - 64)) as u64 >> (64 - self.bits)) as usize
    }

    /// Inserts all `ids` that are not `known` to be elsewhere, and says for each whether it was new.
    fn insert_all(&mut self, ids: &[u128], known: &[bool], fresh: &mut Vec<bool>) {
        self.touch(ids);
        for (&id, &known) in ids.iter().zip(known) {
            fresh.push(!known && self.insert(key_of(id)));
        }
    }

    /// Reads the home line of every id. The loads do not depend on each other, so the processor waits for many cache
    /// misses at once instead of for one after the other.
    fn touch(&self, ids: &[u128]) {
        let mut filled = 0;
        for &id in ids {
            let Line(slots) = &self.lines[self.home(key_of(id))];
            filled += u32::from(slots[0] != E::EMPTY) + u32::from(slots[LINE_SLOTS / 2] != E::EMPTY);
        }
        std::hint::black_box(filled);
    }

    /// Whether `key` was not there; it is afterwards. Nothing is ever taken out, so the first empty slot ends the search.
    #[inline]
    fn insert(&mut self, key: Key) -> bool {
        let home = self.home(key);
        let rest = key & ((1 << (KEY_BITS - self.bits)) - 1);
        let first = rest as usize;
        for way in 0..GROUP_LINES {
            let Line(slots) = &mut self.lines[home ^ way];
            let entry = E::new(way, rest);
            for step in 0..LINE_SLOTS {
                let slot = &mut slots[first.wrapping_add(step) % LINE_SLOTS];
                if *slot == E::EMPTY {
                    *slot = entry;
                    self.len += 1;
                    return true;
                }
                if *slot == entry {
                    return false;
                }
            }
        }
        self.strays.insert(key)
    }

    /// Hands out all keys in ascending order.
    fn sorted(&self, mut take: impl FnMut(Key) -> Result<()>) -> Result<()> {
        let mut strays: Vec<Key> = self.strays.iter().copied().collect();
        strays.sort_unstable();
        let mut strays = strays.into_iter().peekable();
        let mut keys = Vec::with_capacity(GROUP_LINES * LINE_SLOTS);
        for (index, group) in self.lines.chunks(GROUP_LINES).enumerate() {
            keys.clear();
            for (line, Line(slots)) in group.iter().enumerate() {
                let line = index * GROUP_LINES + line;
                let filled = slots.iter().filter(|entry| **entry != E::EMPTY);
                keys.extend(filled.map(|entry| self.key_in(line, *entry)));
            }
            keys.sort_unstable();
            for &key in &keys {
                while let Some(stray) = strays.next_if(|stray| *stray < key) {
                    take(stray)?;
                }
                take(key)?;
            }
        }
        strays.try_for_each(take)
    }

    /// Puts all keys into `other`, in whatever order is quickest.
    fn pour<F: Entry>(&self, other: &mut Lines<F>) {
        for (line, Line(slots)) in self.lines.iter().enumerate() {
            for &entry in slots.iter().filter(|entry| **entry != E::EMPTY) {
                other.insert(self.key_in(line, entry));
            }
        }
        for &stray in &self.strays {
            other.insert(stray);
        }
    }

    fn key_in(&self, line: usize, entry: E) -> Key {
        ((line ^ entry.way()) as Key) << (KEY_BITS - self.bits) | entry.rest()
    }

    fn clear(&mut self) {
        self.lines.fill(Line([E::EMPTY; LINE_SLOTS]));
        self.len = 0;
        self.strays = HashSet::new();
    }
}

/// The part of the hash `id` that the set keeps. One id in 2^32 loses a bit of it, so that no entry looks empty.
#[inline]
pub(crate) fn key_of(id: u128) -> Key {
    let key = id >> (128 - KEY_BITS);
    key | Key::from(key as u32 == 0)
}

/// A key as it is written: bytes compare as keys do.
pub(crate) fn key_bytes(key: Key) -> [u8; KEY_BYTES] {
    let mut bytes = [0; KEY_BYTES];
    bytes.copy_from_slice(&key.to_be_bytes()[16 - KEY_BYTES..]);
    bytes
}

/// The key that `key_bytes` wrote.
pub(crate) fn key_from(bytes: &[u8; KEY_BYTES]) -> Key {
    let mut all = [0; 16];
    all[16 - KEY_BYTES..].copy_from_slice(bytes);
    Key::from_be_bytes(all)
}

/// A set of keys in memory, of a fixed size.
#[derive(Debug)]
pub(super) struct Table {
    lines: AnyLines,
    bits: u32,
}

#[derive(Debug)]
enum AnyLines {
    /// 16 bytes an entry, while the line says too little of the key.
    Wide(Lines<u128>),
    /// 8 bytes an entry.
    Packed(Lines<u64>),
}

impl Table {
    /// An empty table of `2^bits` slots.
    pub(super) fn new(bits: u32) -> Self {
        let wide = bits <= WIDE_BITS_MAX;
        let lines = if wide { AnyLines::Wide(Lines::new(bits)) } else { AnyLines::Packed(Lines::new(bits)) };
        Self { lines, bits }
    }

    /// The next larger size.
    pub(super) fn larger(bits: u32) -> Option<u32> {
        let next = if bits == WIDE_BITS_MAX { PACKED_BITS_MIN } else { bits + 1 };
        Some(next).filter(|bits| *bits <= BITS_MAX)
    }

    /// Bytes of a table of `2^bits` slots, with all strays it may have.
    pub(super) fn bytes(bits: u32) -> usize {
        let entry_bytes = if bits <= WIDE_BITS_MAX { size_of::<u128>() } else { size_of::<u64>() };
        (entry_bytes << bits) + Self::strays_max(bits) * STRAY_BYTES
    }

    /// Keys that a table of `2^bits` slots takes. Fuller, too many would find their home line full.
    pub(super) fn keys_max(bits: u32) -> usize {
        (1usize << bits) / 4 * 3
    }

    /// Strays at which a table counts as full: three times as many as there are when `keys_max` honest hashes are in it.
    pub(super) fn strays_max(bits: u32) -> usize {
        (1usize << bits) / 64
    }

    pub(super) fn bits(&self) -> u32 {
        self.bits
    }

    pub(super) fn len(&self) -> usize {
        match &self.lines {
            AnyLines::Wide(lines) => lines.len + lines.strays.len(),
            AnyLines::Packed(lines) => lines.len + lines.strays.len(),
        }
    }

    /// Keys that can be inserted before the table is full.
    pub(super) fn room(&self) -> usize {
        let strays = match &self.lines {
            AnyLines::Wide(lines) => lines.strays.len(),
            AnyLines::Packed(lines) => lines.strays.len(),
        };
        if strays >= Self::strays_max(self.bits) {
            return 0;
        }
        Self::keys_max(self.bits).saturating_sub(self.len())
    }

    /// Inserts all `ids` that are not `known` to be elsewhere, and says for each whether it was new.
    pub(super) fn insert_all(&mut self, ids: &[u128], known: &[bool], fresh: &mut Vec<bool>) {
        match &mut self.lines {
            AnyLines::Wide(lines) => lines.insert_all(ids, known, fresh),
            AnyLines::Packed(lines) => lines.insert_all(ids, known, fresh),
        }
    }

    /// Hands out all keys in ascending order.
    pub(super) fn sorted(&self, take: impl FnMut(Key) -> Result<()>) -> Result<()> {
        match &self.lines {
            AnyLines::Wide(lines) => lines.sorted(take),
            AnyLines::Packed(lines) => lines.sorted(take),
        }
    }

    /// A larger table of `2^bits` slots with the same keys.
    pub(super) fn grown(&self, bits: u32) -> Self {
        let mut table = Self::new(bits);
        match (&self.lines, &mut table.lines) {
            (AnyLines::Wide(from), AnyLines::Wide(to)) => from.pour(to),
            (AnyLines::Wide(from), AnyLines::Packed(to)) => from.pour(to),
            (AnyLines::Packed(from), AnyLines::Packed(to)) => from.pour(to),
            (AnyLines::Packed(from), AnyLines::Wide(to)) => from.pour(to),
        }
        table
    }

    /// Forgets all keys, keeps the memory.
    pub(super) fn clear(&mut self) {
        match &mut self.lines {
            AnyLines::Wide(lines) => lines.clear(),
            AnyLines::Packed(lines) => lines.clear(),
        }
    }
}
