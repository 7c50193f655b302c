//! The distinct names (instruments) of one batch, numbered as they appear.

/// Names and their numbers. Open addressing over a table of numbers; the names stand one after the other.
#[derive(Debug, Default)]
pub(crate) struct Names {
    table: Vec<u32>,
    spans: Vec<(u32, u32, u64)>,
    bytes: Vec<u8>,
}

const FIRST_SLOTS: usize = 1024;

impl Names {
    pub fn clear(&mut self) {
        // A batch with few names does not pay for a table that an earlier one made large.
        if self.spans.len() * 8 < self.table.len() {
            let mask = self.table.len() - 1;
            for &(_, _, hash) in &self.spans {
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
        let (start, end, _) = self.spans[number as usize];
        &self.bytes[start as usize..end as usize]
    }

    /// Bytes held, for whoever keeps a memory budget.
    pub fn memory(&self) -> usize {
        self.table.len() * 4 + self.spans.capacity() * 16 + self.bytes.capacity()
    }

    /// The number of `name`, given if it is new.
    #[inline]
    pub fn number(&mut self, name: &[u8]) -> u32 {
        self.number_hashed(name, hash(name))
    }

    /// The same for a name whose `hash` is known.
    #[inline]
    pub fn number_hashed(&mut self, name: &[u8], hash: u64) -> u32 {
        if !self.table.is_empty() {
            let mask = self.table.len() - 1;
            let mut slot = hash as usize & mask;
            loop {
                let entry = self.table[slot];
                if entry == 0 {
                    break;
                }
                let (start, end, known) = self.spans[entry as usize - 1];
                if known == hash && &self.bytes[start as usize..end as usize] == name {
                    return entry - 1;
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
        self.spans.push((start, self.bytes.len() as u32, hash));
        let number = self.spans.len() as u32;
        place(&mut self.table, hash, number);
        number - 1
    }

    fn grow(&mut self) {
        let slots = (self.table.len() * 2).max(FIRST_SLOTS);
        self.table.clear();
        self.table.resize(slots, 0);
        for (index, &(_, _, hash)) in self.spans.iter().enumerate() {
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

/// A quick hash of a short name; all bytes and the length take part.
#[inline]
pub(crate) fn hash(name: &[u8]) -> u64 {
    const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
    if name.len() > 16 {
        return xxhash_rust::xxh3::xxh3_64(name);
    }
    let (mut low, mut high) = (0u64, 0u64);
    if name.len() >= 8 {
        low = u64::from_le_bytes(name[..8].try_into().expect("eight bytes were taken"));
        high = u64::from_le_bytes(name[name.len() - 8..].try_into().expect("eight bytes were taken"));
    } else {
        for (index, byte) in name.iter().enumerate() {
            low |= u64::from(*byte) << (index * 8);
        }
    }
    let folded = u128::from(low ^ (name.len() as u64) << 56 ^ MIX) * u128::from(high ^ MIX.rotate_left(32));
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
