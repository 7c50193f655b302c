//! Bytes kept in case they are needed again: the first of them in memory, the others in scratch space.

use std::io::Result;

use crate::source::Scratch;

/// So many bytes stay in memory; most files have no more to keep.
const MEMORY_BYTES: usize = 1024 * 1024;

/// Bytes one after the other.
pub(super) struct Kept {
    scratch: Box<dyn Scratch>,
    /// How many are in scratch space, and where there they begin. Nobody else writes to it.
    away: u64,
    away_at: u64,
    here: Vec<u8>,
}

impl Kept {
    pub fn new(scratch: Box<dyn Scratch>) -> Self {
        Self { scratch, away: 0, away_at: 0, here: Vec::new() }
    }

    /// Keeps `bytes`; answers the place to ask for them.
    pub fn keep(&mut self, bytes: &[u8]) -> Result<u64> {
        if !self.here.is_empty() && self.here.len() + bytes.len() > MEMORY_BYTES {
            let offset = self.scratch.append(&self.here)?;
            if self.away == 0 {
                self.away_at = offset;
            }
            self.away += self.here.len() as u64;
            self.here.clear();
        }
        let place = self.away + self.here.len() as u64;
        self.here.extend_from_slice(bytes);
        Ok(place)
    }

    /// Fills `into` with the bytes kept at `place`.
    pub fn read(&mut self, place: u64, into: &mut [u8]) -> Result<()> {
        match place.checked_sub(self.away) {
            None => self.scratch.read_at(self.away_at + place, into),
            Some(here) => {
                into.copy_from_slice(&self.here[here as usize..here as usize + into.len()]);
                Ok(())
            }
        }
    }
}
