//! Running a check and keeping everything it gives, and where the corpus is.

use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use flate2::Crc;
use flate2::write::DeflateEncoder;
use rows::check::{Options, check};
use rows::contract::Contract;
use rows::decimal::{Sum18, Sum36, ratio10};
use rows::good::Sinks;
use rows::limits::MEMORY_BYTES_DEFAULT;
use rows::report::Report;
use rows::source::{Input, MemoryScratch, Scratch};
use rows::time::{Interval, rfc3339};

/// How to check.
#[derive(Clone, Copy)]
pub(crate) struct Way<'a> {
    pub(crate) contract: Option<&'a Contract>,
    pub(crate) interval: Interval,
    pub(crate) totals: bool,
    pub(crate) threads: usize,
    pub(crate) memory: usize,
    pub(crate) piece_bytes: usize,
    /// At most so many bytes come from one read, in turns; none: as many as are asked for.
    pub(crate) reads: &'a [usize],
}

impl Default for Way<'_> {
    fn default() -> Self {
        Self {
            contract: None,
            interval: Interval::M1,
            totals: true,
            threads: 1,
            memory: MEMORY_BYTES_DEFAULT,
            piece_bytes: 1024 * 1024,
            reads: &[],
        }
    }
}

/// What came of it.
pub(crate) struct Told {
    pub(crate) report: Report,
    pub(crate) bars: Vec<Bar>,
    pub(crate) totals: Vec<Total>,
    pub(crate) rejects: Vec<u8>,
    /// The good rows, as Parquet and as CSV; nothing when the file was refused.
    pub(crate) good: Vec<u8>,
    pub(crate) good_csv: Vec<u8>,
    /// Bytes that were put aside.
    pub(crate) spilled: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    pub(crate) symbol: String,
    pub(crate) time: i64,
    pub(crate) open: String,
    pub(crate) high: String,
    pub(crate) low: String,
    pub(crate) close: String,
    pub(crate) volume: Sum18,
    pub(crate) notional: Sum36,
    pub(crate) count: u64,
}

impl Bar {
    pub(crate) fn start(&self) -> String {
        rfc3339(self.time)
    }

    pub(crate) fn vwap(&self) -> Option<String> {
        ratio10(self.notional.units(), self.volume.units())
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Total {
    pub(crate) currency: &'static str,
    pub(crate) status: &'static str,
    pub(crate) merchant: String,
    pub(crate) day: String,
    pub(crate) count: u64,
    pub(crate) sum: Sum18,
    pub(crate) min: String,
    pub(crate) max: String,
}

impl Told {
    pub(crate) fn json(&self) -> String {
        serde_json::to_string(&self.report).unwrap()
    }

    /// Everything, to be compared byte for byte.
    pub(crate) fn everything(&self) -> String {
        let rejects = String::from_utf8_lossy(&self.rejects).into_owned();
        let (bars, totals, good) = (&self.bars, &self.totals, (&self.good, &self.good_csv));
        format!("{}\n{bars:?}\n{totals:?}\n{rejects}\n{:?}\n{good:?}", self.json(), self.rejects.len())
    }

    pub(crate) fn refusal(&self) -> (&'static str, &str, &str) {
        match &self.report.error {
            Some(error) => (error.code, &error.message, &error.hint),
            None => ("none", "", ""),
        }
    }
}

/// Checks `bytes` and gives everything there is to tell.
#[track_caller]
pub(crate) fn told(bytes: &[u8], way: Way<'_>) -> Told {
    told_of(Box::new(Trickle { bytes: Cursor::new(bytes.to_vec()), sizes: way.reads.to_vec(), turn: 0 }), way)
}

#[track_caller]
pub(crate) fn told_of(input: Box<dyn Input>, way: Way<'_>) -> Told {
    let (sink, good, good_csv) = (Sink::default(), Sink::default(), Sink::default());
    let options = Options {
        contract: way.contract,
        interval: Some(way.interval),
        totals: way.totals,
        threads: way.threads,
        memory: way.memory,
        piece_bytes: way.piece_bytes,
        rejects: Some(Box::new(sink.clone())),
        good: Some(Sinks { parquet: Box::new(good.clone()), csv: Some(Box::new(good_csv.clone())) }),
        ..Options::default()
    };
    let spilled = Arc::new(AtomicU64::new(0));
    let mut scratch = || {
        let scratch = Counted { kept: MemoryScratch::default(), bytes: Arc::clone(&spilled) };
        Ok(Box::new(scratch) as Box<dyn Scratch>)
    };
    let checked = check(input, options, &mut scratch);
    let mut checked = checked.expect("memory can always be read");
    let (mut bars, mut totals) = (Vec::new(), Vec::new());
    let given = checked.bars(|symbol, time, group| {
        let bar = group.bar();
        bars.push(Bar {
            symbol: String::from_utf8_lossy(symbol).into_owned(),
            time,
            open: bar.open.to_string(),
            high: bar.high.to_string(),
            low: bar.low.to_string(),
            close: bar.close.to_string(),
            volume: bar.volume,
            notional: bar.notional,
            count: bar.count,
        });
        Ok(())
    });
    given.expect("scratch space in memory works");
    let given = checked.totals(|key, group| {
        let total = group.total();
        let mut day = Vec::new();
        rows::time::write_day(key.day, &mut day);
        totals.push(Total {
            currency: key.currency,
            status: key.status,
            merchant: String::from_utf8_lossy(key.merchant).into_owned(),
            day: String::from_utf8(day).unwrap(),
            count: total.count,
            sum: total.sum,
            min: total.min.to_string(),
            max: total.max.to_string(),
        });
        Ok(())
    });
    given.expect("scratch space in memory works");
    let report = checked.report;
    let rejects = sink.take();
    let [good, good_csv] = [good, good_csv].map(|sink| if report.error.is_none() { sink.take() } else { Vec::new() });
    assert_eq!(report.rows, report.good + report.rejected + report.duplicate, "{report:?}");
    assert_eq!(report.first_reasons.values().sum::<u64>(), report.rejected + report.duplicate, "{report:?}");
    Told { report, bars, totals, rejects, good, good_csv, spilled: spilled.load(Ordering::Relaxed) }
}

#[track_caller]
pub(crate) fn contract(text: &str) -> Contract {
    match Contract::parse(text) {
        Ok(contract) => contract,
        Err(refusal) => panic!("{refusal}\n{text}"),
    }
}

/// A zip with one deflated member per name.
pub(crate) fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in members {
        let mut encoder = DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(content).unwrap();
        let packed = encoder.finish().unwrap();
        let mut crc = Crc::new();
        crc.update(content);
        let mut sizes = crc.sum().to_le_bytes().to_vec();
        sizes.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        sizes.extend_from_slice(&(content.len() as u32).to_le_bytes());
        sizes.extend_from_slice(&(name.len() as u16).to_le_bytes());
        let offset = (file.len() as u32).to_le_bytes();
        // Version, flags, deflate, time and date; then the sizes, no extra field, and the name.
        let common = [&[20, 0, 0, 0, 8, 0, 0, 0, 33, 80], sizes.as_slice(), &[0, 0]].concat();
        file.extend_from_slice(&[b"PK\x03\x04", common.as_slice(), name.as_bytes(), &packed].concat());
        let place = [[0; 10].as_slice(), &offset].concat();
        directory.extend_from_slice(&[b"PK\x01\x02\x14\x00", common.as_slice(), &place, name.as_bytes()].concat());
    }
    let count = (members.len() as u16).to_le_bytes();
    let (size, start) = ((directory.len() as u32).to_le_bytes(), (file.len() as u32).to_le_bytes());
    file.extend_from_slice(&directory);
    file.extend_from_slice(&[b"PK\x05\x06\0\0\0\0", count.as_slice(), &count, &size, &start, &[0, 0]].concat());
    file
}

/// The folder of real files, unless it is not there.
pub(crate) fn corpus() -> Option<PathBuf> {
    let root = match std::env::var_os("MILLRACE_CORPUS") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
    };
    if root.is_dir() {
        return Some(root);
    }
    #[expect(clippy::print_stderr, reason = "a test that did not run says so")]
    {
        eprintln!("skipped: there is no folder {}", root.display());
    }
    None
}

/// A sink that is still there after the check.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Scratch space that tells how much it was given.
struct Counted {
    kept: MemoryScratch,
    bytes: Arc<AtomicU64>,
}

impl Scratch for Counted {
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<u64> {
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.kept.append(bytes)
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> std::io::Result<()> {
        self.kept.read_at(offset, into)
    }
}

/// An input that gives few bytes at a time.
struct Trickle {
    bytes: Cursor<Vec<u8>>,
    sizes: Vec<usize>,
    turn: usize,
}

impl Read for Trickle {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.turn += 1;
        let size = match self.sizes.len() {
            0 => into.len(),
            count => self.sizes[self.turn % count].clamp(1, into.len().max(1)).min(into.len()),
        };
        self.bytes.read(&mut into[..size])
    }
}

impl Seek for Trickle {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.bytes.seek(to)
    }
}
