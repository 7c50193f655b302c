//! A whole check of one file, as often as it takes to see that nothing hangs on how the file was read.

use std::io::{Cursor, Read, Result, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex};

use rows::check::{Options, check};
use rows::contract::Contract;
use rows::fold::{BarLine, TotalLine};
use rows::groups::{Bar, Total};
use rows::report::{Outcome, Report};
use rows::source::MemoryScratch;
use rows::time::Interval;

/// How a file is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    /// Most bytes that the reader gives at once; 0 for as many as are asked for.
    pub(crate) read_bytes: usize,
    pub(crate) piece_bytes: usize,
    pub(crate) threads: usize,
    /// Bytes for ids and groups.
    pub(crate) memory: usize,
}

impl Way {
    /// In one piece, which holds the largest input there is; the usual one costs more to clear than to check.
    pub(crate) const PLAIN: Way =
        Way { read_bytes: 0, piece_bytes: 80 * 1024, threads: 1, memory: rows::limits::MEMORY_BYTES_DEFAULT };

    /// So little memory that even few groups go to scratch space. Ids take more.
    pub(crate) fn short_of_memory(self, has_ids: bool) -> Way {
        Way { memory: if has_ids { 160 * 1024 } else { 34 * 1024 }, ..self }
    }
}

/// Text that is checked as a whole: pieces are small here, and long texts would only be slow.
pub(crate) const TEXT_BYTES_MAX: usize = 6 * 1024;

/// What came of a check, as text that can be compared.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) report: String,
    pub(crate) refusal: Option<&'static str>,
    pub(crate) groups: Vec<String>,
    pub(crate) rejects: Vec<u8>,
    pub(crate) rows: u64,
    /// Rows that are in the rejects file.
    pub(crate) refused: u64,
}

/// Checks `bytes` and asserts what holds for every report.
pub(crate) fn told(bytes: &[u8], contract: Option<&Contract>, interval: Interval, way: Way) -> Told {
    let sink = Sink::default();
    let options = Options {
        contract,
        interval: Some(interval),
        totals: true,
        threads: way.threads,
        memory: way.memory,
        piece_bytes: way.piece_bytes,
        rejects: Some(Box::new(sink.clone())),
        ..Options::default()
    };
    let input = Choppy { bytes: Cursor::new(bytes.to_vec()), most: way.read_bytes, turn: 0 };
    let checked = check(Box::new(input), options, &mut || Ok(Box::new(MemoryScratch::default())));
    let mut checked = checked.expect("memory can always be read");
    assert_adds_up(&checked.report);
    let mut groups = Vec::new();
    let mut counted = 0;
    let bars = checked.bars(|name, start, group| {
        let text = bar_text(group);
        counted += group.bar().count;
        groups.push(format!("{name:?} {start} {text}"));
        Ok(())
    });
    let totals = checked.totals(|key, group| {
        let text = total_text(group);
        counted += group.total().count;
        groups.push(format!("{key:?} {text}"));
        Ok(())
    });
    if checked.report.error.is_none() && bars.is_ok() && totals.is_ok() {
        assert_eq!(counted, checked.report.good, "every good row is in one bar or total");
    }
    let refusal = checked.report.error.as_ref().map(|error| error.code);
    let report = serde_json::to_string(&checked.report).expect("a report is JSON");
    let refused = checked.report.rejected + checked.report.duplicate;
    Told { report, refusal, groups, rejects: sink.taken(), rows: checked.report.rows, refused }
}

/// Asserts that the rejects file is one that the same contract reads: every row in it is a row.
pub(crate) fn comes_back(told: &Told, contract: &Contract, interval: Interval) {
    // A message with several rows comes back whole, the good ones too, and a torn message is none when it comes back.
    let format = &contract.format;
    let holds_messages = format.each.is_some() || format.line_prefix.is_some() || !format.conditions.is_empty();
    if told.refusal.is_some() || told.refused == 0 || holds_messages {
        return;
    }
    let shown = || String::from_utf8_lossy(&told.rejects);
    let back = self::told(&told.rejects, Some(contract), interval, Way::PLAIN);
    assert_eq!(back.refusal, None, "{}\n{}\nof {}", back.report, shown(), told.report);
    assert_eq!(back.rows, told.refused, "{}\n{}\nof {}", back.report, shown(), told.report);
}

/// Asserts that `bytes` are told the same in all `ways`.
pub(crate) fn same_in_all(bytes: &[u8], contract: Option<&Contract>, interval: Interval, ways: &[Way]) -> Told {
    let plain = told(bytes, contract, interval, Way::PLAIN);
    for &way in ways {
        let other = told(bytes, contract, interval, way);
        if way.memory < Way::PLAIN.memory {
            // Oddities are watched for as far as memory goes.
            assert_eq!((&other.refusal, &other.groups), (&plain.refusal, &plain.groups), "{way:?}");
        } else {
            assert_eq!(other, plain, "{way:?}");
        }
    }
    plain
}

/// A bar as it is written, which is what its exact numbers say.
fn bar_text(group: &BarLine) -> String {
    let bar = group.bar();
    let Bar { open, high, low, close, volume, notional, count } = &bar;
    assert!(low <= open.min(close) && high >= open.max(close), "{bar:?}");
    let vwap = bar.vwap().unwrap_or_default();
    let mut written = Vec::new();
    group.write_csv(true, &mut written);
    let exact = format!("{open},{high},{low},{close},{volume},{count},{notional},{vwap}");
    assert_eq!(written, exact.as_bytes(), "{bar:?}");
    exact
}

/// A total as it is written, which is what its exact numbers say.
fn total_text(group: &TotalLine) -> String {
    let total = group.total();
    let Total { count, sum, min, max } = &total;
    assert!(min <= max, "{total:?}");
    let mut written = Vec::new();
    group.write_csv(&mut written);
    let exact = format!("{count},{sum},{min},{max}");
    assert_eq!(written, exact.as_bytes(), "{total:?}");
    exact
}

fn assert_adds_up(report: &Report) {
    assert_eq!(report.rows, report.good + report.rejected + report.duplicate, "{report:?}");
    let first: u64 = report.first_reasons.values().sum();
    assert_eq!(first, report.rejected + report.duplicate, "{report:?}");
    let listed = (report.rejected + report.duplicate).min(rows::limits::REJECTS_LISTED_MAX as u64);
    assert_eq!(report.rejects.len() as u64, listed, "{report:?}");
    for (reason, count) in &report.first_reasons {
        assert!(report.reasons.get(reason).is_some_and(|having| having >= count), "{report:?}");
    }
    assert_eq!(report.error.is_some(), report.outcome == Outcome::Rejected, "{report:?}");
    for reject in &report.rejects {
        assert!(!reject.reasons.is_empty() && !reject.hint.is_empty(), "{reject:?}");
        assert!(!reject.value.chars().any(char::is_control), "{reject:?}");
    }
}

/// A file in memory that gives few bytes at a time.
struct Choppy {
    bytes: Cursor<Vec<u8>>,
    most: usize,
    turn: usize,
}

impl Read for Choppy {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        self.turn += 1;
        let most = if self.most == 0 { into.len() } else { self.most + self.turn % 3 };
        let length = into.len().min(most);
        self.bytes.read(&mut into[..length])
    }
}

impl Seek for Choppy {
    fn seek(&mut self, position: SeekFrom) -> Result<u64> {
        self.bytes.seek(position)
    }
}

/// Where refused rows go.
#[derive(Debug, Default, Clone)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn taken(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().expect("nobody panics with the lock"))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.lock().expect("nobody panics with the lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
