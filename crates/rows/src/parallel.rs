//! Cutting, parsing and folding on any number of threads: pieces are cut in order, parsed side by side, and folded in
//! the order they were cut, so that the number of threads changes nothing but the time it takes.

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

/// The result; threads take turns in the order of their pieces.
struct Folding<'f> {
    fold: &'f mut (dyn FnMut(&mut Batch) -> Result<()> + Send),
    next: u64,
    result: Result<()>,
    /// A thread panicked; its turn will never come.
    abandoned: bool,
}

/// Lets the other threads go when this one unwinds, so that the panic comes out instead of a standstill.
struct AbandonOnPanic<'a, 'f> {
    folding: &'a Mutex<Folding<'f>>,
    turn: &'a Condvar,
}

impl Drop for AbandonOnPanic<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(self.folding).abandoned = true;
            self.turn.notify_all();
        }
    }
}

fn work<P: Parse>(cutting: &Mutex<Cutting<'_>>, folding: &Mutex<Folding<'_>>, turn: &Condvar, mut parser: P) {
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
        let mut folding = lock(folding);
        while folding.next != ticket && !folding.abandoned {
            folding = turn.wait(folding).unwrap_or_else(PoisonError::into_inner);
        }
        if folding.abandoned {
            return;
        }
        if folding.result.is_ok() {
            let folded = (folding.fold)(&mut batch);
            folding.result = folded.and(failed.map_or(Ok(()), Err));
        }
        folding.next += 1;
        let stop = folding.result.is_err();
        drop(folding);
        turn.notify_all();
        if stop {
            lock(cutting).over = true;
        }
        std::mem::swap(&mut piece.buffer, &mut batch.input);
    }
}

/// A panic on another thread is passed on by the scope; until then its lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
