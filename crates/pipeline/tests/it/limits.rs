//! The limits of the domain, on both sides.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering};

use pipeline::feed::{Fault, Feeds, Written};
use pipeline::handle::Error;
use pipeline::limits::{DECISIONS_MAX, FEEDS_MAX, GENERATIONS_KEPT_MAX, MARKET_FILE_ROWS_MAX, QUERY_FILES_MAX};
use pipeline::ports::{self, Commit, Committed, Ledger};
use pipeline::preset::Preset;
use pipeline::query;
use pipeline::receipt::Outcome;
use pipeline::replay;
use pipeline::step::{Kind, RecordKey, Step, Write as Change};

use crate::world::World;

#[test]
fn feeds_max() {
    let feeds = |count: usize| {
        let written = (0..count).map(|number| Written {
            name: format!("f{number}"),
            preset: Preset::Files,
            keys: "*".into(),
            contract: None,
            interval: "1m".into(),
            zone: None,
            settle: "1m".into(),
            on_poison: Default::default(),
        });
        Feeds::new(written.collect(), |_| -> Result<_, Fault> { unreachable!("no contract is named") })
    };
    assert!(feeds(FEEDS_MAX).is_ok());
    assert!(feeds(FEEDS_MAX + 1).unwrap_err().to_string().contains("more than 1000 feeds"));
}

#[test]
fn market_file_rows_max() {
    let mut world = World::new();
    let mut text = "symbol,price,volume,timestamp\n".to_owned();
    for _ in 0..=MARKET_FILE_ROWS_MAX {
        text.push_str("A,1,1,2026-01-01T00:00:00Z\n");
    }
    let id = world.takes("market-data-dev", "many.csv", &text);
    let receipt = world.receipt(&id);
    assert_eq!(receipt.outcome(), Outcome::Rejected);
    let refused = receipt.account().unwrap().refused.clone().unwrap();
    assert_eq!(refused.code, "too_many_rows");
    assert!(refused.message.contains("1000001 good rows"), "{}", refused.message);
}

#[test]
fn query_files_max() {
    let mut world = World::new();
    let id = world.takes(
        "file-processing-bucket-dev",
        "a.csv",
        "symbol,price,volume,timestamp\nA,1,1,2026-01-01T00:00:00Z\n",
    );
    let order = world.receipt(&id).arrival().order();
    let within = "files/".to_owned();
    let (_, one) = world.ledger.page(Kind::Contribution, &within, None, 1).unwrap().remove(0);
    // as many files as may be, all with what this one adds
    let mut key = String::new();
    for chunk in 0..QUERY_FILES_MAX / 1000 {
        let writes = (0..1000).map(|number| {
            key.clear();
            write!(key, "files/{}{chunk:03}{number:03}", order.as_str()).unwrap();
            Change { key: RecordKey { kind: Kind::Contribution, id: key.clone() }, value: Some(one.clone()) }
        });
        let step = Step { writes: writes.collect(), sends: Vec::new() };
        let source = serde_json::from_value(format!("filler:{chunk}").into()).unwrap();
        world.ledger.commit(Commit { source, expects: Vec::new(), step }).unwrap();
    }
    let feed = world.pipeline.feeds.named("files").unwrap();
    let refused = query::aggregates(world.at(), feed, None, &Default::default(), |_| ControlFlow::Continue(()));
    assert!(refused.unwrap_err().to_string().contains("50001 files add to what was asked for"));
}

#[test]
fn generations_kept_max() {
    let mut world = World::new();
    let id = world.takes(
        "file-processing-bucket-dev",
        "a.csv",
        "symbol,price,volume,timestamp\nA,1,1,2026-01-01T00:00:00Z\n",
    );
    for _ in 0..=GENERATIONS_KEPT_MAX {
        world.with_call(|call| replay::replay(&world.pipeline, call, &id)).unwrap();
        world.collect();
        world.run();
    }
    let receipt = world.receipt(&id);
    assert_eq!((receipt.generation() as usize, receipt.past().len()), (GENERATIONS_KEPT_MAX + 1, GENERATIONS_KEPT_MAX));
    assert_eq!(receipt.outcome(), Outcome::Completed);
}

#[test]
fn decisions_max() {
    for (lost, decided) in [(DECISIONS_MAX - 1, true), (DECISIONS_MAX, false)] {
        let mut world = World::new();
        world.arrives(
            "file-processing-bucket-dev",
            "a.csv",
            "symbol,price,volume,timestamp\nA,1,1,2026-01-01T00:00:00Z\n",
        );
        let message = world.waiting.pop_front().unwrap();
        // somebody is always quicker, for so many commits
        let commits = AtomicU32::new(0);
        let contested = world.hooked(move |commit| match commits.fetch_add(1, Ordering::SeqCst) < lost {
            true => Err(ports::Error::Changed(commit.expects[0].0.clone())),
            false => Ok(()),
        });
        let handled = world.with_call(|call| {
            let call = pipeline::handle::Call { ledger: &contested, ..*call };
            world.pipeline.handle(&message, &call)
        });
        match decided {
            true => assert_eq!(handled.unwrap(), Committed::Now),
            false => assert!(matches!(handled, Err(Error::Port(ports::Error::Changed(_))))),
        }
    }
}
