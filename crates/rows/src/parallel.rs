//! Cutting, parsing and folding on any number of threads: pieces are cut in order, parsed side by side, and folded in
//! the order they were cut, so that the number of threads changes nothing but the time it takes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::Result;
use crate::batch::Batch;
use crate::check::{Cut, Parse, Piece};

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
    let folding = Mutex::new(Folding { fold, next: 0, result: Ok(()), abandoned: false });
    let turn = Condvar::new();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&cutting, &folding, &turn, parser()));
        }
    });
    folding.into_inner().unwrap_or_else(PoisonError::into_inner).result
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

/// The result, which `fold` adds to; threads take turns in the order of their pieces.
struct Folding<'f, F: ?Sized> {
    fold: &'f mut F,
    next: u64,
    result: Result<()>,
    /// A thread panicked; its turn will never come.
    abandoned: bool,
}

/// Lets the other threads go when this one unwinds, so that the panic comes out instead of a standstill.
struct AbandonOnPanic<'a, 'f, F: ?Sized> {
    folding: &'a Mutex<Folding<'f, F>>,
    turn: &'a Condvar,
}

impl<F: ?Sized> Drop for AbandonOnPanic<'_, '_, F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(self.folding).abandoned = true;
            self.turn.notify_all();
        }
    }
}

/// What takes batches in order.
type Fold<'f> = dyn FnMut(&mut Batch) -> Result<()> + Send + 'f;

fn work<P: Parse>(cutting: &Mutex<Cutting<'_>>, folding: &Mutex<Folding<'_, Fold<'_>>>, turn: &Condvar, mut parser: P) {
    let (mut piece, mut batch) = (Piece::default(), Batch::default());
    let _abandon = AbandonOnPanic { folding, turn };
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
                    piece = prepared;
                    Ok(true)
                }
                None => cutting.cut.next(&mut piece),
            };
            cutting.over = !matches!(cut, Ok(true));
            (ticket, cut)
        };
        let mut failed = None;
        match cut {
            Ok(false) => batch.clear(),
            Ok(true) => failed = parser.parse(&mut piece, &mut batch).err(),
            Err(error) => {
                batch.clear();
                failed = Some(error);
            }
        }
        let goes_on = take_turn(folding, turn, ticket, |fold| {
            let folded = fold(&mut batch);
            folded.and(failed.map_or(Ok(()), Err))
        });
        if !goes_on {
            lock(cutting).over = true;
            return;
        }
        std::mem::swap(&mut piece.buffer, &mut batch.input);
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
    let folding = Mutex::new(Folding { fold: take, next: 0, result: Ok(()), abandoned: false });
    let turn = Condvar::new();
    let work = || {
        let _abandon = AbandonOnPanic { folding: &folding, turn: &turn };
        let mut made = Vec::new();
        loop {
            let part = unmade.fetch_add(1, Ordering::Relaxed);
            if part >= parts {
                return;
            }
            made.clear();
            make(part, &mut made);
            if !take_turn(&folding, &turn, part as u64, |take| take(&made)) {
                return;
            }
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    folding.into_inner().unwrap_or_else(PoisonError::into_inner).result
}

/// Waits until `ticket` is next, and does its part of the result; false when no more parts are wanted.
fn take_turn<F: ?Sized>(
    folding: &Mutex<Folding<'_, F>>,
    turn: &Condvar,
    ticket: u64,
    part: impl FnOnce(&mut F) -> Result<()>,
) -> bool {
    let mut folding = lock(folding);
    while folding.next != ticket && !folding.abandoned {
        folding = turn.wait(folding).unwrap_or_else(PoisonError::into_inner);
    }
    if folding.abandoned {
        return false;
    }
    if folding.result.is_ok() {
        folding.result = part(folding.fold);
    }
    folding.next += 1;
    let goes_on = folding.result.is_ok();
    drop(folding);
    turn.notify_all();
    goes_on
}

/// A panic on another thread is passed on by the scope; until then its lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
