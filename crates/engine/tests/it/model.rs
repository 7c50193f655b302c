//! The engine held against the rules: ten thousand random stories of sends, receives, acknowledgements, heartbeats,
//! passing time, redrives, purges, failing commits and restarts, on every kind of queue.
//!
//! A failure prints the seed of its story; `story(kind, parking, seed)` tells it again.

use std::io::ErrorKind;

use engine::queues::{
    Error, Kind, Lease, Message, MessageId, Millis, OnDead, Phase, Queue, Received, Settings, Transaction,
};
use engine::store::Fault;

use crate::rules::{self, Rules, Stand};
use crate::{Bench, MINUTE, SECOND, T};

const STORIES: u64 = 3400;
const STEPS: usize = 30;
const DAY: Millis = 24 * 60 * MINUTE;

/// All groups there are, sorted.
const GROUPS: [&str; 3] = ["g", "h", "i"];

#[test]
fn standard_queues_keep_the_rules() {
    (0..STORIES).for_each(|seed| story(&Kind::Standard, &[], seed));
}

#[test]
fn fifo_queues_keep_the_rules() {
    (0..STORIES).for_each(|seed| story(&fifo(OnDead::SkipAndMark), &[], seed));
}

#[test]
fn parking_fifo_queues_keep_the_rules() {
    (0..STORIES).for_each(|seed| story(&fifo(OnDead::Park), &GROUPS, seed));
}

#[test]
fn fifo_queues_that_park_some_groups_keep_the_rules() {
    let on_dead = OnDead::ParkGroups(vec!["g".to_owned(), "i".to_owned()]);
    (0..STORIES).for_each(|seed| story(&fifo(on_dead.clone()), &["g", "i"], seed));
}

fn fifo(on_dead: OnDead) -> Kind {
    Kind::Fifo { by_content: true, on_dead }
}

/// Numbers that are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// The engine and the rules, side by side. Messages and leases of the rules are places in these lists.
struct Story {
    dice: Dice,
    bench: Option<Bench>,
    rules: Rules,
    ids: Vec<MessageId>,
    leases: Vec<Lease>,
    /// What happened, for the reader of a failure.
    log: Vec<String>,
}

fn story(kind: &Kind, parking: &'static [&'static str], seed: u64) {
    let mut dice = Dice(seed);
    let delay_ms = dice.one_of(&[0, 0, 2 * SECOND]);
    let queue = Settings { delay_ms, retention_ms: DAY, ..Settings::new("q", kind.clone()) }.redrive("dead", 2);
    let dead = Settings { retention_ms: 2 * DAY, ..queue.dead_letters("dead") };
    let rule = |settings: &Settings, redrive| rules::Queue {
        is_fifo: *kind != Kind::Standard,
        parking,
        delay: settings.delay_ms,
        retention: settings.retention_ms,
        redrive,
        messages: Vec::new(),
    };
    let rules = Rules::new(T, vec![rule(&queue, Some((1, 2))), rule(&dead, None)]);
    let bench = Some(Bench::new(&[queue, dead]));
    let mut story = Story { dice, bench, rules, ids: Vec::new(), leases: Vec::new(), log: Vec::new() };
    let told = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for _ in 0..STEPS {
            story.step();
        }
        story.compare();
    }));
    if let Err(panic) = told {
        panic!("{kind:?}, seed {seed}:\n{}\n{}", story.log.join("\n"), crate::panic_text(panic.as_ref()));
    }
}

impl Story {
    fn bench(&self) -> &Bench {
        self.bench.as_ref().expect("it is open")
    }

    fn queue(&self, number: usize) -> Queue {
        if number == 0 { self.bench().q() } else { self.bench().dead() }
    }

    fn step(&mut self) {
        if self.dice.below(12) == 0 {
            self.log.push("the next commit fails".to_owned());
            self.bench().store.fail_next(Fault { kind: ErrorKind::StorageFull, kept: false });
        }
        match self.dice.below(16) {
            0..4 => self.send(),
            4..8 => self.receive(),
            8..10 => self.acknowledge(),
            10 => self.hold(),
            11 => self.transact(),
            12..14 => self.pass(),
            14 => self.clear_up(),
            _ => self.reopen(),
        }
        if self.dice.below(6) == 0 {
            self.compare();
        }
    }

    fn pass(&mut self) {
        let times = [1, SECOND, 2 * SECOND, 10 * SECOND, 30 * SECOND, 5 * MINUTE - 1, 5 * MINUTE, DAY];
        let by = self.dice.one_of(&times);
        self.log.push(format!("{by} ms pass"));
        let bench = self.bench.as_mut().expect("it is open");
        bench.now += by;
        self.rules.pass(bench.now);
    }

    fn reopen(&mut self) {
        self.log.push("the engine is opened again".to_owned());
        self.bench = self.bench.take().map(Bench::reopen);
    }

    /// What to send where: the queue, the message, and the parts of it that the rules know.
    fn message(&mut self) -> (usize, Message) {
        // Dead-letter queues are queues: one may send to them.
        let queue = self.dice.one_of(&[0, 0, 0, 0, 1]);
        let mut message = Message::new(self.dice.one_of(&["a", "b", "c", "d"]));
        if self.rules.queues[0].is_fifo {
            message.group = Some(self.dice.one_of(&GROUPS).to_owned());
            let ids = [None, Some("1"), Some("2"), Some("3"), Some("4"), Some("5"), Some("6")];
            message.deduplication = self.dice.one_of(&ids).map(str::to_owned);
        } else {
            message.delay_ms = self.dice.one_of(&[None, None, Some(0), Some(SECOND)]);
        }
        (queue, message)
    }

    fn send_by_rules(&mut self, queue: usize, message: &Message) -> (usize, bool) {
        let body = std::str::from_utf8(&message.body).expect("bodies are text");
        let group = message.group.as_deref().unwrap_or_default();
        self.rules.send(queue, body, group, message.deduplication.as_deref(), message.delay_ms)
    }

    fn expect_sent(&mut self, expected: (usize, bool), sent: engine::queues::Sent) {
        let (number, is_duplicate) = expected;
        assert_eq!(sent.duplicate, is_duplicate, "duplicate");
        if !is_duplicate {
            assert_eq!(number, self.ids.len());
            self.ids.push(sent.id);
        }
        assert_eq!(sent.id, self.ids[number]);
    }

    fn send(&mut self) {
        let (queue, message) = self.message();
        self.log.push(format!("send {message:?} to {queue}"));
        let answer = self.bench().queues.send(self.queue(queue), message.clone(), self.bench().now).wait();
        let Some(sent) = kept(answer) else { return };
        let expected = self.send_by_rules(queue, &message);
        self.expect_sent(expected, sent.expect("a good message is taken")[0]);
    }

    fn receive(&mut self) {
        let queue = self.dice.one_of(&[0, 0, 0, 1]);
        let most = self.dice.below(4) + 1;
        let visibility = self.dice.one_of(&[0, SECOND, 10 * SECOND, MINUTE]);
        self.log.push(format!("receive {most} of {queue} for {visibility} ms"));
        let bench = self.bench();
        let answer = bench.queues.receive(self.queue(queue), most, Some(visibility), bench.now).wait();
        let Some(received) = kept(answer) else { return };
        let received: Vec<Received> = received.expect("receiving is allowed");
        let expected = self.rules.receive(queue, most, visibility);
        let bodies = |received: &Received| String::from_utf8_lossy(&received.body).into_owned();
        assert_eq!(
            received.iter().map(bodies).collect::<Vec<_>>(),
            expected.iter().map(|(_, message)| message.body.clone()).collect::<Vec<_>>(),
            "received"
        );
        for (received, (lease, message)) in received.into_iter().zip(expected) {
            assert_eq!(lease, self.leases.len());
            assert_eq!(received.lease.id(), self.ids[message.id]);
            assert_eq!((received.receives, received.sent_at), (message.receives, message.sent_at));
            assert_eq!(received.group.unwrap_or_default(), message.group);
            self.leases.push(received.lease);
        }
        // A lease of no length is over at once.
        self.rules.pass(self.rules.now);
    }

    fn a_lease(&mut self) -> Option<usize> {
        // Late leases are more interesting than very old ones.
        let recent = self.leases.len().min(6);
        (recent > 0).then(|| self.leases.len() - 1 - self.dice.below(recent))
    }

    fn acknowledge(&mut self) {
        let Some(lease) = self.a_lease() else { return };
        self.log.push(format!("acknowledge lease {lease}"));
        let answer = self.bench().queues.acknowledge(vec![self.leases[lease]], self.bench().now).wait();
        let Some(answer) = kept(answer) else { return };
        assert_eq!(is_held(answer), self.rules.acknowledge(lease), "acknowledged");
    }

    fn hold(&mut self) {
        let Some(lease) = self.a_lease() else { return };
        let visibility = self.dice.one_of(&[0, 0, SECOND, MINUTE]);
        let note = self.dice.one_of(&[None, Some("broken")]);
        self.log.push(format!("hold lease {lease} for {visibility} ms, saying {note:?}"));
        let text = note.map(|note| note.as_bytes().to_vec());
        let answer = self.bench().queues.hold(self.leases[lease], visibility, text, self.bench().now).wait();
        let Some(answer) = kept(answer) else { return };
        assert_eq!(is_held(answer), self.rules.hold(lease, visibility, note), "held");
        self.rules.pass(self.rules.now);
    }

    /// Acknowledges and sends together: all of it or nothing.
    fn transact(&mut self) {
        let leases: Vec<usize> = (0..self.dice.below(3)).filter_map(|_| self.a_lease()).collect();
        let messages: Vec<(usize, Message)> = (0..self.dice.below(3)).map(|_| self.message()).collect();
        self.log.push(format!("acknowledge leases {leases:?} and send {messages:?}"));
        let transaction = Transaction {
            acknowledges: leases.iter().map(|lease| self.leases[*lease]).collect(),
            sends: messages.iter().map(|(queue, message)| (self.queue(*queue), message.clone())).collect(),
            ..Transaction::default()
        };
        let answer = self.bench().queues.transact(transaction, self.bench().now).wait();
        let Some(answer) = kept(answer) else { return };
        if !leases.iter().all(|lease| self.rules.held(*lease).is_some()) {
            assert!(!is_held(answer), "a transaction with a lost lease was taken");
            return;
        }
        for lease in leases {
            self.rules.acknowledge(lease);
        }
        for ((queue, message), sent) in messages.into_iter().zip(answer.expect("all leases are good")) {
            let expected = self.send_by_rules(queue, &message);
            self.expect_sent(expected, sent);
        }
    }

    /// Redrives or purges, one or all.
    fn clear_up(&mut self) {
        let what = self.dice.below(5);
        let one = self.dice.below(self.ids.len().max(1));
        let Some(id) = self.ids.get(one).copied() else { return };
        self.log.push(format!("clear up in way {what}, message {one}"));
        let bench = self.bench();
        let (queues, now) = (&bench.queues, bench.now);
        match what {
            0..2 => {
                let Some(answer) = kept(queues.redrive(bench.dead(), now)) else { return };
                assert_eq!(answer.expect("redriving is allowed"), self.rules.redrive(1, None), "redriven");
            }
            2 => {
                let Some(answer) = kept(queues.redrive_one(bench.dead(), id, now).wait()) else { return };
                assert_eq!(answer.is_ok(), self.rules.redrive(1, Some(one)) == 1, "redriven");
            }
            3 => {
                let Some(answer) = kept(queues.purge_one(bench.dead(), id, now).wait()) else { return };
                assert_eq!(answer.is_ok(), self.rules.purge_one(1, one), "purged");
            }
            _ => {
                let queue = self.dice.below(2);
                let Some(answer) = kept(self.bench().queues.purge(self.queue(queue), now)) else { return };
                assert_eq!(answer.expect("purging is allowed"), self.rules.purge(queue), "purged");
            }
        }
    }

    /// Everything that can be seen of both queues is as the rules say.
    fn compare(&mut self) {
        self.log.push("compare".to_owned());
        for queue in 0..2 {
            let bench = self.bench();
            let listed = loop {
                let answer = bench.queues.list(self.queue(queue), None, 1000, bench.now).wait();
                if let Some(listed) = kept(answer) {
                    break listed.expect("the queue is there");
                }
            };
            let expected = &self.rules.queues[queue].messages;
            let ids: Vec<MessageId> = expected.iter().map(|message| self.ids[message.id]).collect();
            assert_eq!(listed.iter().map(|listed| listed.id).collect::<Vec<_>>(), ids, "messages of queue {queue}");
            let mut counts = [0; 3];
            for (listed, message) in listed.iter().zip(expected) {
                let phase = match message.stand {
                    Stand::Waiting => Phase::Ready,
                    Stand::Delayed(_) => Phase::Delayed,
                    Stand::InFlight(_) => Phase::InFlight,
                };
                counts[phase as usize] += 1;
                assert_eq!(listed.phase, phase, "{message:?}");
                if let Stand::Delayed(until) | Stand::InFlight(until) = message.stand {
                    assert_eq!(listed.visible_at, until, "{message:?}");
                }
                assert_eq!((listed.sent_at, listed.entered_at), (message.sent_at, message.entered_at), "{message:?}");
                assert_eq!(listed.receives, message.receives, "{message:?}");
                let kept = message.attempts.len().saturating_sub(10);
                assert_eq!(listed.attempts, message.attempts[kept..], "{message:?}");
                assert_eq!(listed.origin, message.origin.map(|origin| self.queue(origin)), "{message:?}");
                let parked_for = self.rules.parked_for(queue, &message.group);
                assert_eq!(listed.blocked_by, parked_for.map(|id| self.ids[id]), "{message:?}");
                let shown = bench.queues.show(self.queue(queue), listed.id, bench.now).expect("it is listed");
                assert_eq!(shown.body, message.body.as_bytes());
                let notes = message.notes.len().saturating_sub(10);
                let texts = shown.notes.iter().map(|note| String::from_utf8_lossy(&note.text).into_owned());
                assert_eq!(texts.collect::<Vec<_>>(), message.notes[notes..], "{message:?}");
            }
            let statistics = bench.queues.statistics(self.queue(queue), bench.now).wait().expect("it is there");
            assert_eq!([statistics.visible, statistics.delayed, statistics.in_flight], counts);
        }
    }
}

/// Nothing when the commit failed on purpose: then nothing happened.
fn kept<T>(answer: Result<T, Error>) -> Option<Result<T, Error>> {
    match answer {
        Err(Error::Store(_)) => None,
        answer => Some(answer),
    }
}

/// Whether a call with a lease was taken; anything but a lost lease is a failure.
fn is_held<T>(answer: Result<T, Error>) -> bool {
    match answer {
        Ok(_) => true,
        Err(Error::LeaseLost { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}
