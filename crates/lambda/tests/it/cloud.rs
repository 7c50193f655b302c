//! The cloud in memory: tables, buckets and a queue that keep what they are told, and calls that fail as planned.

mod buckets;
mod left;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lambda::announce::{Announcer, Event};
use lambda::queue::Queue;
use lambda::table::{self, Action, Error, Field, Item, Key, Name, Place, RowKey, Table, Test, number};
use pipeline::message::Message;
use pipeline::object::ObjectVersion;
use pipeline::ports::Cause;
use pipeline::preset::Preset;
use pipeline::topology::ANEW_EVENT;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is throttled, or did not come through.
    Before,
    /// It did what it should, and the answer came too late.
    After,
    /// Others were at the same items at the same time; of a transaction only.
    Conflict,
    /// A condition did not hold just then, that of the first action; of a transaction only.
    Condition,
    /// It is on its way, and happens or is refused when it lands; of a transaction only.
    Late,
    /// Some of a batch were taken and others not.
    Part,
}

/// The faults that differ for a call of this name: what only looks is the same before and after.
pub fn faults(call: &str) -> &'static [Fault] {
    match call {
        "transact" => &[Fault::Before, Fault::After, Fault::Conflict, Fault::Condition],
        "send" | "announce" | "begin" | "batch" => &[Fault::Before, Fault::After, Fault::Part],
        "get" | "query" | "object" => &[Fault::Before],
        _ => &[Fault::Before, Fault::After],
    }
}

/// A version of an object: its id, its bytes and the note beside them.
type Version = (String, Vec<u8>, Option<String>);

#[derive(Debug, Default)]
struct State {
    ledger: BTreeMap<Key, Item>,
    rows: BTreeMap<RowKey, Item>,
    /// Rows of transactions, by transaction and set, and the items of sets.
    transactions: BTreeMap<[String; 2], Item>,
    status: BTreeMap<String, Item>,
    objects: BTreeMap<(String, String), Vec<Version>>,
    uploads: BTreeMap<String, BTreeMap<usize, Vec<u8>>>,
    sent: Vec<Message>,
    /// What a queue that keeps the order has seen.
    seen: BTreeSet<String>,
    /// All that was ever sent.
    ever_sent: BTreeSet<String>,
    told: Vec<Event>,
    /// How long each call that tells people was given.
    patience: Vec<Duration>,
    calls: Vec<&'static str>,
    planned: BTreeMap<usize, Fault>,
    /// A transaction on its way, and before which call it lands.
    late: Vec<Action>,
    lands: Option<usize>,
    transactions_max: usize,
}

/// The cloud; clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Cloud(Arc<Mutex<State>>);

impl Cloud {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the call of this number fail, counted from 0.
    pub fn plan(&self, number: usize, fault: Fault) {
        self.lock().planned.insert(number, fault);
    }

    /// Lets the transaction that is on its way land before the call of this number.
    pub fn land_before(&self, number: usize) {
        self.lock().lands = Some(number);
    }

    /// Lets it land now, if it did not yet.
    pub fn land(&self) {
        self.lock().land();
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<&'static str> {
        self.lock().calls.clone()
    }

    /// Takes what was sent.
    pub fn receive(&self) -> Vec<Message> {
        std::mem::take(&mut self.lock().sent)
    }

    /// What people were told.
    pub fn told(&self) -> Vec<Event> {
        self.lock().told.clone()
    }

    /// How long each call that tells people was given.
    pub fn patience(&self) -> Vec<Duration> {
        self.lock().patience.clone()
    }

    /// Lets no call fail any more.
    pub fn calm(&self) {
        self.lock().planned.clear();
    }

    /// Planned faults that did not come up yet.
    pub fn left(&self) -> usize {
        self.lock().planned.len()
    }

    /// Lets time pass, after which a queue that keeps the order takes a message that it has seen for a new one.
    pub fn forget(&self) {
        self.lock().seen.clear();
    }

    /// Puts an object there as its sender does, under this version.
    pub fn plant(&self, object: &ObjectVersion, bytes: &[u8]) {
        let version = (object.version.clone(), bytes.to_vec(), None);
        self.lock().objects.entry((object.bucket.clone(), object.key.clone())).or_default().push(version);
    }

    /// Takes a version away.
    pub fn remove(&self, object: &ObjectVersion) {
        let mut state = self.lock();
        let versions = state.objects.get_mut(&(object.bucket.clone(), object.key.clone())).expect("it is there");
        versions.retain(|(version, ..)| *version != object.version);
    }

    /// Takes an object away that a stage has written: kept by its content, between its folder and its name.
    pub fn remove_result(&self, bucket: &str, key: &str) {
        let (folder, name) = key.split_once('/').expect("results are in folders");
        let mut state = self.lock();
        let before = state.objects.len();
        state.objects.retain(|(of, key), _| of != bucket || !key.starts_with(folder) || !key.ends_with(name));
        assert_eq!(state.objects.len() + 1, before, "it was there");
    }

    /// Uploads in parts that were begun and are neither whole nor forgotten.
    pub fn uploads(&self) -> usize {
        self.lock().uploads.len()
    }

    /// Loses a bucket with all that is in it.
    pub fn lose(&self, bucket: &str) {
        self.lock().objects.retain(|(name, _), _| name != bucket);
    }

    /// What stands in the table of states under this key.
    pub fn state(&self, key: &str) -> Option<Item> {
        self.lock().status.get(key).cloned()
    }

    /// Records of these kinds, by group and id, with their content; marks and what is prepared are left out.
    pub fn records(&self) -> BTreeMap<Key, Vec<u8>> {
        let state = self.lock();
        let of = |(key, item): (&Key, &Item)| Some((key.clone(), table::bytes(item, "value")?.to_vec()));
        state.ledger.iter().filter_map(of).collect()
    }

    /// Rows in their table.
    pub fn rows(&self) -> BTreeMap<RowKey, Item> {
        self.lock().rows.clone()
    }

    /// Transactions in their table, and what is said of sets of them.
    pub fn transactions(&self) -> BTreeMap<[String; 2], Item> {
        self.lock().transactions.clone()
    }

    /// The transactions that count, as somebody finds them who looks into the table.
    pub fn counting(&self) -> Vec<Item> {
        let all = self.transactions();
        let counts = |item: &&Item| {
            let set = table::text(item, "file").expect("a set").to_owned();
            let standing = all.get(&[set, "standing".to_owned()]);
            standing.is_some_and(|standing| table::text(standing, "counts") == Some("yes"))
        };
        all.values().filter(counts).cloned().collect()
    }

    /// The most actions that a transaction had.
    pub fn transactions_max(&self) -> usize {
        self.lock().transactions_max
    }

    fn call<T>(&self, name: &'static str, act: impl FnOnce(&mut State) -> T) -> Result<T, (Fault, Option<T>)> {
        let mut state = self.lock();
        let number = state.calls.len();
        state.calls.push(name);
        if state.lands == Some(number) {
            state.land();
        }
        match state.planned.remove(&number) {
            None => Ok(act(&mut state)),
            Some(Fault::After) => Err((Fault::After, Some(act(&mut state)))),
            Some(fault) => Err((fault, None)),
        }
    }

    fn ask<T>(&self, name: &'static str, act: impl FnOnce(&mut State) -> Result<T, Cause>) -> Result<T, Cause> {
        self.call(name, act).unwrap_or_else(|(fault, _)| Err(format!("planned: {fault:?} at {name}").into()))
    }
}

fn holds(tests: &[Test], item: Option<&Item>) -> bool {
    tests.iter().all(|test| match test {
        Test::Missing(name) => item.is_none_or(|item| !item.contains_key(*name)),
        Test::Is(name, field) => item.is_some_and(|item| item.get(*name) == Some(field)),
        Test::AtMost(name, most) => match item.and_then(|item| item.get(*name)) {
            None => true,
            Some(Field::Number(number)) => number <= most,
            Some(_) => false,
        },
        Test::MissingOr(name, field) => item.and_then(|item| item.get(*name)).is_none_or(|there| there == field),
    })
}

impl State {
    fn land(&mut self) {
        let late = std::mem::take(&mut self.late);
        if !late.is_empty() {
            // nobody waits for the answer any more
            drop(State::transact(self, late));
        }
    }

    fn transact(&mut self, actions: Vec<Action>) -> Result<(), Vec<usize>> {
        assert!((1..=100).contains(&actions.len()), "a transaction of {} actions", actions.len());
        let bytes: usize =
            actions.iter().map(|action| if let Action::Put(_, item, _) = action { table::size(item) } else { 0 }).sum();
        assert!(bytes <= 4 << 20, "a transaction of {bytes} bytes");
        self.transactions_max = self.transactions_max.max(actions.len());
        let mut places = BTreeSet::new();
        let mut failed = Vec::new();
        for (index, action) in actions.iter().enumerate() {
            let (place, tests) = match action {
                Action::Put(name, item, tests) => (place_of(*name, item), tests),
                Action::Delete(key, tests) => (format!("{key:?}"), tests),
                Action::Check(Place::Ledger(key), tests) => (format!("{key:?}"), tests),
                Action::Check(Place::Row(key), tests) => (format!("{key:?}"), tests),
            };
            let there = match action {
                Action::Put(Name::Status, item, _) => self.status.get(&state_key(item)),
                Action::Put(Name::Ledger, item, _) => self.ledger.get(&Key::of(item)),
                Action::Put(Name::Rows, item, _) => match RowKey::of(item) {
                    Some(key) => self.rows.get(&key),
                    None => self.transactions.get(&transaction_key(item)),
                },
                Action::Delete(key, _) | Action::Check(Place::Ledger(key), _) => self.ledger.get(key),
                Action::Check(Place::Row(key), _) => self.rows.get(key),
            };
            assert!(places.insert(place), "an item twice in a transaction: {action:?}");
            if !holds(tests, there) {
                failed.push(index);
            }
        }
        if !failed.is_empty() {
            return Err(failed);
        }
        for action in actions {
            match action {
                Action::Put(name, item, _) => self.put(name, item),
                Action::Delete(key, _) => drop(self.ledger.remove(&key)),
                Action::Check(..) => {}
            }
        }
        Ok(())
    }

    fn put(&mut self, name: Name, item: Item) {
        match name {
            Name::Ledger => drop(self.ledger.insert(Key::of(&item), item)),
            Name::Status => drop(self.status.insert(state_key(&item), item)),
            Name::Rows => match RowKey::of(&item) {
                Some(key) => drop(self.rows.insert(key, item)),
                None => drop(self.transactions.insert(transaction_key(&item), item)),
            },
        }
    }
}

fn transaction_key(item: &Item) -> [String; 2] {
    ["transaction_id", "file"].map(|name| table::text(item, name).expect("a transaction has its key").to_owned())
}

fn state_key(item: &Item) -> String {
    table::text(item, "file_id").or(table::text(item, "fileId")).expect("a state has its key").to_owned()
}

/// Where an item is put, which must be one that a table takes.
fn place_of(name: Name, item: &Item) -> String {
    assert!(table::size(item) <= 400 * 1024, "an item of {} bytes", table::size(item));
    for field in item.values() {
        if let Field::Decimal(text) = field {
            assert_eq!(number::normal(text).as_ref(), Some(text), "a number as it comes back");
            assert!(text.parse::<u64>().is_err(), "{text} comes back as a whole number");
        }
    }
    match name {
        Name::Status => format!("status {}", state_key(item)),
        Name::Ledger => {
            let key = Key::of(item);
            assert!(!key.group.is_empty() && key.group.len() <= 2048, "a good group: {key:?}");
            assert!(!key.id.is_empty() && key.id.len() <= 1024, "a good id: {key:?}");
            format!("{key:?}")
        }
        Name::Rows if !item.contains_key("symbol") => {
            let key = transaction_key(item);
            let fits = |name: &str, max| table::text(item, name).is_some_and(|text| (1..=max).contains(&text.len()));
            assert!(fits("transaction_id", 2048) && fits("file", 1024), "a good key: {key:?}");
            // what has a day is in the index
            assert!(
                !item.contains_key("day") || fits("day", 2048) && fits("timestamp", 1024),
                "a good entry: {item:?}"
            );
            format!("{key:?}")
        }
        Name::Rows => {
            let key = RowKey::of(item).expect("a row has its key");
            assert!(!key.symbol.is_empty() && key.symbol.len() <= 2048, "a good partition: {key:?}");
            assert!(!matches!(item["timestamp"], Field::Text(_)), "a number: {key:?}");
            format!("{key:?}")
        }
    }
}

impl Table for Cloud {
    fn get(&self, place: &Place) -> Result<Option<Item>, Cause> {
        self.ask("get", |state| {
            Ok(match place {
                Place::Ledger(key) => state.ledger.get(key).cloned(),
                Place::Row(key) => state.rows.get(key).cloned(),
            })
        })
    }

    fn query_rows(
        &self,
        symbol: &str,
        from: i128,
        to: i128,
        items_max: usize,
    ) -> Result<(Vec<Item>, Option<i128>), Cause> {
        self.ask("query", |state| {
            assert!(items_max > 0 && from <= to, "a page of nothing");
            let key = |timestamp| RowKey { symbol: symbol.to_owned(), timestamp };
            let there: Vec<_> = state.rows.range(key(from)..=key(to)).collect();
            let count = there.len().min(items_max).min(37);
            let next = (there.len() > count).then(|| there[count - 1].0.timestamp + 1);
            Ok((there[..count].iter().map(|(_, item)| (*item).clone()).collect(), next))
        })
    }

    fn batch(&self, name: Name, items: Vec<Item>) -> Result<Vec<Item>, Cause> {
        let put = |state: &mut State, items: &[Item]| {
            let places: BTreeSet<String> = items.iter().map(|item| place_of(name, item)).collect();
            assert!((1..=25).contains(&items.len()) && places.len() == items.len(), "a batch of {}", items.len());
            items.iter().for_each(|item| state.put(name, item.clone()));
        };
        match self.call("batch", |state| put(state, &items)) {
            Ok(()) => Ok(Vec::new()),
            Err((Fault::Part, _)) => {
                // every other one is left, the last in any case
                let number = |wanted: usize| items.iter().rev().skip(wanted).step_by(2).cloned().collect::<Vec<_>>();
                let (left, taken) = (number(0), number(1));
                if !taken.is_empty() {
                    put(&mut self.lock(), &taken);
                }
                Ok(left)
            }
            Err((fault, _)) => Err(format!("planned: {fault:?} at batch").into()),
        }
    }

    fn query(
        &self,
        group: &str,
        within: &str,
        after: Option<&str>,
        items_max: usize,
    ) -> Result<(Vec<Item>, Option<String>), Cause> {
        self.ask("query", |state| {
            assert!(items_max > 0, "a page of nothing");
            let from = Key::new(group, after.filter(|after| *after > within).unwrap_or(within));
            let fits = |key: &&Key| key.group == group && key.id.starts_with(within);
            let there = state.ledger.range(&from..).map(|(key, _)| key).take_while(fits);
            let behind = there.filter(|key| after.is_none_or(|after| key.id.as_str() > after));
            // pages end early, as they do when they would be too large
            let keys: Vec<&Key> = behind.take(items_max.min(37) + 1).collect();
            let (count, goes_on) = (keys.len().min(items_max.min(37)), keys.len() > items_max.min(37));
            let next = goes_on.then(|| keys[count - 1].id.clone());
            Ok((keys[..count].iter().map(|key| state.ledger[key].clone()).collect(), next))
        })
    }

    fn transact(&self, actions: Vec<Action>) -> Result<(), Error> {
        match self.call("transact", |state| state.transact(actions.clone())) {
            Err((Fault::Late, _)) => {
                self.lock().late = actions;
                Err(Error::Unavailable("planned: no answer yet".into()))
            }
            Ok(done) => done.map_err(Error::Refused),
            Err((Fault::Conflict, _)) => Err(Error::Refused(Vec::new())),
            Err((Fault::Condition, _)) => Err(Error::Refused(vec![0])),
            Err((fault, _)) => Err(Error::Unavailable(format!("planned: {fault:?}").into())),
        }
    }
}

impl Queue for Cloud {
    fn send(&self, messages: &[(Message, String)]) -> Result<(), Cause> {
        let take = |state: &mut State, messages: &[(Message, String)]| {
            for (message, json) in messages {
                assert_eq!(&Message::from_json(json).expect("a message is sent"), message);
                // only a queue that keeps the order knows what it has seen
                let is_new = state.seen.insert(message.id().as_str().to_owned());
                state.ever_sent.insert(message.id().as_str().to_owned());
                if is_new || message.stage().0 == Preset::Market {
                    state.sent.push(message.clone());
                }
            }
        };
        let done = self.call("send", |state| take(state, messages));
        done.map_err(|(fault, _)| {
            if fault == Fault::Part {
                // one that keeps the order takes the first of them, the other those that it likes
                let of_market = messages.first().is_some_and(|(message, _)| message.stage().0 == Preset::Market);
                let from = if of_market { messages.len() / 2 } else { 0 };
                take(&mut self.lock(), &messages[from..from + messages.len() / 2]);
            }
            format!("planned: {fault:?} at send").into()
        })
    }
}

impl Announcer for Cloud {
    fn announce(&self, events: &[Event], until: Instant) -> Result<(), Cause> {
        assert!(!events.is_empty(), "nothing is told");
        self.lock().patience.push(until.saturating_duration_since(Instant::now()));
        let take = |state: &mut State, events: &[Event]| {
            for event in events {
                if event.name == ANEW_EVENT {
                    let message = Message::from_json(&event.payload).expect("a message is sent");
                    assert!(message.begins_anew() && message.id().as_str() == event.id, "{event:?}");
                    state.ever_sent.insert(message.id().as_str().to_owned());
                    state.sent.push(message);
                    continue;
                }
                let body: serde_json::Value = serde_json::from_str(&event.payload).expect("an event is JSON");
                assert_eq!((&body["type"], &body["id"]), (&event.name.clone().into(), &event.id.clone().into()));
                assert!(event.payload.len() + event.name.len() + 21 <= 256 * 1024, "the bus takes it");
                state.told.push(event.clone());
            }
        };
        let name = if events[0].name == ANEW_EVENT { "begin" } else { "announce" };
        let done = self.call(name, |state| take(state, events));
        done.map_err(|(fault, _)| {
            if fault == Fault::Part {
                // the bus takes those that it likes
                take(&mut self.lock(), &events[events.len() / 2..]);
            }
            format!("planned: {fault:?} at {name}").into()
        })
    }
}
