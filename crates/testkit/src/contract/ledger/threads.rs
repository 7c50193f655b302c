//! Many callers at the same time.

use std::sync::Barrier;
use std::thread;

use pipeline::ports::{Committed, Error, Revision};
use pipeline::step::Kind;

use super::script::{expect, load};
use super::{Make, Script};

const THREADS: usize = 8;
const ROUNDS: usize = 20;

/// Runs this on threads that begin each round together, and gives their answers of each round.
fn race<T: Send>(act: impl Fn(usize, usize) -> T + Sync) -> Vec<Vec<T>> {
    let (barrier, act) = (Barrier::new(THREADS), &act);
    let answers: Vec<Vec<T>> = thread::scope(|scope| {
        let run = |thread| {
            let barrier = &barrier;
            scope.spawn(move || {
                let round = |round| {
                    barrier.wait();
                    act(thread, round)
                };
                (0..ROUNDS).map(round).collect::<Vec<T>>()
            })
        };
        let threads: Vec<_> = (0..THREADS).map(run).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics: answers are looked at later"))
            .collect()
    });
    let mut rounds: Vec<Vec<T>> = (0..ROUNDS).map(|_| Vec::new()).collect();
    for answers in answers {
        for (round, answer) in rounds.iter_mut().zip(answers) {
            round.push(answer);
        }
    }
    rounds
}

pub(super) fn threads_that_count_lose_nothing(make: Make<'_>) {
    let home = make();
    let ledger = home.ledger();
    // a store that lets nobody through for so long has stopped
    const ATTEMPTS_MAX: usize = 10_000;
    let count = |thread: usize, round: usize| -> Result<(), String> {
        for _ in 0..ATTEMPTS_MAX {
            let loaded = load(ledger, Kind::Row, "count");
            let counted = loaded.value.map_or(0, |value| value.len()) + 1;
            let script = Script::of(&format!("{thread} {round}")).expects(Kind::Row, "count", loaded.revision);
            match script.writes(Kind::Row, "count", &vec![b'x'; counted]).commit(ledger) {
                Ok(Committed::Now) => return Ok(()),
                Err(Error::Changed(_)) => {}
                other => return Err(format!("{other:?}")),
            }
        }
        Err("never got through".to_owned())
    };
    for answers in race(count) {
        assert!(answers.iter().all(Result::is_ok), "every thread counts in the end: {answers:?}");
    }
    expect(ledger, Kind::Row, "count", Some(&[b'x'; THREADS * ROUNDS]));
}

pub(super) fn threads_with_one_source_commit_once(make: Make<'_>) {
    let home = make();
    let ledger = home.ledger();
    let rounds = race(|thread, round| {
        let script = Script::of(&format!("{round}")).writes(Kind::Row, &format!("all/{round}"), &[thread as u8]);
        script.writes(Kind::Row, &format!("own/{round}/{thread}"), b"x").commit(ledger)
    });
    for (round, answers) in rounds.into_iter().enumerate() {
        let is = |answer: &Result<Committed, Error>, wanted| matches!(answer, Ok(committed) if *committed == wanted);
        let winners: Vec<usize> = (0..THREADS).filter(|&thread| is(&answers[thread], Committed::Now)).collect();
        let others = answers.iter().filter(|answer| is(answer, Committed::Before)).count();
        assert_eq!((winners.len(), others), (1, THREADS - 1), "of many at the same time one happens: {answers:?}");
        expect(ledger, Kind::Row, &format!("all/{round}"), Some(&[winners[0] as u8]));
        for thread in 0..THREADS {
            let written = (thread == winners[0]).then_some(b"x".as_slice());
            expect(ledger, Kind::Row, &format!("own/{round}/{thread}"), written);
        }
    }
}

pub(super) fn threads_that_create_one_record_create_it_once(make: Make<'_>) {
    let home = make();
    let ledger = home.ledger();
    let rounds = race(|thread, round| {
        let id = format!("f/{round}");
        let script = Script::of(&format!("{round} {thread}")).expects(Kind::Id, &id, Revision(0));
        script.writes(Kind::Id, &id, &[thread as u8]).commit(ledger)
    });
    for (round, answers) in rounds.into_iter().enumerate() {
        let winners: Vec<usize> = (0..THREADS).filter(|&thread| answers[thread].is_ok()).collect();
        let refused = answers.iter().filter(|answer| matches!(answer, Err(Error::Changed(_)))).count();
        assert_eq!((winners.len(), refused), (1, THREADS - 1), "one creates it, the others are told: {answers:?}");
        expect(ledger, Kind::Id, &format!("f/{round}"), Some(&[winners[0] as u8]));
    }
}
