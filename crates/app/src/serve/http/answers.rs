//! Answers about files that were given before. Whoever waits for a file asks for it again and again, and mostly hears the
//! same: an answer holds for as long as the records that it was made from are what they were.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use engine::pipeline::object::ReceiptId;
use engine::pipeline::receipt::Receipt;

/// Bytes of records and answers that are kept, twice over at most.
const ANSWERS_BYTES_MAX: usize = 8 * 1024 * 1024;

/// An answer, and what it was made from.
pub(super) struct Answer {
    /// All files that have the name.
    pub named: Vec<ReceiptId>,
    /// The one that it is about, and its record.
    pub shown: ReceiptId,
    pub record: Vec<u8>,
    pub receipt: Receipt,
    pub json: Bytes,
}

impl Answer {
    fn bytes(&self) -> usize {
        // a receipt that was read takes some times what its record does
        self.json.len() + 5 * self.record.len() + 64 * self.named.len()
    }
}

/// What was answered to whom who asked for which name. Those that nobody asked for in a while are forgotten: when the
/// young are too many they become the old, and the old before them are gone.
#[derive(Default)]
pub(in crate::serve) struct Answers(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<String, Arc<Answer>>,
    old: HashMap<String, Arc<Answer>>,
    young_bytes: usize,
}

impl Generations {
    fn keep(&mut self, asked: String, answer: Arc<Answer>) {
        self.young_bytes += answer.bytes() + asked.len();
        if let Some(before) = self.young.insert(asked, answer) {
            self.young_bytes -= before.bytes();
        }
        if self.young_bytes > ANSWERS_BYTES_MAX {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

impl Answers {
    /// The last answer to a question, which need not hold any more.
    pub(super) fn last(&self, asked: &str) -> Option<Arc<Answer>> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = generations.young.get(asked) {
            return Some(answer.clone());
        }
        let (asked, answer) = generations.old.remove_entry(asked)?;
        generations.keep(asked, answer.clone());
        Some(answer)
    }

    pub(super) fn keep(&self, asked: String, answer: Answer) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keep(asked, Arc::new(answer));
    }
}

#[cfg(test)]
mod tests {
    use engine::pipeline::message::Feed;
    use engine::pipeline::object::ObjectVersion;
    use engine::pipeline::preset::Preset;
    use engine::pipeline::receipt::Arrival;

    use super::*;

    fn answer(json: Vec<u8>) -> Answer {
        let object = ObjectVersion { bucket: "b".to_owned(), key: "k".to_owned(), version: "1".to_owned() };
        let feed = Feed::try_from("files".to_owned()).unwrap();
        let (preset, aliases, trace) = (Preset::Files, Default::default(), String::new());
        let receipt = Receipt::new(Arrival { object, preset, feed, aliases, trace, at: 0 });
        Answer { named: vec![receipt.id()], shown: receipt.id(), record: Vec::new(), receipt, json: json.into() }
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let answers = Answers::default();
        answers.keep("asked".to_owned(), answer(b"1".to_vec()));
        answers.keep("not asked".to_owned(), answer(b"2".to_vec()));
        for number in 0..40 {
            answers.keep(number.to_string(), answer(vec![b' '; ANSWERS_BYTES_MAX / 8]));
            assert_eq!(answers.last("asked").unwrap().json, b"1"[..], "{number}");
        }
        assert!(answers.last("not asked").is_none() && answers.last("0").is_none());
        let generations = answers.0.lock().unwrap();
        let kept = generations.young.values().chain(generations.old.values()).map(|answer| answer.bytes());
        assert!(kept.sum::<usize>() <= 3 * ANSWERS_BYTES_MAX, "two generations, and what was one too many");
    }
}
