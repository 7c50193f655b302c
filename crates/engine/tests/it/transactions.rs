//! The transaction: records, acknowledgements and sends together or not at all, through failing commits as well.

use std::io::ErrorKind;

use engine::queues::{Error, Message, Queues, Settings, Transaction};
use engine::store::{self, Fault, Table};

use crate::{Bench, SECOND, T};

fn bench() -> Bench {
    let queue = Settings::fifo("q").redrive("dead", 3);
    let dead = queue.dead_letters("dead");
    Bench::new(&[queue, dead, Settings::fifo("next")])
}

/// Records a step, acknowledges what was received, sends on.
fn step(bench: &Bench, received: &engine::queues::Received) -> Transaction {
    let next = bench.queues.queue("next").unwrap();
    Transaction {
        expects: vec![(b"status".to_vec(), None)],
        records: vec![(b"status".to_vec(), Some(b"done".to_vec())), (b"gone".to_vec(), None)],
        acknowledges: vec![received.lease],
        sends: vec![(next, Message::of_group("g", "id", "on"))],
        ..Transaction::default()
    }
}

/// Nothing of a step happened.
fn assert_untouched(bench: &Bench) {
    let next = bench.queues.queue("next").unwrap();
    assert_eq!(bench.queues.record(b"status").unwrap(), None);
    assert_eq!(bench.counts(next), [0, 0, 0]);
    assert_eq!(bench.all(bench.q()).len(), 1);
}

#[test]
fn a_step_is_recorded_acknowledged_and_sent_on_together() {
    let mut bench = bench();
    bench.send("g/1");
    let received = bench.receive(1);
    let transaction = step(&bench, &received[0]);
    let sent = bench.queues.transact(transaction, bench.now).wait().unwrap();
    assert!(!sent[0].duplicate);
    for _ in 0..2 {
        let next = bench.queues.queue("next").unwrap();
        assert_eq!(bench.queues.record(b"status").unwrap(), Some(b"done".to_vec()));
        assert_eq!(bench.counts(bench.q()), [0, 0, 0]);
        assert_eq!(bench.counts(next), [1, 0, 0]);
        bench = bench.reopen();
    }
}

#[test]
fn a_lost_lease_stops_the_whole_step() {
    let mut bench = bench();
    bench.send("g/1");
    let received = bench.receive(1);
    bench.now = T + 30 * SECOND;
    assert_eq!(bench.receive(1).len(), 1);
    let refused = bench.queues.transact(step(&bench, &received[0]), bench.now).wait();
    assert!(matches!(refused, Err(Error::LeaseLost { .. })));
    assert_untouched(&bench);
}

#[test]
fn a_bad_send_stops_the_whole_step() {
    let bench = bench();
    bench.send("g/1");
    let received = bench.receive(1);
    let mut transaction = step(&bench, &received[0]);
    transaction.sends.push((bench.q(), Message::new("no group")));
    let refused = bench.queues.transact(transaction, bench.now).wait();
    assert!(matches!(refused, Err(Error::Invalid { .. })));
    assert_untouched(&bench);
}

#[test]
fn a_record_that_changed_stops_the_whole_step() {
    let bench = bench();
    bench.send("g/1");
    let received = bench.receive(1);
    let mut transaction = step(&bench, &received[0]);
    transaction.expects.push((b"total".to_vec(), Some(b"7".to_vec())));
    let refused = bench.queues.transact(transaction.clone(), bench.now).wait();
    assert!(matches!(refused, Err(Error::Changed { key }) if key == b"total"));
    assert_untouched(&bench);
    let total = vec![(b"total".to_vec(), Some(b"7".to_vec()))];
    let set = Transaction { records: total, ..Transaction::default() };
    // both may come into the same commit: the second sees what the first changed
    let (set, step) = (bench.queues.transact(set, bench.now), bench.queues.transact(transaction, bench.now));
    assert!(set.wait().is_ok());
    assert!(step.wait().is_ok());
}

#[test]
fn sends_of_a_transaction_are_deduplicated_against_each_other() {
    let bench = bench();
    let send = || (bench.q(), Message::of_group("g", "id", "a"));
    let transaction = Transaction { sends: vec![send(), send()], ..Transaction::default() };
    let sent = bench.queues.transact(transaction, bench.now).wait().unwrap();
    assert_eq!((sent[0].duplicate, sent[1].duplicate), (false, true));
    assert_eq!(bench.counts(bench.q()), [1, 0, 0]);
}

#[test]
fn what_is_too_large_is_refused() {
    let bench = bench();
    let record = |key: usize, value: usize| (vec![b'k'; key], Some(vec![0; value]));
    for records in [
        vec![record(0, 1)],
        vec![record(4097, 1)],
        vec![record(1, 16 * 1024 * 1024)],
        (0..10_001).map(|_| record(1, 1)).collect(),
    ] {
        let refused = bench.queues.transact(Transaction { records, ..Transaction::default() }, bench.now).wait();
        assert!(matches!(refused, Err(Error::Invalid { .. })));
    }
    let fits = vec![record(4096, 1024)];
    bench.queues.transact(Transaction { records: fits, ..Transaction::default() }, bench.now).wait().unwrap();
}

#[test]
fn nothing_of_a_commit_that_failed_can_be_seen_and_the_next_one_goes_on() {
    for kind in [ErrorKind::StorageFull, ErrorKind::ReadOnlyFilesystem, ErrorKind::Other] {
        let bench = bench();
        bench.send("g/1");
        let received = bench.receive(1);
        bench.store.fail_next(Fault { kind, kept: false });
        let failed = bench.queues.transact(step(&bench, &received[0]), bench.now).wait();
        match (kind, failed) {
            (ErrorKind::StorageFull, Err(Error::Store(store::Error::Full { .. })))
            | (ErrorKind::ReadOnlyFilesystem, Err(Error::Store(store::Error::ReadOnly { .. })))
            | (ErrorKind::Other, Err(Error::Store(store::Error::Failed { .. }))) => {}
            (_, other) => panic!("{kind:?} gave {other:?}"),
        }
        assert_untouched(&bench);
        assert_eq!(bench.counts(bench.q()), [0, 1, 0], "the lease holds");
        bench.queues.transact(step(&bench, &received[0]), bench.now).wait().unwrap();
        assert_eq!(bench.counts(bench.q()), [0, 0, 0]);
    }
}

#[test]
fn a_receive_that_failed_gave_nothing_out() {
    let bench = bench();
    bench.send("g/1");
    bench.store.fail_next(Fault { kind: ErrorKind::StorageFull, kept: false });
    assert!(bench.queues.receive(bench.q(), 1, None, bench.now).wait().is_err());
    assert_eq!(bench.receive(1)[0].receives, 1);
}

#[test]
fn a_commit_whose_answer_was_lost_is_applied_once() {
    let bench = bench();
    bench.send("g/1");
    let received = bench.receive(1);
    bench.store.fail_next(Fault { kind: ErrorKind::Other, kept: true });
    assert!(bench.queues.transact(step(&bench, &received[0]), bench.now).wait().is_err());
    let next = bench.queues.queue("next").unwrap();
    assert_eq!(bench.counts(next), [1, 0, 0], "what was kept is seen after the failure");
    let again = bench.queues.transact(step(&bench, &received[0]), bench.now).wait();
    assert!(matches!(again, Err(Error::LeaseLost { .. })));
    assert_eq!(bench.store.page(Table::Bodies, b"", None, 10).unwrap().len(), 1);
}

#[test]
fn all_callers_of_a_failed_commit_are_told() {
    let bench = bench();
    bench.store.fail_next(Fault { kind: ErrorKind::StorageFull, kept: false });
    let calls: Vec<_> = (0..50)
        .map(|number| {
            let message = Message::of_group("g", number.to_string(), "a");
            bench.queues.send(bench.q(), message, bench.now)
        })
        .collect();
    let answered: Vec<bool> = calls.into_iter().map(|call| call.wait().is_ok()).collect();
    let kept = answered.iter().filter(|ok| **ok).count();
    assert!(!answered[0]);
    assert_eq!(bench.counts(bench.q()), [kept, 0, 0]);
}

/// The first of many who hears of a failure calls again at once, while the others are still told.
#[test]
fn who_calls_again_after_a_failure_does_not_fail_with_the_others() {
    for _ in 0..20 {
        let bench = bench();
        bench.store.fail_next(Fault { kind: ErrorKind::StorageFull, kept: false });
        let send = |id: usize| bench.queues.send(bench.q(), Message::of_group("g", id.to_string(), "a"), bench.now);
        let mut calls = (0..2000).map(send).collect::<Vec<_>>().into_iter();
        assert!(calls.next().unwrap().wait().is_err());
        send(2000).wait().expect("the fault was of the commit before");
        drop(calls);
    }
}

/// Calls that come while a commit is on its way are carried out on top of it, and fail with it.
#[test]
fn what_was_carried_out_on_top_of_a_failed_commit_fails_too() {
    for round in 0..50 {
        let bench = bench();
        bench.store.fail_next(Fault { kind: ErrorKind::StorageFull, kept: false });
        let set = |key: &[u8], expects| {
            let records = vec![(key.to_vec(), Some(b"1".to_vec()))];
            bench.queues.transact(Transaction { expects, records, ..Transaction::default() }, bench.now)
        };
        let first = set(b"a", Vec::new());
        if round % 2 == 0 {
            std::thread::yield_now();
        }
        let second = set(b"b", vec![(b"a".to_vec(), Some(b"1".to_vec()))]);
        assert!(first.wait().is_err());
        assert!(second.wait().is_err(), "it saw what was never kept");
        assert_eq!(bench.queues.records(b"", None, 10).unwrap(), []);
        set(b"a", vec![(b"b".to_vec(), None)]).wait().unwrap();
    }
}

/// On a disk, which takes its time: a transaction is carried out while the one before it is on its way.
#[test]
fn a_transaction_sees_the_records_of_those_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (queues, _) = Queues::open(folder.path(), &[]).unwrap();
    let calls: Vec<_> = (0..2000_u32)
        .map(|number| {
            let expected = number.checked_sub(1).map(|before| before.to_be_bytes().to_vec());
            let expects = vec![(b"counter".to_vec(), expected)];
            let records = vec![(b"counter".to_vec(), Some(number.to_be_bytes().to_vec()))];
            queues.transact(Transaction { expects, records, ..Transaction::default() }, T)
        })
        .collect();
    for call in calls {
        call.wait().unwrap();
    }
}

#[test]
fn calls_that_wait_are_carried_out_before_the_engine_closes() {
    let Bench { queues, now, store, .. } = bench();
    let q = queues.queue("q").unwrap();
    let calls: Vec<_> =
        (0..200).map(|number| queues.send(q, Message::of_group("g", number.to_string(), "a"), now)).collect();
    drop(queues);
    for call in calls {
        call.wait().unwrap();
    }
    assert_eq!(store.page(Table::Bodies, b"", None, 1000).unwrap().len(), 200);
}

/// Many threads that send, and take whatever there is one step further: everything arrives once, in the order of its
/// group.
#[test]
fn many_callers_at_once_do_not_get_in_each_others_way() {
    let bench = bench();
    let (queues, q, next) = (&bench.queues, bench.q(), bench.queues.queue("next").unwrap());
    let step = || {
        let received = queues.receive(q, 1, None, T).wait().unwrap().pop()?;
        let message = Message::of_group(received.group?, received.deduplication?, received.body);
        let (acknowledges, sends) = (vec![received.lease], vec![(next, message)]);
        queues.transact(Transaction { acknowledges, sends, ..Transaction::default() }, T).wait().unwrap();
        Some(())
    };
    std::thread::scope(|scope| {
        for caller in 0..16 {
            scope.spawn(move || {
                for number in 0..20 {
                    let name = format!("{caller}.{number}");
                    queues.send(q, Message::of_group(caller.to_string(), &name, name.as_bytes()), T).wait().unwrap();
                    // nothing, when others have a message of each group
                    step();
                }
            });
        }
    });
    while step().is_some() {}
    assert_eq!(bench.counts(q), [0, 0, 0]);
    let mut order = std::collections::HashMap::new();
    for (name, _) in bench.all(next) {
        let (caller, number) = name.split_once('.').unwrap();
        let expected = order.entry(caller.to_owned()).or_insert(0);
        assert_eq!(number.parse::<u32>().unwrap(), *expected, "caller {caller}");
        *expected += 1;
    }
    assert_eq!(order.values().sum::<u32>(), 16 * 20);
}
