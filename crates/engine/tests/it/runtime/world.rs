//! An engine on a folder, and what is asked of it.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::runtime::{Engine, Found, Options, now};
use pipeline::feed::Feeds;
use pipeline::find;
use pipeline::object::{ObjectVersion, ReceiptId};
use pipeline::ports::Objects;
use pipeline::query::{self, At, Of};
use pipeline::receipt::{Outcome, Receipt};
use pipeline::rows::contribution::Filter;
use pipeline::rows::source::MemoryScratch;

pub struct World {
    pub engine: Engine,
    pub found: Found,
    pub folder: PathBuf,
}

/// Trades of one minute: symbol, price, volume.
pub fn trades(rows: &[(&str, u32, u32)]) -> String {
    let row = |(index, (symbol, price, volume)): (usize, &(&str, u32, u32))| {
        format!("{symbol},{price},{volume},2026-01-01T09:00:00.{index:06}Z\n")
    };
    format!("symbol,price,volume,timestamp\n{}", rows.iter().enumerate().map(row).collect::<String>())
}

/// Transactions of 1 euro each.
pub fn transactions(ids: &[&str]) -> String {
    let row = |id: &&str| format!("{id},2026-01-05T10:00:00Z,1,EUR,Shop,completed\n");
    format!("transaction_id,timestamp,amount,currency,merchant,status\n{}", ids.iter().map(row).collect::<String>())
}

impl World {
    pub fn open(folder: &Path) -> Self {
        Self::with(folder, Feeds::default())
    }

    pub fn with(folder: &Path, feeds: Feeds) -> Self {
        let options = Options {
            folder: folder.to_path_buf(),
            feeds,
            environment: "dev".to_owned(),
            threads: 1,
            memory_bytes: 64_000_000,
            scratch: Arc::new(|| Ok(Box::new(MemoryScratch::default()))),
        };
        let (engine, found) = Engine::open(options).unwrap();
        Self { engine, found, folder: folder.to_path_buf() }
    }

    pub fn start(&mut self) {
        self.engine.start().unwrap();
    }

    /// Puts a file into a feed.
    pub fn put(&self, feed: &str, key: &str, text: &str) -> ReceiptId {
        let declared = self.engine.pipeline().feeds.named(feed).expect("declared");
        let bucket = self.engine.bucket_of(declared);
        self.engine.put(&bucket, key, &mut text.as_bytes()).unwrap().receipt.expect("the feed takes it")
    }

    pub fn receipt(&self, id: &ReceiptId) -> Receipt {
        find::by_id(&self.engine.ports(), id).unwrap().expect("there is one")
    }

    /// Waits until something is so.
    pub fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let until = Instant::now() + Duration::from_secs(60);
        while !is_so(self) {
            assert!(Instant::now() < until, "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until a file is at its end.
    pub fn end_of(&self, id: &ReceiptId) -> Outcome {
        self.until("a file is at its end", |world| world.receipt(id).outcome() != Outcome::InProgress);
        self.receipt(id).outcome()
    }

    pub fn lines(&self, feed: &str) -> Vec<String> {
        let declared = self.engine.pipeline().feeds.named(feed).expect("declared");
        let ports = self.engine.ports();
        let at = At { objects: &ports, ledger: &ports, now: now() };
        let mut lines = Vec::new();
        query::aggregates(at, declared, None, &Filter::default(), |aggregate| {
            let of = match &aggregate.of {
                Of::Bar { symbol, start, .. } => format!("{symbol} {}", pipeline::rows::time::rfc3339(*start)),
                Of::Total { currency, status, merchant, .. } => format!("{currency} {status} {merchant}"),
            };
            lines.push(format!("{of} {}", aggregate.line));
            ControlFlow::Continue(())
        })
        .unwrap();
        lines
    }

    pub fn read(&self, object: &ObjectVersion) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.engine.ports().open(object).unwrap().input.read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// Nothing is wrong with the folder.
    pub fn is_well(&self) {
        let found = self.engine.doctor().unwrap();
        assert!(found.findings.is_empty(), "{:#?}", found.findings);
    }

    /// Files of large objects, the largest first.
    pub fn large_objects(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.join("objects")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found.sort_by_key(|path| std::cmp::Reverse(path.metadata().unwrap().len()));
        found
    }
}
