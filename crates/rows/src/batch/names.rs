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

    /// Whether all that a name is looked for in stays close to the core.
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
    /// Where each name ends in `bytes`, by number, and its key.
    ends: Vec<(u32, Key)>,
    bytes: Vec<u8>,
}

/// What a name is found by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Key {
    /// The name itself, zeros behind it, if it is short; otherwise its first and its last eight bytes.
    front: u64,
    back: u64,
    length: u32,
}

/// The front of a key, and the number the name has, counted from 1; 0 is an empty slot. It is small, because the table
/// is looked at for every row; what is left of the key is at hand when the front is the same.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    front: u64,
    length: u32,
    number: u32,
}

/// A name of a buffer, what it is found by, and the row that wants its number.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sought {
    front: u64,
    back: u64,
    hash: u64,
    start: u32,
    length: u32,
    row: u32,
}

/// A table of so many bytes is at hand without being asked for ahead.
const NEAR_BYTES: usize = 256 * 1024;

/// Bytes of a name that are all in a slot.
const TINY: usize = 8;

const FIRST_SLOTS: usize = 1024;

/// Bytes of a name that are all in its key.
const SHORT: usize = 16;

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
            Some(before) => self.ends[before as usize].0,
            None => 0,
        };
        &self.bytes[start as usize..self.ends[number as usize].0 as usize]
    }

    /// Bytes held, for whoever keeps a memory budget.
    pub fn memory(&self) -> usize {
        self.table.len() * size_of::<Slot>() + self.ends.capacity() * size_of::<(u32, Key)>() + self.bytes.capacity()
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
        std::hint::black_box(numbers.clone().fold(0, |all, number| all ^ number));
        if sought.iter().any(|one| one.length as usize > TINY) {
            let lengths = numbers.filter_map(|number| Some(self.ends[number.checked_sub(1)? as usize].1.length));
            std::hint::black_box(lengths.fold(0, |all, length| all ^ length));
        }
    }

    #[inline(always)]
    fn number_of(&mut self, sought: &Sought, buffer: &[u8]) -> u32 {
        let Sought { front, length, hash, .. } = *sought;
        if !self.table.is_empty() {
            let mask = self.table.len() - 1;
            let mut at = hash as usize & mask;
            loop {
                let slot = self.table[at];
                if slot.number == 0 {
                    break;
                }
                let same = slot.front == front && slot.length == length;
                if same && (length as usize <= TINY || self.is(slot.number - 1, sought, buffer)) {
                    return slot.number - 1;
                }
                at = (at + 1) & mask;
            }
        }
        self.insert(sought.key(), sought.name(buffer))
    }

    /// Whether a known name, which begins as it does, is the one sought.
    #[inline]
    fn is(&self, number: u32, sought: &Sought, buffer: &[u8]) -> bool {
        let is_short = sought.length as usize <= SHORT;
        self.ends[number as usize].1.back == sought.back
            && (is_short || are_same(self.get(number), sought.name(buffer)))
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, key: Key, name: &[u8]) -> u32 {
        if (self.ends.len() + 1) * 2 > self.table.len() {
            self.grow();
        }
        self.bytes.extend_from_slice(name);
        self.ends.push((self.bytes.len() as u32, key));
        let number = self.ends.len() as u32;
        place(&mut self.table, key.hash(name), key.slot(number));
        number - 1
    }

    fn grow(&mut self) {
        let slots = (self.table.len() * 2).max(FIRST_SLOTS);
        self.table.clear();
        self.table.resize(slots, Slot::default());
        for number in 0..self.ends.len() as u32 {
            let key = self.ends[number as usize].1;
            let hash = key.hash(self.get(number));
            place(&mut self.table, hash, key.slot(number + 1));
        }
    }
}

/// Whether two names that share their first and their last eight bytes are the same.
#[inline]
fn are_same(one: &[u8], other: &[u8]) -> bool {
    let middle = |name: &[u8]| Some((u64::from_le_bytes(*name.get(8..16)?.first_chunk()?), name.len()));
    let back = |name: &[u8]| Some(u64::from_le_bytes(*name.get(..name.len() - 8)?.last_chunk()?));
    if one.len() <= 32 { middle(one) == middle(other) && back(one) == back(other) } else { one == other }
}

fn place(table: &mut [Slot], hash: u64, slot: Slot) {
    let mask = table.len() - 1;
    let mut at = hash as usize & mask;
    while table[at].number != 0 {
        at = (at + 1) & mask;
    }
    table[at] = slot;
}

impl Sought {
    #[inline]
    fn of(name: &[u8]) -> Self {
        let key = Key::of(name);
        let Key { front, back, length } = key;
        Self { front, back, hash: key.hash(name), start: 0, length, row: 0 }
    }

    /// Of `buffer[start..end]`; quicker than `of` when 16 bytes can be read from `start` on.
    #[inline(always)]
    pub fn at(buffer: &[u8], start: usize, end: usize, row: usize) -> Self {
        let length = end - start;
        match buffer.get(start..).and_then(|from_start| from_start.first_chunk::<SHORT>()) {
            Some(chunk) if length <= SHORT => {
                let key = Key::short(chunk, length);
                let Key { front, back, length } = key;
                Self { front, back, hash: key.hash_short(), start: start as u32, length, row: row as u32 }
            }
            _ => Self { start: start as u32, row: row as u32, ..Self::of(&buffer[start..end]) },
        }
    }

    fn key(&self) -> Key {
        Key { front: self.front, back: self.back, length: self.length }
    }

    fn name<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        &buffer[self.start as usize..][..self.length as usize]
    }
}

impl Key {
    fn of(name: &[u8]) -> Self {
        if let (Some(front), Some(back), true) = (name.first_chunk(), name.last_chunk(), name.len() > SHORT) {
            let (front, back) = (u64::from_le_bytes(*front), u64::from_le_bytes(*back));
            return Key { front, back, length: name.len() as u32 };
        }
        let mut chunk = [0; SHORT];
        chunk[..name.len()].copy_from_slice(name);
        Key::short(&chunk, name.len())
    }

    fn slot(self, number: u32) -> Slot {
        Slot { front: self.front, length: self.length, number }
    }

    /// Of the first `length` bytes of `chunk`, without asking how many there are: names of many lengths come mixed.
    #[inline(always)]
    fn short(chunk: &[u8; SHORT], length: usize) -> Self {
        /// As many ones as bytes count, and zeros behind them.
        const KEPT: [u128; SHORT + 1] = {
            let mut kept = [u128::MAX; SHORT + 1];
            let mut length = 0;
            while length < SHORT {
                kept[length] = (1 << (8 * length)) - 1;
                length += 1;
            }
            kept
        };
        let name = u128::from_le_bytes(*chunk) & KEPT[length];
        Key { front: name as u64, back: (name >> 64) as u64, length: length as u32 }
    }

    /// A quick hash; all bytes of `name`, which this is the key of, take part.
    #[inline(always)]
    fn hash(self, name: &[u8]) -> u64 {
        if self.length as usize > SHORT { xxhash_rust::xxh3::xxh3_64(name) } else { self.hash_short() }
    }

    /// The same of a name that is in its key.
    #[inline(always)]
    fn hash_short(self) -> u64 {
        const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
        // The length sets apart names that end in NULs, which make no difference to the product.
        let front = self.front ^ MIX;
        let back = self.back ^ u64::from(self.length) ^ MIX.rotate_left(32);
        let folded = u128::from(front) * u128::from(back);
        let mixed = (folded as u64 ^ (folded >> 64) as u64).wrapping_mul(MIX);
        mixed ^ (mixed >> 29)
    }
}

/// A quick hash of a name.
pub(crate) fn hash(name: &[u8]) -> u64 {
    Key::of(name).hash(name)
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
