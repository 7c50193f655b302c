//! Checking one file from its first byte to its last: what it is packed with and written in, which contract it is
//! under, what became of every row, and what its good rows add up to.

mod csv_part;
mod json_part;
mod members;
mod piece;
mod table_part;

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::choose;
use crate::contract::{At, Contract, Kind, Syntax};
use crate::drift::Drift;
use crate::fold::{BarFold, Beyond, Fold, Rejects, Settings, TotalFold};
use crate::limits::RECORD_BYTES_MAX;
use crate::plan::Plan;
use crate::report::{Described, Report};
use crate::source::{Input, Source};
use crate::table;
use crate::text::{Encoding, ToUtf8};
use crate::time::Interval;
use crate::unpack::{self, Compression};
use crate::{Error, Refusal, Result, good};

use members::Written;

pub use crate::fold::{BarLine, MakeScratch, TotalKey, TotalLine};
pub(crate) use json_part::{JsonParser, extract};
pub(crate) use piece::{Cut, Parse, Piece};

/// What to check a file against, and what to make of it.
pub struct Options<'a> {
    /// The contract; without one the header decides between the built-in ones.
    pub contract: Option<&'a Contract>,
    /// Without a contract: what stands in for `trades`, for files that have no bars.
    pub trades: Option<&'a Contract>,
    /// Make bars of this length.
    pub interval: Option<Interval>,
    /// Make totals.
    pub totals: bool,
    /// Threads that parse; the result is the same for any number.
    pub threads: usize,
    /// Bytes that groups and ids may take before they go to scratch space.
    pub memory: usize,
    /// Bytes of text that are cut off and parsed at once, more or less; the result is the same for any number.
    pub piece_bytes: usize,
    /// Where refused rows are written.
    pub rejects: Option<Box<dyn Write + Send>>,
    /// Where good rows are written. That takes some 30 MB beyond `memory`, 80 MB when texts are very long, and scratch
    /// space of about the size of the numbers in what is written.
    pub good: Option<good::Sinks>,
    /// Ids of transactions that earlier files took: a row with one of them is a repeat.
    pub known: Option<&'a mut dyn good::Known>,
    /// Read no further than to where the contract is known.
    pub only_look: bool,
    /// Told once: a counter of the bytes consumed, and how many there are.
    pub on_open: Option<&'a mut dyn FnMut(Arc<AtomicU64>, u64)>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        let memory = crate::limits::MEMORY_BYTES_DEFAULT;
        Self {
            contract: None,
            trades: None,
            interval: None,
            totals: false,
            threads: 1,
            memory,
            piece_bytes: piece::PIECE_BYTES,
            rejects: None,
            good: None,
            known: None,
            only_look: false,
            on_open: None,
        }
    }
}

/// A checked file.
pub struct Checked {
    /// What became of it.
    pub report: Report,
    kind: Option<Kind>,
    bars: Option<BarFold>,
    totals: Option<TotalFold<'static>>,
}

impl Checked {
    /// What the rows are; None when the file was refused.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Gives the bars, sorted by instrument and start; none when the file was refused or no interval was asked for.
    pub fn bars(&mut self, each: impl FnMut(&[u8], i64, &BarLine) -> Result<()>) -> Result<()> {
        match self.bars.take() {
            Some(bars) => bars.finish(each),
            None => Ok(()),
        }
    }

    /// Gives the totals, sorted by currency, status, merchant and day.
    pub fn totals(&mut self, each: impl FnMut(TotalKey<'_>, &TotalLine) -> Result<()>) -> Result<()> {
        match self.totals.take() {
            Some(totals) => totals.finish(each),
            None => Ok(()),
        }
    }

    /// Writes a file of the ids that good rows take, as [`Ids`](crate::ids::Ids) reads it, on `threads` threads; answers
    /// how many there are. Totals are gone then. Only where [`known`](Options::known) was given.
    pub fn write_ids(&mut self, threads: usize, out: &mut dyn Write) -> std::io::Result<u64> {
        let Some(totals) = self.totals.take() else { return Err(std::io::Error::other("there are no ids any more")) };
        totals.write_ids(threads, out).map_err(|error| match error {
            Error::Io(error) => error,
            // scratch space refuses nothing; it fails
            Error::Refused(refusal) => std::io::Error::other(refusal.message),
        })
    }

    /// Writes a line of every bar, in that order, on `threads` threads; `take` gets the text piece by piece.
    pub fn print_bars(
        &mut self,
        threads: usize,
        line: impl Fn(&[u8], i64, &BarLine, &mut Vec<u8>) + Sync,
        take: &mut (dyn FnMut(&[u8]) -> Result<()> + Send),
    ) -> Result<()> {
        match self.bars.take() {
            Some(bars) => bars.print(threads, line, take),
            None => Ok(()),
        }
    }

    /// Writes a line of every total, in that order, on `threads` threads; `take` gets the text piece by piece.
    pub fn print_totals(
        &mut self,
        threads: usize,
        line: impl Fn(TotalKey<'_>, &TotalLine, &mut Vec<u8>) + Sync,
        take: &mut (dyn FnMut(&[u8]) -> Result<()> + Send),
    ) -> Result<()> {
        match self.totals.take() {
            Some(totals) => totals.print(threads, line, take),
            None => Ok(()),
        }
    }
}

/// What the rows of a file are by its header; None when that fits none of the built-in contracts.
pub fn look(input: Box<dyn Input>) -> std::io::Result<Option<Kind>> {
    let no_scratch = || Err(std::io::Error::other("a look needs no scratch space"));
    let options = Options { only_look: true, ..Options::default() };
    Ok(check(input, options, &mut { no_scratch })?.kind)
}

/// Checks a file. An error means that its bytes or the scratch space could not be had; whatever is wrong with the
/// file itself stands in the report.
pub fn check(
    input: Box<dyn Input>,
    mut options: Options<'_>,
    scratch: &mut MakeScratch<'_>,
) -> std::io::Result<Checked> {
    options.piece_bytes = options.piece_bytes.max(piece::PIECE_BYTES_MIN);
    let rejects = Rejects::new(options.rejects.take());
    let described = Described::default();
    let mut session =
        Session { options, scratch, described, rejects: Some(rejects), state: None, written: None, looked: None };
    let result = session.file(input);
    let refusal = match result.and_then(|()| session.close()) {
        Ok(()) => None,
        Err(Error::Refused(refusal)) => Some(refusal),
        Err(Error::Io(error)) => return Err(error),
    };
    if let Some(bars) = session.state.as_mut().and_then(|state| state.fold.bars.as_mut()) {
        bars.end();
    }
    let report = Report::new(session.described, session.state.as_ref(), refusal);
    Ok(match session.state {
        Some(State { plan, fold }) if report.error.is_none() => {
            Checked { report, kind: Some(plan.kind), bars: fold.bars, totals: fold.totals.map(TotalFold::ended) }
        }
        _ => Checked { report, kind: session.looked, bars: None, totals: None },
    })
}

/// Plan and result so far; made when the first header or record has told what the file is.
pub(crate) struct State<'k> {
    pub plan: Plan,
    pub fold: Fold<'k>,
}

/// One file being checked.
struct Session<'a, 's> {
    options: Options<'a>,
    scratch: &'s mut MakeScratch<'s>,
    described: Described,
    rejects: Option<Rejects>,
    state: Option<State<'a>>,
    /// The first part that has rows: its name if it is the member of a zip, and how it is written.
    written: Option<(String, Written)>,
    /// What the rows are, when nothing more was wanted.
    looked: Option<Kind>,
}

/// Bytes at the front of a text part by which its form is known, however small the pieces are. A first record that is
/// too long is seen to be.
const HEAD_BYTES: usize = RECORD_BYTES_MAX + 4096;

impl<'a> Session<'a, '_> {
    fn file(&mut self, input: Box<dyn Input>) -> Result<()> {
        let format = self.options.contract.map(|contract| &contract.format);
        let declared = match format.and_then(|format| format.encoding.as_deref()) {
            None => None,
            Some(label) => Some(named_encoding(label)?),
        };
        let member = format.and_then(|format| format.member.as_deref());
        let mut parts = unpack::open(input, member)?;
        self.described.compression = parts.compression();
        self.described.bytes = parts.input_bytes();
        if let Some(on_open) = &mut self.options.on_open {
            on_open(parts.progress(), parts.input_bytes());
        }
        let mut empty = true;
        loop {
            let Some(mut part) = parts.next()? else { break };
            let head = read_head(&mut part.bytes)?;
            if let Some(kind) = table::is_table(&head) {
                if self.described.compression != Compression::None {
                    return Err(packed_table(kind.name(), self.described.compression).into());
                }
                drop(part);
                return self.table(parts.into_plain()?);
            }
            let name = part.name.take();
            let mut source = ToUtf8::new(Chained { head, at: 0, rest: part.bytes }, declared);
            empty &= !self.text(&mut source, name.clone()).map_err(|error| members::named(error, name))?;
        }
        if empty {
            return Err(Refusal::new("empty_file", "the file is empty", "send it again once it has rows").into());
        }
        Ok(())
    }

    /// Reads one part that is text; false when there is nothing in it.
    fn text<S: Source>(&mut self, source: &mut ToUtf8<S>, member: Option<String>) -> Result<bool> {
        let (mut head, mut ended) = (Vec::new(), false);
        piece::extend(source, &mut head, 0, HEAD_BYTES, &mut ended)?;
        if ended && head.iter().all(u8::is_ascii_whitespace) {
            return Ok(false);
        }
        let encoding = source.encoding().unwrap_or(Encoding::Utf8);
        self.described.encoding = encoding.name();
        if let Some(rejects) = self.rejects_mut() {
            rejects.member = member;
        }
        let declared = self.options.contract.and_then(|contract| contract.format.kind);
        let first = head.iter().find(|byte| !byte.is_ascii_whitespace()).copied();
        let prefixed = self.options.contract.is_some_and(|contract| contract.format.line_prefix.is_some());
        let text = Chained { head, at: 0, rest: source };
        match (declared, first) {
            (Some(Syntax::Table), _) => Err(Refusal::new(
                "wrong_format",
                "the contract wants a Parquet or Arrow file, and this is text",
                "send the file the contract names, or change its format.type",
            )
            .into()),
            (Some(Syntax::Json), _) => self.json(text, ended, encoding),
            (None, Some(b'{' | b'[')) => self.json(text, ended, encoding),
            (None, _) if prefixed => self.json(text, ended, encoding),
            _ => self.csv(text, encoding),
        }
        .map(|()| true)
    }

    fn rejects_mut(&mut self) -> Option<&mut Rejects> {
        match &mut self.state {
            Some(state) => Some(&mut state.fold.rejects),
            None => self.rejects.as_mut(),
        }
    }

    /// The contract that the columns of this file are under.
    fn contract(&self, columns: &[String]) -> Result<Cow<'a, Contract>> {
        match (self.options.contract, &self.state) {
            (Some(contract), _) => Ok(Cow::Borrowed(contract)),
            (None, Some(state)) => match self.options.trades.filter(|trades| trades.name == state.plan.contract) {
                Some(trades) => Ok(Cow::Borrowed(trades)),
                None => choose::by_name(&state.plan.contract),
            },
            (None, None) => match self.options.trades.filter(|_| !choose::is_of_bars(columns)) {
                Some(trades) => Ok(Cow::Borrowed(trades)),
                None => choose::by_columns(columns),
            },
        }
    }

    /// Makes plan and fold for the first part; later parts are held against the same plan.
    fn begin(&mut self, contract: &Contract, has: impl Fn(&At) -> bool) -> Result<&mut State<'a>> {
        if self.state.is_none() {
            if self.options.only_look {
                self.looked = Some(contract.kind);
                return Err(Refusal::new("looked", "nobody wanted more", "").into());
            }
            let mut plan = Plan::new(contract, has)?;
            plan.keeps_trade_ids = self.options.good.is_some();
            self.described.contract = Some(plan.contract.clone());
            self.described.version = Some(plan.version);
            let Options { interval, totals, memory, .. } = self.options;
            let settings = Settings { interval, totals, memory, input_bytes: self.described.bytes };
            let rejects = self.rejects.take().unwrap_or_else(|| Rejects::new(None));
            let beyond = Beyond { good: self.options.good.take(), known: self.options.known.take() };
            let fold = Fold::new(&plan, &settings, beyond, rejects, self.scratch)?;
            self.state = Some(State { plan, fold });
        }
        self.state.as_mut().ok_or_else(|| unreachable!("made just above"))
    }

    fn drifted(&mut self, drift: Drift) {
        self.described.drift.merge(drift);
    }

    fn close(&mut self) -> Result<()> {
        match (&mut self.state, &mut self.rejects) {
            (Some(state), _) => state.fold.finish(),
            (None, Some(rejects)) => rejects.finish(),
            (None, None) => Ok(()),
        }
    }
}

fn named_encoding(label: &str) -> Result<Encoding> {
    Encoding::named(label).ok_or_else(|| {
        let hint = "name one such as utf-8, latin-1, windows-1252, utf-16 or shift_jis";
        Refusal::new("invalid_contract", format!("format.encoding `{label}` is not an encoding"), hint).into()
    })
}

fn packed_table(kind: &str, compression: Compression) -> Refusal {
    let message = format!("a {kind} file inside {} is not read", compression.name());
    Refusal::new("unsupported_compression", message, "send it as it is; it is compressed within")
}

/// Enough bytes to tell a table from text: as many however the source gives them, or the answer would hang on it.
fn read_head(source: &mut dyn Source) -> Result<Vec<u8>> {
    let mut head = vec![0; table::HEAD_BYTES];
    let mut filled = 0;
    while filled < head.len() {
        match source.read(&mut head[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    head.truncate(filled);
    Ok(head)
}

/// Bytes that were looked at already, then the rest.
struct Chained<S> {
    head: Vec<u8>,
    at: usize,
    rest: S,
}

impl<S: Source> Source for Chained<S> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let left = &self.head[self.at..];
        if left.is_empty() {
            return self.rest.read(into);
        }
        let taken = left.len().min(into.len());
        into[..taken].copy_from_slice(&left[..taken]);
        self.at += taken;
        Ok(taken)
    }
}
