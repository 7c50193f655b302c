//! Cutting, parsing and folding on any number of threads: pieces are cut in order, parsed side by side, and folded in
//! the order they were cut, so that the number of threads changes nothing but the time it takes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::Result;
use crate::batch::Batch;
use crate::check::{Cut, Parse, Piece};

/// Parts beyond one for each thread: a thread whose part is done before its turn comes has another to go on with.
const SPARE_PARTS: usize = 1;

/// Runs a part to its end. On a refusal everything before it has been folded.
pub(crate) fn run<P: Parse>(
    threads: usize,
    first: Option<Piece>,
    cut: &mut dyn Cut,
    parser: impl Fn() -> P + Sync,
    fold: &mut (dyn FnMut(&mut Batch) -> Result<()> + Send),
) -> Result<()> {
    if threads <= 1 {
        return alone(first, cut, parser(), fold);
    }
    let cutting = Mutex::new(Cutting { cut, first, next: 0, over: false });
    let mut take = |part: &mut Part| {
        let folded = fold(&mut part.batch);
        folded.and(part.failed.take().map_or(Ok(()), Err))
    };
    let line = Line::new(&mut take);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&cutting, &line, parser()));
        }
    });
    line.end()
}

fn alone<P: Parse>(
    mut first: Option<Piece>,
    cut: &mut dyn Cut,
    mut parser: P,
    fold: &mut dyn FnMut(&mut Batch) -> Result<()>,
) -> Result<()> {
    let (mut piece, mut batch) = (Piece::default(), Batch::default());
    loop {
        match first.take() {
            Some(prepared) => piece = prepared,
            None => {
                if !cut.next(&mut piece)? {
                    return Ok(());
                }
            }
        }
        let parsed = parser.parse(&mut piece, &mut batch);
        fold(&mut batch)?;
        parsed?;
        std::mem::swap(&mut piece.buffer, &mut batch.input);
    }
}

/// The end of the file that is read; one thread at a time cuts the next piece.
struct Cutting<'c> {
    cut: &'c mut dyn Cut,
    first: Option<Piece>,
    next: u64,
    over: bool,
}

/// A piece, the batch that it becomes, and why the file ends with it.
#[derive(Default)]
struct Part {
    piece: Piece,
    batch: Batch,
    failed: Option<crate::Error>,
}

fn work<P: Parse>(cutting: &Mutex<Cutting<'_>>, line: &Line<'_, Part>, mut parser: P) {
    let _abandon = AbandonOnPanic(line);
    let mut part = Part::default();
    loop {
        let (ticket, cut) = {
            let mut cutting = lock(cutting);
            if cutting.over {
                return;
            }
            let ticket = cutting.next;
            cutting.next += 1;
            let cut = match cutting.first.take() {
                Some(prepared) => {
                    part.piece = prepared;
                    Ok(true)
                }
                None => cutting.cut.next(&mut part.piece),
            };
            cutting.over = !matches!(cut, Ok(true));
            (ticket, cut)
        };
        match cut {
            Ok(false) => part.batch.clear(),
            Ok(true) => part.failed = parser.parse(&mut part.piece, &mut part.batch).err(),
            Err(error) => {
                part.batch.clear();
                part.failed = Some(error);
            }
        }
        match line.hand_in(ticket, part) {
            Some(spare) => part = spare,
            None => {
                lock(cutting).over = true;
                return;
            }
        }
        std::mem::swap(&mut part.piece.buffer, &mut part.batch.input);
    }
}

/// Makes parts 0, 1, 2 … of some output on any number of threads, and takes them in that order.
pub(crate) fn in_order(
    threads: usize,
    parts: usize,
    make: impl Fn(usize, &mut Vec<u8>) + Sync,
    take: &mut (dyn FnMut(&[u8]) -> Result<()> + Send),
) -> Result<()> {
    let mut made = Vec::new();
    if threads <= 1 || parts <= 1 {
        return (0..parts).try_for_each(|part| {
            made.clear();
            make(part, &mut made);
            take(&made)
        });
    }
    let unmade = AtomicUsize::new(0);
    let mut take = |made: &mut Vec<u8>| take(made);
    let line = Line::new(&mut take);
    let work = || {
        let _abandon = AbandonOnPanic(&line);
        let mut made = Vec::new();
        loop {
            let part = unmade.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                return;
            }
            made.clear();
            make(part, &mut made);
            match line.hand_in(part as u64, made) {
                Some(spare) => made = spare,
                None => return,
            }
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    line.end()
}

/// What takes parts in order.
type Take<'t, T> = dyn FnMut(&mut T) -> Result<()> + Send + 't;

/// Where parts wait until all before them were taken. Whoever hands one in takes those whose turn it is, if nobody else
/// is at it, and goes on with a part that was taken; so a thread rarely waits for another.
struct Line<'t, T> {
    state: Mutex<State<T>>,
    take: Mutex<&'t mut Take<'t, T>>,
    changed: Condvar,
}

struct State<T> {
    /// Handed in before their turn, by ticket.
    early: BTreeMap<u64, T>,
    /// To be used again.
    spare: Vec<T>,
    next: u64,
    is_taking: bool,
    waiting: usize,
    result: Result<()>,
    /// A thread panicked; its turn will never come.
    abandoned: bool,
}

impl<'t, T: Default> Line<'t, T> {
    fn new(take: &'t mut Take<'t, T>) -> Self {
        let spare = (0..SPARE_PARTS).map(|_| T::default()).collect();
        let (early, result) = (BTreeMap::new(), Ok(()));
        let state = State { early, spare, next: 0, is_taking: false, waiting: 0, result, abandoned: false };
        Self { state: Mutex::new(state), take: Mutex::new(take), changed: Condvar::new() }
    }

    /// Takes the part when its turn comes; gives another to go on with, or none when no more are wanted.
    fn hand_in(&self, ticket: u64, part: T) -> Option<T> {
        let mut state = lock(&self.state);
        state.early.insert(ticket, part);
        loop {
            if state.abandoned || state.result.is_err() {
                return None;
            }
            let next = state.next;
            if !state.is_taking
                && let Some(mut part) = state.early.remove(&next)
            {
                state.is_taking = true;
                drop(state);
                let taken = lock(&self.take)(&mut part);
                state = lock(&self.state);
                state.is_taking = false;
                state.next += 1;
                state.result = taken;
                state.spare.push(part);
                if state.waiting > 0 {
                    self.changed.notify_all();
                }
            } else if let Some(spare) = state.spare.pop() {
                return Some(spare);
            } else {
                state.waiting += 1;
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.waiting -= 1;
            }
        }
    }

    fn end(self) -> Result<()> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).result
    }
}

/// Lets the other threads go when this one unwinds, so that the panic comes out instead of a standstill.
struct AbandonOnPanic<'l, 't, T>(&'l Line<'t, T>);

impl<T> Drop for AbandonOnPanic<'_, '_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(&self.0.state).abandoned = true;
            self.0.changed.notify_all();
        }
    }
}

/// A panic on another thread is passed on by the scope; until then its lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    /// What is taken of so many parts, each of which is its own number, and how many were made.
    fn taken(threads: usize, parts: usize, ends_at: Option<u8>) -> (Vec<u8>, usize, Result<()>) {
        let (made, mut taken) = (AtomicUsize::new(0), Vec::new());
        let make = |part: usize, into: &mut Vec<u8>| {
            made.fetch_add(1, Ordering::Relaxed);
            // the first of each few comes last
            std::thread::sleep(Duration::from_micros(if part.is_multiple_of(3) { 300 } else { 0 }));
            into.push(part as u8);
        };
        let result = in_order(threads, parts, make, &mut |bytes| {
            taken.extend_from_slice(bytes);
            match ends_at {
                Some(end) if bytes == [end] => Err(crate::Error::Io(std::io::Error::other("full"))),
                _ => Ok(()),
            }
        });
        (taken, made.into_inner(), result)
    }

    #[test]
    fn parts_are_taken_in_order_and_none_after_one_that_failed() {
        let all: Vec<u8> = (0..100).collect();
        for threads in [1, 2, 3, 8] {
            let (whole, made, result) = taken(threads, 100, None);
            assert!(result.is_ok() && whole == all && made == 100, "{threads} threads: {made} made, {whole:?}");
            let (some, made, result) = taken(threads, 100, Some(40));
            assert!(result.is_err() && some == all[..=40], "{threads} threads: {some:?}");
            assert!(made <= 41 + threads + SPARE_PARTS, "{threads} threads made {made}");
        }
    }

    #[test]
    fn a_thread_goes_on_while_another_is_at_the_part_before() {
        let (begun, come) = channel();
        let come = Mutex::new(come);
        let mut order = Vec::new();
        let make = |part: usize, into: &mut Vec<u8>| {
            into.push(part as u8);
            match part {
                0 => lock(&come).recv_timeout(Duration::from_secs(20)).expect("part 2 is begun before part 0 is done"),
                2 => begun.send(()).unwrap(),
                _ => {}
            }
        };
        in_order(2, 4, make, &mut |bytes| {
            order.extend_from_slice(bytes);
            Ok(())
        })
        .unwrap();
        assert_eq!(order, [0, 1, 2, 3]);
    }

    #[test]
    fn a_panic_comes_out_and_nobody_waits_for_the_part() {
        let make = |part: usize, _: &mut Vec<u8>| assert_ne!(part, 5, "part 5 cannot be made");
        let ended = std::panic::catch_unwind(|| in_order(3, 50, make, &mut |_| Ok(())));
        assert!(ended.is_err());
    }
}
