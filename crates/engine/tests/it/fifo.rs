//! The rules of FIFO queues, one by one.

use engine::queues::{Error, Kind, Message, OnDead, Settings};

use crate::{Bench, MINUTE, SECOND, T, body};

fn queues(on_dead: OnDead) -> Bench {
    let queue = Settings::new("q", Kind::Fifo { by_content: true, on_dead }).redrive("dead", 3);
    let dead = queue.dead_letters("dead");
    Bench::new(&[queue, dead])
}

fn bench() -> Bench {
    queues(OnDead::SkipAndMark)
}

#[test]
fn a_group_is_received_in_order_and_one_batch_at_a_time() {
    let bench = bench();
    for name in ["g/1", "g/2", "g/3"] {
        bench.send(name);
    }
    let batch = bench.receive(2);
    assert_eq!(batch.iter().map(body).collect::<Vec<_>>(), ["1", "2"]);
    assert!(bench.receive(10).is_empty(), "the group is in flight");
    assert!(bench.acknowledge(&batch[0]));
    assert!(bench.receive(10).is_empty(), "the rest of the batch is in flight");
    assert!(bench.acknowledge(&batch[1]));
    assert_eq!(bench.bodies(10), ["3"]);
}

#[test]
fn groups_do_not_block_each_other_and_share_a_batch() {
    let bench = bench();
    for name in ["a/1", "b/2", "a/3", "c/4"] {
        bench.send(name);
    }
    assert_eq!(bench.bodies(3), ["1", "3", "2"], "the group whose first is oldest, then the next group");
    assert_eq!(bench.bodies(3), ["4"]);
}

#[test]
fn a_batch_that_comes_back_in_part_comes_back_in_order() {
    let mut bench = bench();
    for name in ["g/1", "g/2", "g/3"] {
        bench.send(name);
    }
    let batch = bench.receive(3);
    bench.acknowledge(&batch[1]);
    bench.queues.hold(batch[2].lease, 0, None, bench.now).wait().unwrap();
    assert!(bench.receive(10).is_empty(), "the first is still in flight");
    bench.now += 30 * SECOND;
    assert_eq!(bench.bodies(10), ["1", "3"]);
}

#[test]
fn a_send_is_the_same_for_five_minutes_even_after_it_is_gone() {
    let mut bench = bench();
    let send = |bench: &Bench, body: &str| {
        let message = Message::of_group("g", "id", body);
        bench.queues.send(bench.q(), message, bench.now).wait().unwrap()[0]
    };
    let first = send(&bench, "a");
    let received = bench.receive(1);
    bench.acknowledge(&received[0]);
    bench.now = T + 5 * MINUTE - 1;
    let again = send(&bench, "other content, same id");
    assert_eq!((again.id, again.duplicate), (first.id, true));
    bench = bench.reopen();
    assert!(send(&bench, "a").duplicate);
    assert!(bench.receive(1).is_empty());
    bench.now = T + 5 * MINUTE;
    assert!(!send(&bench, "a").duplicate);
}

#[test]
fn without_an_id_the_content_is_the_id() {
    let bench = bench();
    let send = |group: &str, body: &str| {
        let message = Message { group: Some(group.to_owned()), ..Message::new(body) };
        bench.queues.send(bench.q(), message, bench.now).wait().unwrap()[0].duplicate
    };
    assert!(!send("g", "a"));
    assert!(send("other group", "a"));
    assert!(!send("g", "b"));
}

#[test]
fn what_a_fifo_queue_needs_is_asked_for() {
    let bench = Bench::new(&[Settings::fifo("q"), Settings::standard("other")]);
    let other = bench.queues.queue("other").unwrap();
    let good = Message::of_group("g", "id", "a");
    let long = "x".repeat(129);
    for (queue, message) in [
        (bench.q(), Message { group: None, ..good.clone() }),
        (bench.q(), Message { group: Some(String::new()), ..good.clone() }),
        (bench.q(), Message { group: Some(long.clone()), ..good.clone() }),
        (bench.q(), Message { deduplication: None, ..good.clone() }),
        (bench.q(), Message { deduplication: Some(long), ..good.clone() }),
        (bench.q(), Message { delay_ms: Some(1), ..good.clone() }),
        (bench.q(), Message { body: vec![0; 256 * 1024 + 1], ..good.clone() }),
        (other, good.clone()),
        (other, Message { delay_ms: Some(15 * MINUTE + 1), ..Message::new("a") }),
    ] {
        let refused = bench.queues.send(queue, message, bench.now).wait();
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    }
    assert_eq!(bench.counts(bench.q()), [0, 0, 0]);
    bench.queues.send(bench.q(), good, bench.now).wait().unwrap();
}

#[test]
fn a_delayed_first_message_keeps_its_group_waiting() {
    let queue = Settings { delay_ms: SECOND, ..Settings::fifo("q") };
    let mut bench = Bench::new(&[queue]);
    bench.send("g/1");
    bench.now += 500;
    bench.send("g/2");
    bench.now = T + SECOND;
    assert_eq!(bench.bodies(10), ["1"], "the second is not due yet");
}

fn kill(bench: &mut Bench, name: &str) {
    for _ in 0..3 {
        let received = bench.receive(1);
        assert_eq!(body(&received[0]), name);
        bench.queues.hold(received[0].lease, 0, Some(b"poison".to_vec()), bench.now).wait().unwrap();
    }
}

#[test]
fn a_group_goes_on_after_a_dead_letter() {
    let mut bench = bench();
    for name in ["g/1", "g/2"] {
        bench.send(name);
    }
    kill(&mut bench, "1");
    assert_eq!(bench.bodies(10), ["2"]);
    assert_eq!(bench.counts(bench.dead()), [1, 0, 0]);
}

#[test]
fn a_parked_group_waits_for_its_dead_letter_to_be_redriven() {
    let mut bench = queues(OnDead::Park);
    for name in ["g/1", "g/2", "h/3"] {
        bench.send(name);
    }
    kill(&mut bench, "1");
    let other = bench.receive(10);
    assert_eq!(other.iter().map(body).collect::<Vec<_>>(), ["3"], "other groups go on");
    assert_eq!(bench.queues.statistics(bench.q(), bench.now).wait().unwrap().parked_groups, 1);
    bench = bench.reopen();
    assert!(bench.receive(10).is_empty());
    bench.send("g/4");
    assert!(bench.receive(10).is_empty());
    let listed = bench.queues.list(bench.q(), None, 10, bench.now).wait().unwrap();
    let dead = bench.queues.list(bench.dead(), None, 10, bench.now).wait().unwrap();
    assert_eq!(listed[0].blocked_by, Some(dead[0].id));
    bench.queues.redrive_one(bench.dead(), dead[0].id, bench.now).wait().unwrap();
    assert_eq!(bench.bodies(10), ["1", "2", "4"], "it stands where it stood");
}

#[test]
fn only_the_groups_that_were_named_are_parked() {
    let on_dead = || OnDead::ParkGroups(vec!["a".to_owned(), "c".to_owned()]);
    let mut bench = queues(on_dead());
    for name in ["a/1", "b/2", "c/3", "d/4"] {
        bench.send(name);
        kill(&mut bench, &name[2..]);
    }
    for name in ["a/5", "b/6", "c/7", "d/8"] {
        bench.send(name);
    }
    assert_eq!(bench.bodies(10), ["6", "8"]);
    assert_eq!(bench.queues.statistics(bench.q(), bench.now).wait().unwrap().parked_groups, 2);
    bench = bench.reopen();
    assert!(bench.receive(10).is_empty(), "and so they are after a restart");
    let dead = bench.queues.list(bench.dead(), None, 10, bench.now).wait().unwrap();
    bench.queues.purge_one(bench.dead(), dead[2].id, bench.now).wait().unwrap();
    assert_eq!(bench.bodies(10), ["7"]);
    assert_eq!(bench.queues.redrive(bench.dead(), bench.now).unwrap(), 3);
    assert_eq!(bench.bodies(10), ["1", "5"], "b and d are in flight");
}

#[test]
fn a_parked_group_goes_on_when_its_dead_letter_is_purged_or_expires() {
    for purge in [true, false] {
        let mut bench = queues(OnDead::Park);
        bench.send("g/1");
        kill(&mut bench, "1");
        bench.now = T + 13 * 24 * 60 * MINUTE;
        bench.send("g/2");
        assert!(bench.receive(10).is_empty());
        if purge {
            assert_eq!(bench.queues.purge(bench.dead(), bench.now).unwrap(), 1);
        } else {
            bench.now = T + 14 * 24 * 60 * MINUTE;
        }
        assert_eq!(bench.bodies(10), ["2"]);
    }
}

#[test]
fn dead_letters_keep_their_order_and_go_back_in_it() {
    let mut bench = bench();
    for name in ["g/1", "g/2", "g/3", "g/4"] {
        bench.send(name);
    }
    for name in ["1", "2", "3"] {
        kill(&mut bench, name);
    }
    assert_eq!(bench.all(bench.dead()).into_iter().map(|(body, _)| body).collect::<Vec<_>>(), ["1", "2", "3"]);
    assert_eq!(bench.queues.redrive(bench.dead(), bench.now).unwrap(), 3);
    assert_eq!(bench.bodies(10), ["1", "2", "3", "4"]);
}

#[test]
fn a_redriven_dead_letter_is_not_taken_for_a_duplicate() {
    let mut bench = bench();
    bench.send("g/1");
    kill(&mut bench, "1");
    assert_eq!(bench.queues.redrive(bench.dead(), bench.now).unwrap(), 1);
    assert_eq!(bench.bodies(10), ["1"]);
}

#[test]
fn a_dead_letter_that_somebody_has_stays() {
    let mut bench = bench();
    bench.send("g/1");
    kill(&mut bench, "1");
    let held = bench.queues.receive(bench.dead(), 1, None, bench.now).wait().unwrap();
    let id = held[0].lease.id();
    assert_eq!(bench.queues.redrive(bench.dead(), bench.now).unwrap(), 0);
    let one = bench.queues.redrive_one(bench.dead(), id, bench.now).wait();
    assert!(matches!(one, Err(Error::NoMessage { .. })));
    let one = bench.queues.purge_one(bench.dead(), id, bench.now).wait();
    assert!(matches!(one, Err(Error::NoMessage { .. })));
}
