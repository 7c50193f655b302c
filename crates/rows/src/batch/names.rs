//! Distinct names (instruments, merchants), numbered as they appear: those of the batches of one worker, and those of
//! the whole file.

/// The names that the batches of one worker have met. They outlive a batch, because the next has nearly the same.
#[derive(Debug, Default)]
pub(crate) struct WorkerNames {
    names: Names,
    /// For each name its number among those of the file, as far as these were asked for.
    in_file: Vec<u32>,
    /// What `FileNames::epoch` was then.
    epoch: u32,
    /// Raised whenever it begins anew.
    generation: u32,
}

/// What makes a copy of some names equal to them again.
#[derive(Debug, Default)]
pub(crate) struct NewNames {
    /// Those that the copy has are gone.
    anew: bool,
    names: Vec<Vec<u8>>,
}

/// How far a copy of some names goes.
#[derive(Debug, Default)]
pub(crate) struct Copied {
    generation: u32,
    names: usize,
}

/// A worker with more than this begins anew: names that come once only are not worth keeping.
const WORKER_NAMES_BYTES: usize = 4 * 1024 * 1024;

impl WorkerNames {
    /// To be called between batches.
    pub fn keep_within_bounds(&mut self) {
        if self.names.memory() > WORKER_NAMES_BYTES {
            *self = WorkerNames { generation: self.generation.wrapping_add(1), ..WorkerNames::default() };
        }
    }

    /// The names that a copy which goes as far as `copied` has not got yet.
    pub fn since(&self, copied: &mut Copied) -> NewNames {
        let anew = copied.generation != self.generation;
        let first = if anew { 0 } else { copied.names };
        *copied = Copied { generation: self.generation, names: self.names.len() };
        NewNames { anew, names: (first..self.names.len()).map(|name| self.names.get(name as u32).to_vec()).collect() }
    }

    /// Takes what `since` gave: every name gets the number that it has there.
    pub fn follow(&mut self, new: &NewNames) {
        if new.anew {
            *self = WorkerNames::default();
        }
        new.names.iter().for_each(|name| _ = self.number(name));
    }

    /// The name of a number.
    pub fn get(&self, number: u32) -> &[u8] {
        self.names.get(number)
    }

    /// The number of `name`, given if it is new.
    #[inline]
    pub fn number(&mut self, name: &[u8]) -> u32 {
        self.names.number(name)
    }

    /// The same of `buffer[start..end]`; quicker when 16 bytes can be read from `start` on.
    #[inline(always)]
    pub fn number_at(&mut self, buffer: &[u8], start: usize, end: usize) -> u32 {
        self.names.number_of(&Sought::at(buffer, start, end, 0), buffer)
    }

    /// Whether the table stays close to the core.
    pub fn are_near(&self) -> bool {
        self.names.table.len() * size_of::<Slot>() <= NEAR_BYTES
    }

    /// Tells `put` the number of each of those names of `buffer`, given if it is new, and the row that it was sought for.
    /// The places of all are looked at before one after the other is asked for: with many names most of them are far
    /// from the core.
    #[inline(always)]
    pub fn numbers(&mut self, buffer: &[u8], sought: &[Sought], mut put: impl FnMut(usize, u32)) {
        self.names.touch(sought);
        sought.iter().for_each(|one| put(one.row as usize, self.names.number_of(one, buffer)));
    }
}

/// The names of a file.
#[derive(Debug, Default)]
pub(crate) struct FileNames {
    pub names: Names,
    /// Raised whenever all are forgotten.
    epoch: u32,
}

impl FileNames {
    /// For each name of a worker its number here, given if it is new.
    pub fn of<'w>(&mut self, worker: &'w mut WorkerNames) -> &'w [u32] {
        if worker.epoch != self.epoch {
            worker.epoch = self.epoch;
            worker.in_file.clear();
        }
        for number in worker.in_file.len()..worker.names.len() {
            worker.in_file.push(self.names.number(worker.names.get(number as u32)));
        }
        &worker.in_file
    }

    /// Another number after every time that all were forgotten.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    pub fn forget(&mut self) {
        self.names.clear();
        self.epoch += 1;
    }
}

/// Names and their numbers. Open addressing; the names stand one after the other.
#[derive(Debug, Default)]
pub(crate) struct Names {
    table: Vec<Slot>,
    /// Where each name ends in `bytes`, by number.
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

/// What a name is found by: its first sixteen bytes, zeros behind them, and its last eight if it is longer.
#[derive(Debug, Clone, Copy, Default)]
struct Key {
    front: u64,
    middle: u64,
    back: u64,
    length: u32,
}

/// The key of a name, and its number, counted from 1; 0 is an empty slot. So one look tells most names.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    front: u64,
    middle: u64,
    back: u64,
    length: u32,
    number: u32,
}

/// A name of a buffer, what it is found by, and the row that wants its number.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sought {
    key: Key,
    hash: u64,
    start: u32,
    row: u32,
}

/// A table of so many bytes is at hand without being asked for ahead.
const NEAR_BYTES: usize = 256 * 1024;

const FIRST_SLOTS: usize = 1024;

/// Bytes of a name that can be read at once.
const CHUNK: usize = 16;

/// Bytes of a name that are all in its key.
const WHOLE: u32 = 24;

impl Names {
    pub fn clear(&mut self) {
        self.table.fill(Slot::default());
        self.ends.clear();
        self.bytes.clear();
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn get(&self, number: u32) -> &[u8] {
        let start = match number.checked_sub(1) {
            Some(before) => self.ends[before as usize],
            None => 0,
        };
        &self.bytes[start as usize..self.ends[number as usize] as usize]
    }

    /// Bytes held, for whoever keeps a memory budget.
    pub fn memory(&self) -> usize {
        self.table.len() * size_of::<Slot>() + self.ends.capacity() * size_of::<u32>() + self.bytes.capacity()
    }

    /// The number of `name`, given if it is new.
    #[inline]
    pub fn number(&mut self, name: &[u8]) -> u32 {
        self.number_of(&Sought::of(name), name)
    }

    /// Brings what is looked at for these names into the cache.
    #[inline(always)]
    fn touch(&self, sought: &[Sought]) {
        if self.table.is_empty() {
            return;
        }
        let mask = self.table.len() - 1;
        let numbers = sought.iter().map(|one| self.table[one.hash as usize & mask].number);
        std::hint::black_box(numbers.fold(0, |all, number| all ^ number));
    }

    #[inline(always)]
    fn number_of(&mut self, sought: &Sought, buffer: &[u8]) -> u32 {
        let Sought { key, hash, .. } = sought;
        if !self.table.is_empty() {
            let mask = self.table.len() - 1;
            let mut at = *hash as usize & mask;
            loop {
                let slot = self.table[at];
                if slot.number == 0 {
                    break;
                }
                let number = slot.number - 1;
                if slot.has(key) && (key.length <= WHOLE || self.get(number) == sought.name(buffer)) {
                    return number;
                }
                at = (at + 1) & mask;
            }
        }
        self.insert(sought, sought.name(buffer))
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, sought: &Sought, name: &[u8]) -> u32 {
        if (self.ends.len() + 1) * 2 > self.table.len() {
            self.grow();
        }
        self.bytes.extend_from_slice(name);
        self.ends.push(self.bytes.len() as u32);
        let number = self.ends.len() as u32;
        place(&mut self.table, sought.hash, sought.key.slot(number));
        number - 1
    }

    fn grow(&mut self) {
        let slots = (self.table.len() * 2).max(FIRST_SLOTS);
        self.table.clear();
        self.table.resize(slots, Slot::default());
        for number in 0..self.ends.len() as u32 {
            let Sought { key, hash, .. } = Sought::of(self.get(number));
            place(&mut self.table, hash, key.slot(number + 1));
        }
    }
}

fn place(table: &mut [Slot], hash: u64, slot: Slot) {
    let mask = table.len() - 1;
    let mut at = hash as usize & mask;
    while table[at].number != 0 {
        at = (at + 1) & mask;
    }
    table[at] = slot;
}

impl Slot {
    #[inline(always)]
    fn has(&self, key: &Key) -> bool {
        let differ = (self.front ^ key.front) | (self.middle ^ key.middle) | (self.back ^ key.back);
        differ == 0 && self.length == key.length
    }
}

impl Sought {
    #[inline]
    fn of(name: &[u8]) -> Self {
        match name.first_chunk() {
            Some(chunk) => Self::new(Key::of(chunk, name), name),
            None => {
                let mut chunk = [0; CHUNK];
                chunk[..name.len()].copy_from_slice(name);
                Self::new(Key::of(&chunk, name), name)
            }
        }
    }

    /// Of `buffer[start..end]`; quicker than `of` when 16 bytes can be read from `start` on.
    #[inline(always)]
    pub fn at(buffer: &[u8], start: usize, end: usize, row: usize) -> Self {
        let name = &buffer[start..end];
        let sought = match buffer[start..].first_chunk::<CHUNK>() {
            Some(chunk) => Self::new(Key::of(chunk, name), name),
            None => Self::of(name),
        };
        Self { start: start as u32, row: row as u32, ..sought }
    }

    #[inline(always)]
    fn new(key: Key, name: &[u8]) -> Self {
        Self { key, hash: key.hash(name), start: 0, row: 0 }
    }

    fn name<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        &buffer[self.start as usize..][..self.key.length as usize]
    }
}

impl Key {
    fn slot(self, number: u32) -> Slot {
        let Key { front, middle, back, length } = self;
        Slot { front, middle, back, length, number }
    }

    /// Of a name that `chunk` begins with.
    #[inline(always)]
    fn of(chunk: &[u8; CHUNK], name: &[u8]) -> Self {
        /// As many ones as bytes count, and zeros behind them.
        const KEPT: [u128; CHUNK + 1] = {
            let mut kept = [u128::MAX; CHUNK + 1];
            let mut length = 0;
            while length < CHUNK {
                kept[length] = (1 << (8 * length)) - 1;
                length += 1;
            }
            kept
        };
        // Without asking how long it is: names of many lengths come mixed.
        let first = u128::from_le_bytes(*chunk) & KEPT[name.len().min(CHUNK)];
        let last = name.last_chunk().map_or(0, |last| u64::from_le_bytes(*last));
        let back = if name.len() > CHUNK { last } else { 0 };
        Key { front: first as u64, middle: (first >> 64) as u64, back, length: name.len() as u32 }
    }

    /// A quick hash; all bytes of `name`, which this is the key of, take part.
    #[inline(always)]
    fn hash(self, name: &[u8]) -> u64 {
        const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
        if self.length > WHOLE {
            return xxhash_rust::xxh3::xxh3_64(name);
        }
        // The length sets apart names that end in NULs, which make no difference to the product.
        let front = self.front ^ MIX;
        let middle = self.middle ^ u64::from(self.length) ^ MIX.rotate_left(32);
        let folded = u128::from(front) * u128::from(middle);
        let back = self.back.wrapping_mul(MIX).rotate_left(29);
        let mixed = (folded as u64 ^ (folded >> 64) as u64 ^ back).wrapping_mul(MIX);
        mixed ^ (mixed >> 29)
    }
}

/// A quick hash of a name.
pub(crate) fn hash(name: &[u8]) -> u64 {
    Sought::of(name).hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_have_one_number_and_others_another() {
        let mut names = Names::default();
        for round in 0..3 {
            for index in 0..5000u32 {
                assert_eq!(names.number(format!("NAME{index}").as_bytes()), index, "round {round}");
            }
        }
        assert_eq!(names.get(4711), b"NAME4711");
        assert_eq!(names.len(), 5000);
    }

    #[test]
    fn names_that_share_their_ends_are_told_apart() {
        let mut names = Names::default();
        let texts = [
            "",
            "a",
            "aa",
            "aba",
            "aca",
            "abcda",
            "abXda",
            "12345678",
            "123456788",
            "1234567812345678",
            "12345678_12345678",
            "12345678-12345678",
            "ABCDEFGHIJKLMNOP1",
            "ABCDEFGHIJKLMNOP2",
            "ABCDEFGHIJKLMNO_1",
            "ABCDEFGHIJKLMNOP_23456_1",
            "ABCDEFGHIJKLMNOP_23456_2",
            "ABCDEFGHIJKLMNOP-23456_1",
            "ABCDEFGHIJKLMNOP_23456_12",
            "12345678_1234567_12345678",
            "12345678-1234567_12345678",
            "12345678_1234567-12345678",
            "12345678_12345678_1234567_12345678",
            "12345678_12345678-1234567_12345678",
            "12345678_1234567-12345678_12345678",
            "a\0",
            "a\0\0",
        ];
        let numbers: Vec<u32> = texts.iter().map(|text| names.number(text.as_bytes())).collect();
        assert_eq!(numbers, (0..texts.len() as u32).collect::<Vec<_>>());
    }

    #[test]
    fn names_that_differ_only_in_their_last_bytes_are_told_apart_however_many_share_a_place() {
        let mut names = Names::default();
        let texts = (0..3000).map(|number| format!("A NAME OF 16 BYTE{number:07}"));
        for (text, number) in texts.clone().zip(0..).chain(texts.zip(0..)) {
            assert_eq!(text.len(), WHOLE as usize);
            assert_eq!(names.number(text.as_bytes()), number);
            let key = Sought::of(text.as_bytes()).key;
            // As if all hashes were the same.
            assert_eq!(names.table.iter().filter(|slot| slot.number > 0 && slot.has(&key)).count(), 1);
        }
    }

    #[test]
    fn nothing_is_left_after_clear() {
        let mut names = Names::default();
        for size in [3, 3000, 2] {
            for index in 0..size {
                names.number(format!("{size}-{index}").as_bytes());
            }
            names.clear();
            assert!(names.table.iter().all(|slot| slot.number == 0), "{size}");
        }
    }

    #[test]
    fn a_name_within_a_buffer_is_the_same_name() {
        let mut names = Names::default();
        let buffer = b"IBM,AAPL,A_NAME_OF_MORE_THAN_SIXTEEN,IBM";
        for (start, end) in [(0, 3), (4, 8), (9, 36), (37, 40), (0, 0), (40, 40)] {
            let within = names.number_of(&Sought::at(buffer, start, end, 0), buffer);
            assert_eq!(within, names.number(&buffer[start..end]));
            assert_eq!(names.get(within), &buffer[start..end]);
        }
        assert_eq!(names.len(), 4);
    }
}
