//! The rules of standard queues, one by one.

use std::time::Duration;

use engine::queues::{Error, Message, Phase, Settings};

use crate::{Bench, MINUTE, SECOND, T};

const DAY: u64 = 24 * 60 * MINUTE;

fn bench() -> Bench {
    let queue = Settings::standard("q").redrive("dead", 3);
    let dead = queue.dead_letters("dead");
    Bench::new(&[queue, dead])
}

#[test]
fn what_was_sent_is_received_once_and_gone_when_acknowledged() {
    let bench = bench();
    bench.send("a");
    let received = bench.receive(10);
    assert_eq!(received.len(), 1);
    assert_eq!((received[0].body.as_slice(), received[0].receives, received[0].sent_at), (b"a".as_slice(), 1, T));
    assert!(bench.receive(10).is_empty());
    assert!(bench.acknowledge(&received[0]));
    assert_eq!(bench.counts(bench.q()), [0, 0, 0]);
    assert!(!bench.acknowledge(&received[0]));
}

#[test]
fn the_oldest_come_first_and_no_more_than_asked_for() {
    let bench = bench();
    for name in ["a", "b", "c"] {
        bench.send(name);
    }
    assert_eq!(bench.bodies(2), ["a", "b"]);
    assert_eq!(bench.bodies(2), ["c"]);
}

#[test]
fn a_message_not_acknowledged_in_time_is_received_again() {
    let mut bench = bench();
    bench.send("a");
    let first = bench.receive(1);
    bench.now = T + 30 * SECOND - 1;
    assert!(bench.receive(1).is_empty());
    bench.now = T + 30 * SECOND;
    let second = bench.receive(1);
    assert_eq!(second[0].receives, 2);
    assert!(!bench.acknowledge(&first[0]), "it was received again: the first receiver is too late");
    assert!(bench.acknowledge(&second[0]));
}

#[test]
fn a_receiver_that_is_late_may_acknowledge_as_long_as_nobody_else_has_the_message() {
    let mut bench = bench();
    bench.send("a");
    let received = bench.receive(1);
    bench.now = T + MINUTE;
    assert!(bench.acknowledge(&received[0]));
    assert!(bench.receive(1).is_empty());
}

#[test]
fn a_heartbeat_keeps_a_message_in_flight() {
    let mut bench = bench();
    bench.send("a");
    let received = bench.receive(1);
    bench.now = T + 20 * SECOND;
    bench.queues.hold(received[0].lease, 30 * SECOND, None, bench.now).wait().unwrap();
    bench.now = T + 50 * SECOND - 1;
    assert_eq!(bench.counts(bench.q()), [0, 1, 0]);
    bench.now = T + 50 * SECOND;
    assert_eq!(bench.counts(bench.q()), [1, 0, 0]);
    let late = bench.queues.hold(received[0].lease, 30 * SECOND, None, bench.now).wait();
    assert!(matches!(late, Err(Error::LeaseLost { .. })));
}

#[test]
fn no_message_is_held_for_more_than_twelve_hours() {
    let mut bench = bench();
    bench.send("a");
    let received = bench.receive(1);
    bench.queues.hold(received[0].lease, 12 * 60 * MINUTE, None, bench.now).wait().unwrap();
    bench.now = T + 1;
    let more = bench.queues.hold(received[0].lease, 12 * 60 * MINUTE, None, bench.now).wait();
    assert!(matches!(more, Err(Error::Invalid { .. })));
}

#[test]
fn a_message_given_back_is_there_at_once() {
    let bench = bench();
    bench.send("a");
    let received = bench.receive(1);
    bench.queues.hold(received[0].lease, 0, None, bench.now).wait().unwrap();
    assert_eq!(bench.bodies(1), ["a"]);
}

#[test]
fn three_receives_in_vain_make_a_dead_letter_with_everything_known() {
    let mut bench = bench();
    bench.send("a");
    for attempt in 0..3_u64 {
        let received = bench.receive(1);
        assert_eq!(u64::from(received[0].receives), attempt + 1);
        let note = format!("broken {attempt}").into_bytes();
        bench.queues.hold(received[0].lease, 10 * SECOND, Some(note), bench.now).wait().unwrap();
        bench.now += 10 * SECOND;
    }
    assert!(bench.receive(1).is_empty());
    let dead = bench.queues.list(bench.dead(), None, 10, bench.now).wait().unwrap();
    assert_eq!(dead[0].origin, Some(bench.q()));
    assert_eq!(dead[0].attempts, [T, T + 10 * SECOND, T + 20 * SECOND]);
    assert_eq!((dead[0].sent_at, dead[0].entered_at), (T, T + 30 * SECOND));
    let shown = bench.queues.show(bench.dead(), dead[0].id, bench.now).unwrap();
    assert_eq!(shown.body, b"a");
    let notes: Vec<(u64, Vec<u8>)> = shown.notes.into_iter().map(|note| (note.at, note.text)).collect();
    assert_eq!(notes[2], (T + 20 * SECOND, b"broken 2".to_vec()));
    assert_eq!(notes.len(), 3);
}

#[test]
fn crashes_count_as_receives() {
    let mut bench = bench();
    bench.send("a");
    for _ in 0..3 {
        assert_eq!(bench.receive(1).len(), 1);
        bench = bench.reopen();
        assert_eq!(bench.queues.release(bench.now).wait().unwrap(), 1);
    }
    assert!(bench.receive(1).is_empty());
    assert_eq!(bench.counts(bench.dead()), [1, 0, 0]);
}

#[test]
fn a_dead_letter_is_redriven_to_where_it_came_from() {
    let mut bench = bench();
    for name in ["a", "b"] {
        bench.send(name);
    }
    for _ in 0..3 {
        assert_eq!(bench.receive(10).len(), 2);
        bench.now += 30 * SECOND;
    }
    assert_eq!(bench.counts(bench.dead()), [2, 0, 0]);
    assert_eq!(bench.queues.redrive(bench.dead(), bench.now).unwrap(), 2);
    let received = bench.receive(10);
    assert_eq!(received.iter().map(crate::body).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(received[0].receives, 1, "it has all its attempts again");
    assert_eq!(received[0].sent_at, T);
    let shown = bench.queues.show(bench.q(), received[0].lease.id(), bench.now).unwrap();
    assert_eq!(shown.listed.attempts.len(), 4, "what happened before is not forgotten");
}

#[test]
fn a_delayed_message_is_received_after_its_delay() {
    let mut bench = bench();
    let message = Message { delay_ms: Some(MINUTE), ..Message::new("a") };
    bench.queues.send(bench.q(), message, bench.now).wait().unwrap();
    assert_eq!(bench.counts(bench.q()), [0, 0, 1]);
    bench.now = T + MINUTE - 1;
    assert!(bench.receive(1).is_empty());
    bench.now = T + MINUTE;
    assert_eq!(bench.bodies(1), ["a"]);
}

#[test]
fn the_delay_of_the_queue_is_for_messages_that_name_none() {
    let mut bench = Bench::new(&[Settings { delay_ms: MINUTE, ..Settings::standard("q") }]);
    bench.send("slow");
    let message = Message { delay_ms: Some(0), ..Message::new("quick") };
    bench.queues.send(bench.q(), message, bench.now).wait().unwrap();
    assert_eq!(bench.bodies(10), ["quick"]);
    bench.now += MINUTE;
    assert_eq!(bench.all(bench.q())[0], ("slow".to_owned(), Phase::Ready));
}

#[test]
fn messages_expire_after_four_days_and_dead_letters_fourteen_days_after_their_death() {
    let mut bench = bench();
    bench.send("unwanted");
    bench.now = T + 4 * DAY - 1;
    assert_eq!(bench.counts(bench.q()), [1, 0, 0]);
    bench.now = T + 4 * DAY;
    assert_eq!(bench.counts(bench.q()), [0, 0, 0]);

    bench.send("poison");
    for _ in 0..3 {
        assert_eq!(bench.bodies(1), ["poison"]);
        bench.now += 30 * SECOND;
    }
    let died_at = bench.now;
    bench.now = died_at + 14 * DAY - 1;
    assert_eq!(bench.counts(bench.dead()), [1, 0, 0]);
    bench.now = died_at + 14 * DAY;
    assert_eq!(bench.counts(bench.dead()), [0, 0, 0]);
    assert!(bench.store.page(engine::store::Table::Bodies, b"", None, 10).unwrap().is_empty());
    assert!(bench.store.page(engine::store::Table::Index, b"", None, 10).unwrap().is_empty());
}

#[test]
fn a_purge_takes_everything_that_was_there() {
    let bench = bench();
    for number in 0..25 {
        bench.send(&number.to_string());
    }
    let received = bench.receive(10);
    assert_eq!(bench.queues.purge(bench.q(), bench.now).unwrap(), 25);
    assert_eq!(bench.counts(bench.q()), [0, 0, 0]);
    assert!(!bench.acknowledge(&received[0]));
    bench.send("later");
    assert_eq!(bench.bodies(10), ["later"]);
}

#[test]
fn a_queue_is_listed_in_pages_without_receiving() {
    let bench = bench();
    for number in 0..5 {
        bench.send(&number.to_string());
    }
    let first = bench.queues.list(bench.q(), None, 2, bench.now).wait().unwrap();
    let rest = bench.queues.list(bench.q(), Some(first[1].id), 10, bench.now).wait().unwrap();
    assert_eq!((first.len(), rest.len()), (2, 3));
    assert!(first[1].id < rest[0].id);
    assert_eq!(bench.counts(bench.q()), [5, 0, 0]);
}

#[test]
fn statistics_tell_the_age_of_the_oldest() {
    let mut bench = bench();
    assert_eq!(bench.queues.statistics(bench.q(), bench.now).wait().unwrap().oldest_age_ms, 0);
    bench.send("a");
    bench.now += 5 * SECOND;
    bench.send("b");
    bench.now += SECOND;
    assert_eq!(bench.queues.statistics(bench.q(), bench.now).wait().unwrap().oldest_age_ms, 6 * SECOND);
}

#[test]
fn who_waits_for_a_queue_is_told_when_there_is_something() {
    let mut bench = bench();
    let ready = bench.queues.ready(bench.q(), bench.now);
    let other = bench.queues.ready(bench.dead(), bench.now);
    bench.send("a");
    ready.wait().unwrap();
    bench.queues.ready(bench.q(), bench.now).wait().unwrap();
    assert_eq!(bench.bodies(1), ["a"]);

    let again = bench.queues.ready(bench.q(), bench.now);
    let due = bench.queues.next_due(bench.now).wait().unwrap();
    assert_eq!(due, Some(T + 30 * SECOND));
    bench.now = T + 30 * SECOND;
    bench.queues.next_due(bench.now).wait().unwrap();
    again.wait().unwrap();

    drop(bench);
    assert!(matches!(other.wait(), Err(Error::Closed)));
}

#[test]
fn who_waits_for_a_queue_can_be_woken_without_anything_in_it() {
    let bench = bench();
    let mut waiting = [bench.q(), bench.dead()].map(|queue| bench.queues.ready(queue, bench.now));
    for one in &mut waiting {
        assert!(one.wait_for(Duration::from_millis(5)).is_none());
    }
    bench.queues.wake(bench.now).wait().unwrap();
    for one in &mut waiting {
        one.wait_for(Duration::from_secs(60)).expect("woken").unwrap();
    }
}
