//! The distinct names (instruments) of one batch, numbered as they appear.

/// Names and their numbers. Open addressing over a table of numbers; the names stand one after the other.
#[derive(Debug, Default)]
pub(crate) struct Names {
    table: Vec<u32>,
    spans: Vec<Span>,
    bytes: Vec<u8>,
}

/// Where a name stands, and what it is found by.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
    hash: u64,
    /// First and last eight bytes: all of a name of up to sixteen.
    ends: (u64, u64),
}

const FIRST_SLOTS: usize = 1024;

impl Names {
    pub fn clear(&mut self) {
        // A batch with few names does not pay for a table that an earlier one made large.
        if self.spans.len() * 8 < self.table.len() {
            let mask = self.table.len() - 1;
            for &Span { hash, .. } in &self.spans {
                let mut slot = hash as usize & mask;
                while self.table[slot] != 0 {
                    self.table[slot] = 0;
                    slot = (slot + 1) & mask;
                }
            }
        } else {
            self.table.fill(0);
        }
        self.spans.clear();
        self.bytes.clear();
    }

    pub fn len(&self) -> usize {
        self.spans.len()
    }

    pub fn get(&self, number: u32) -> &[u8] {
        let Span { start, end, .. } = self.spans[number as usize];
        &self.bytes[start as usize..end as usize]
    }

    /// Bytes held, for whoever keeps a memory budget.
    pub fn memory(&self) -> usize {
        self.table.len() * 4 + self.spans.capacity() * size_of::<Span>() + self.bytes.capacity()
    }

    /// The number of `name`, given if it is new.
    #[inline]
    pub fn number(&mut self, name: &[u8]) -> u32 {
        self.number_hashed(name, hash(name))
    }

    /// The same for a name whose `hash` is known.
    #[inline]
    pub fn number_hashed(&mut self, name: &[u8], hash: u64) -> u32 {
        let ends = ends(name);
        if !self.table.is_empty() {
            let mask = self.table.len() - 1;
            let mut slot = hash as usize & mask;
            loop {
                let entry = self.table[slot];
                if entry == 0 {
                    break;
                }
                let known = self.spans[entry as usize - 1];
                let length = (known.end - known.start) as usize;
                if known.ends == ends && known.hash == hash && length == name.len() {
                    let whole = length <= 16;
                    if whole || &self.bytes[known.start as usize..known.end as usize] == name {
                        return entry - 1;
                    }
                }
                slot = (slot + 1) & mask;
            }
        }
        self.insert(name, hash)
    }

    #[cold]
    fn insert(&mut self, name: &[u8], hash: u64) -> u32 {
        if (self.spans.len() + 1) * 2 > self.table.len() {
            self.grow();
        }
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(name);
        self.spans.push(Span { start, end: self.bytes.len() as u32, hash, ends: ends(name) });
        let number = self.spans.len() as u32;
        place(&mut self.table, hash, number);
        number - 1
    }

    fn grow(&mut self) {
        let slots = (self.table.len() * 2).max(FIRST_SLOTS);
        self.table.clear();
        self.table.resize(slots, 0);
        for (index, &Span { hash, .. }) in self.spans.iter().enumerate() {
            place(&mut self.table, hash, index as u32 + 1);
        }
    }
}

fn place(table: &mut [u32], hash: u64, number: u32) {
    let mask = table.len() - 1;
    let mut slot = hash as usize & mask;
    while table[slot] != 0 {
        slot = (slot + 1) & mask;
    }
    table[slot] = number;
}

/// The first and the last eight bytes of a name, overlapping in one of less than sixteen.
#[inline(always)]
fn ends(name: &[u8]) -> (u64, u64) {
    if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
    } else if let [first, .., last] = name {
        (u64::from(*first) | u64::from(name[1]) << 8, u64::from(*last))
    } else {
        (name.first().copied().unwrap_or_default().into(), 0)
    }
}

/// A quick hash of a name; all bytes and the length take part.
#[inline]
pub(crate) fn hash(name: &[u8]) -> u64 {
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    if name.len() > 16 {
        return xxhash_rust::xxh3::xxh3_64(name);
    }
    let (first, last) = ends(name);
    let folded = u128::from(first ^ (name.len() as u64) << 56 ^ MIX) * u128::from(last ^ MIX.rotate_left(32));
    let mixed = (folded as u64 ^ (folded >> 64) as u64).wrapping_mul(MIX);
    mixed ^ (mixed >> 29)
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
            assert!(names.table.iter().all(|entry| *entry == 0), "{size}");
        }
    }
}
