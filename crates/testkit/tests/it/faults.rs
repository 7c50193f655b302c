//! Faults come where they are planned, once, and a lost process keeps what was durable.

use std::io::{Read, Write};

use pipeline::message::{Feed, Message, Tick};
use pipeline::object::ObjectVersion;
use pipeline::ports::{Commit, Committed, Error, Ledger, Objects};
use pipeline::step::{self, Kind, RecordKey, Step};
use testkit::{Call, Fault};

use crate::fakes::Memory;

fn key() -> RecordKey {
    RecordKey { kind: Kind::Row, id: "a".into() }
}

fn commit() -> Commit {
    let feed = Feed::try_from("f".to_owned()).unwrap();
    let tick = |due_seconds| Message::MarketAggregate(Tick { feed: feed.clone(), due_seconds });
    let writes = vec![step::Write { key: key(), value: Some(b"1".to_vec()) }];
    Commit { source: tick(0).id(), expects: vec![], step: Step { writes, sends: vec![tick(1)] } }
}

/// Every call once, in this order: create, write, finish, open, read, read, load, page, commit.
fn work(memory: &Memory) -> Result<(), Error> {
    let broken = |cause: std::io::Error| Error::Unavailable { what: "work".into(), cause: Box::new(cause) };
    let mut writing = memory.objects.create("b", "k")?;
    writing.write_all(b"content").map_err(broken)?;
    let object = writing.finish()?;
    let mut bytes = Vec::new();
    memory.objects.open(&object)?.input.read_to_end(&mut bytes).map_err(broken)?;
    assert_eq!(bytes, b"content");
    memory.ledger.load(&key())?;
    memory.ledger.page(Kind::Row, "", None, 1)?;
    memory.ledger.commit(commit())?;
    Ok(())
}

/// Works until it goes well, as deliveries do, and says how often.
fn deliver(memory: &Memory) -> usize {
    for attempt in 1..10 {
        if work(memory).is_ok() {
            return attempt;
        }
        if memory.faults.is_lost() {
            assert!(matches!(work(memory), Err(Error::Unavailable { .. })), "a lost process answers nothing");
            memory.faults.restart();
        }
    }
    panic!("a fault comes once");
}

type State = (Vec<ObjectVersion>, Vec<(RecordKey, Vec<u8>)>, Vec<Message>);

fn state(memory: &Memory) -> State {
    (memory.objects.versions(), memory.ledger.records().into_iter().collect(), memory.ledger.take_outbox())
}

#[test]
fn every_call_fails_in_every_way_and_the_end_is_the_same() {
    let memory = Memory::new();
    assert_eq!(deliver(&memory), 1);
    let calls = memory.faults.calls();
    let expected = [Call::Create, Call::Write, Call::Finish, Call::Open, Call::Read, Call::Read, Call::Load];
    assert_eq!(calls[..7], expected);
    assert_eq!(calls[7..], [Call::Page, Call::Commit]);
    let plain = state(&memory);

    let mut runs = 0;
    for (number, call) in calls.iter().enumerate() {
        for &fault in call.faults() {
            let memory = Memory::new();
            memory.faults.plan(number, fault);
            assert_eq!(deliver(&memory), 2, "{fault:?} at {call:?}");
            assert_eq!(memory.faults.left(), 0);
            let again = memory.faults.calls();
            assert_eq!(again[..=number], calls[..=number], "the same calls up to the fault");
            assert_eq!(again[number + 1..], calls, "and all of them after it");
            assert_eq!(state(&memory), plain, "{fault:?} at {call:?}");
            runs += 1;
        }
    }
    assert_eq!(runs, 7 * 2 + 2 * 4);
}

#[test]
fn a_fault_is_before_or_after_the_effect() {
    for (fault, happened) in [
        (Fault::Before, false),
        (Fault::After, true),
        (Fault::Crash { kept: false }, false),
        (Fault::Crash { kept: true }, true),
    ] {
        let memory = Memory::new();
        memory.faults.plan(0, fault);
        let error = memory.ledger.commit(commit()).unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        assert_eq!(memory.ledger.has_seen(&commit().source), happened, "{fault:?}");
        assert_eq!(memory.ledger.take_outbox().len(), usize::from(happened), "{fault:?}");
        assert_eq!(memory.faults.is_lost(), matches!(fault, Fault::Crash { .. }));
        memory.faults.restart();
        let again = memory.ledger.commit(commit()).unwrap();
        assert_eq!(again, if happened { Committed::Before } else { Committed::Now });

        let memory = Memory::new();
        memory.faults.plan(1, fault);
        memory.objects.create("b", "k").unwrap().finish().unwrap_err();
        assert_eq!(memory.objects.versions().len(), usize::from(happened), "{fault:?}");
    }
}

#[test]
fn what_is_open_dies_with_the_process() {
    let memory = Memory::new();
    let object = memory.objects.put("b", "k", b"content");
    let mut writing = memory.objects.create("b", "new").unwrap();
    let mut opened = memory.objects.open(&object).unwrap();
    memory.faults.plan(2, Fault::Crash { kept: false });
    memory.ledger.load(&key()).unwrap_err();
    memory.faults.restart();
    writing.write_all(b"x").unwrap_err();
    opened.input.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(memory.objects.open(&object).is_ok(), "what is durable is there");
    assert_eq!(memory.faults.calls(), [Call::Create, Call::Open, Call::Load, Call::Open], "the dead do not count");
    let writing = memory.objects.create("b", "new").unwrap();
    memory.faults.restart();
    assert!(writing.finish().is_err());
    assert_eq!(memory.objects.versions(), [object]);
}
