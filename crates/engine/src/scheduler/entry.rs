//! What the scheduler knows of a message, and how that is written in the index.

use crate::queues::{Millis, Phase};
use crate::scheduler::groups::NONE;

/// A message in a queue, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Number of the group within its queue; [`NONE`] in a standard queue.
    pub(crate) group: u32,
    /// Number of the queue it came from as a dead letter, or 0.
    pub(crate) origin: u32,
    pub(crate) receives: u32,
    /// Notes that were written about it.
    pub(crate) notes: u32,
    pub(crate) phase: Phase,
    pub(crate) sent_at: Millis,
    /// When it came into this queue.
    pub(crate) entered_at: Millis,
    /// When the delay or the lease ends; in the past when ready.
    pub(crate) due_at: Millis,
    /// Number of the last lease, or 0.
    pub(crate) lease: u64,
    /// Times of the last receives.
    pub(crate) attempts: Vec<Millis>,
}

/// An entry as the index has it: with the number of its queue and the name of its group.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) queue: u32,
    pub(crate) group: Option<String>,
    pub(crate) entry: Entry,
}

impl Entry {
    /// Appends the value of the index. Most times are a little after the message was sent and take few bytes as a distance.
    pub(crate) fn encode(&self, queue: u32, group: Option<&str>, bytes: &mut Vec<u8>) {
        let after = |time: Millis| time.saturating_sub(self.sent_at);
        put(bytes, u64::from(queue));
        put(bytes, phase_number(self.phase));
        put(bytes, u64::from(self.origin));
        put(bytes, u64::from(self.receives));
        put(bytes, u64::from(self.notes));
        put(bytes, self.sent_at);
        put(bytes, after(self.entered_at));
        put(bytes, after(self.due_at));
        put(bytes, self.lease);
        put(bytes, self.attempts.len() as u64);
        for attempt in &self.attempts {
            put(bytes, after(*attempt));
        }
        // no group is one more than the length of any
        put(bytes, group.map_or(0, |group| group.len() as u64 + 1));
        bytes.extend_from_slice(group.unwrap_or_default().as_bytes());
    }
}

impl Row {
    /// Reads a value of the index; nothing if it is damaged. The group has no number yet.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        let queue = take_u32(bytes)?;
        let phase = phase_of(take(bytes)?)?;
        let (origin, receives, notes) = (take_u32(bytes)?, take_u32(bytes)?, take_u32(bytes)?);
        let sent_at = take(bytes)?;
        let entered_at = sent_at.checked_add(take(bytes)?)?;
        let due_at = sent_at.checked_add(take(bytes)?)?;
        let lease = take(bytes)?;
        let count = usize::try_from(take(bytes)?).ok().filter(|count| *count <= bytes.len())?;
        let mut attempts = Vec::with_capacity(count);
        for _ in 0..count {
            attempts.push(sent_at.checked_add(take(bytes)?)?);
        }
        let group = match take(bytes)? {
            0 => None,
            more => Some(String::from_utf8(take_bytes(bytes, more - 1)?.to_vec()).ok()?),
        };
        let entry = Entry {
            // the line that it is put into knows better
            group: NONE,
            origin,
            receives,
            notes,
            phase,
            sent_at,
            entered_at,
            due_at,
            lease,
            attempts,
        };
        bytes.is_empty().then_some(Self { queue, group, entry })
    }
}

/// Appends the value of a body: the sender's deduplication id before the content.
pub(crate) fn encode_body(deduplication: Option<&str>, body: &[u8], bytes: &mut Vec<u8>) {
    put(bytes, deduplication.map_or(0, |id| id.len() as u64 + 1));
    bytes.extend_from_slice(deduplication.unwrap_or_default().as_bytes());
    bytes.extend_from_slice(body);
}

/// The deduplication id and the content; nothing if the value is damaged.
pub(crate) fn decode_body(mut bytes: &[u8]) -> Option<(Option<String>, Vec<u8>)> {
    let bytes = &mut bytes;
    let id = match take(bytes)? {
        0 => None,
        more => Some(String::from_utf8(take_bytes(bytes, more - 1)?.to_vec()).ok()?),
    };
    Some((id, bytes.to_vec()))
}

fn phase_number(phase: Phase) -> u64 {
    match phase {
        Phase::Ready => 0,
        Phase::Delayed => 1,
        Phase::InFlight => 2,
    }
}

fn phase_of(number: u64) -> Option<Phase> {
    match number {
        0 => Some(Phase::Ready),
        1 => Some(Phase::Delayed),
        2 => Some(Phase::InFlight),
        _ => None,
    }
}

/// Writes a number, seven bits to a byte, the smallest first.
pub(crate) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number off the front.
pub(crate) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let low = u64::from(first & 0x7f);
        if low << shift >> shift != low {
            return None;
        }
        number |= low << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

pub(crate) fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    u32::try_from(take(bytes)?).ok()
}

pub(crate) fn take_bytes<'a>(bytes: &mut &'a [u8], count: u64) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(count).ok()?)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            group: NONE,
            origin: 3,
            receives: 2,
            notes: 1,
            phase: Phase::InFlight,
            sent_at: 1_700_000_000_000,
            entered_at: 1_700_000_000_000,
            due_at: 1_700_000_030_000,
            lease: u64::MAX,
            attempts: vec![1_700_000_000_500, 1_700_000_001_000],
        }
    }

    fn encoded(group: Option<&str>) -> Vec<u8> {
        let mut bytes = Vec::new();
        entry().encode(7, group, &mut bytes);
        bytes
    }

    #[test]
    fn entries_and_bodies_come_back_as_they_were() {
        for group in [None, Some(""), Some("feed-1")] {
            let row = Row::decode(&encoded(group)).unwrap();
            assert_eq!(row, Row { queue: 7, group: group.map(str::to_owned), entry: entry() });
        }
        for id in [None, Some("x")] {
            let mut value = Vec::new();
            encode_body(id, b"body", &mut value);
            assert_eq!(decode_body(&value), Some((id.map(str::to_owned), b"body".to_vec())));
        }
    }

    #[test]
    fn a_value_cut_anywhere_is_damaged() {
        let value = encoded(Some("feed-1"));
        for length in 0..value.len() {
            assert_eq!(Row::decode(&value[..length]), None, "{length}");
        }
    }

    #[test]
    fn an_entry_takes_few_bytes() {
        assert!(encoded(Some("feed-1")).len() <= 48);
    }

    #[test]
    fn numbers_beyond_64_bits_are_damaged() {
        assert_eq!(take(&mut [0xff; 11].as_slice()), None);
        assert_eq!(take(&mut [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1].as_slice()), Some(u64::MAX));
        assert_eq!(take(&mut [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2].as_slice()), None);
    }
}
