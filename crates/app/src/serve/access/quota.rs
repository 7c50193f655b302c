//! What a key may do in a day, counted so that a restart forgets nothing.
//!
//! Each use is written before it is granted. An upload costs a commit anyway, and commits of many callers are one sync of
//! the disk, so that an exact count costs little; counting ahead in tens would refuse the last nine after a restart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::limits::KEYS_MAX;
use engine::queues::{self, Transaction};
use engine::runtime::Engine;
use serde::{Deserialize, Serialize};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const PREFIX: &str = "access/quota/";

/// The uses of a key on one day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Uses {
    /// Days since 1970.
    day: u64,
    count: u64,
}

/// How often keys were used on this day.
pub(in crate::serve) struct Quotas {
    engine: Arc<Engine>,
    pub per_day: u64,
    by_key: Mutex<HashMap<String, Uses>>,
}

/// What a request for one more use comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::serve) enum Use {
    Granted,
    /// There are no more on this day, which goes on for so long.
    Exhausted(Duration),
}

impl Quotas {
    /// With 0 there is no limit.
    pub fn new(engine: Arc<Engine>, per_day: u32) -> queues::Result<Self> {
        let mut by_key = HashMap::new();
        for (name, value) in engine.queues().records(PREFIX.as_bytes(), None, KEYS_MAX)? {
            let key = String::from_utf8_lossy(&name).trim_start_matches(PREFIX).to_owned();
            by_key.insert(key, serde_json::from_slice(&value).unwrap_or_default());
        }
        Ok(Self { engine, per_day: u64::from(per_day), by_key: Mutex::new(by_key) })
    }

    /// Counts one use of a key. When it is granted, it is counted for good.
    pub async fn take(&self, key: &str, now: u64) -> queues::Result<Use> {
        if self.per_day == 0 {
            return Ok(Use::Granted);
        }
        let day = now / DAY_MS;
        let written = {
            let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
            let known = by_key.get(key).copied().unwrap_or_default();
            let mut uses = if known.day == day { known } else { Uses { day, count: 0 } };
            if uses.count >= self.per_day {
                by_key.insert(key.to_owned(), uses);
                return Ok(Use::Exhausted(Duration::from_millis((day + 1) * DAY_MS - now)));
            }
            uses.count += 1;
            by_key.insert(key.to_owned(), uses);
            let mut transaction = Transaction::default();
            let name = format!("{PREFIX}{key}").into_bytes();
            transaction.records.push((name, Some(serde_json::to_vec(&uses).unwrap_or_default())));
            // handed over under the lock, so that counts are written in their order
            self.engine.queues().transact(transaction, now)
        };
        written.await?;
        Ok(Use::Granted)
    }

    /// Keys and how often they were used today.
    pub fn used(&self, now: u64) -> Vec<(String, u64)> {
        let by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        let today = by_key.iter().filter(|(_, uses)| uses.day == now / DAY_MS);
        today.map(|(key, uses)| (key.clone(), uses.count)).collect()
    }
}
