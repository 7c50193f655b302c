//! Parsing a file once: its account, its good rows, its refused rows, and the ids it takes.

use std::io::{Read, Seek, SeekFrom};

use rows::check::{Checked, Options, check};
use rows::contract::{Contract, Kind};
use rows::good::Sinks;
use rows::report::Report;

use super::claim::Claim;
use super::outputs::Output;
use super::taken::Taken;
use super::{Task, output_key, unreadable};
use crate::handle::Error;
use crate::message::Work;
use crate::object::ObjectVersion;
use crate::ports::{self, Opened};
use crate::preset::Preset;
use crate::receipt::{Account, Counts, Drift, Receipt, RefusedFile};
use crate::sha256::Sha256;

/// What parsing a file gave.
pub(super) struct Parsed {
    pub account: Account,
    /// What was written, by the name of its link; nothing for a file that is refused.
    pub links: Vec<(&'static str, ObjectVersion)>,
    pub claim: Option<Claim>,
}

/// The bytes of a file, and what they are known by.
pub(super) struct Content {
    pub opened: Opened,
    pub sha256: String,
}

/// Opens a file; none when it is gone, which no waiting mends.
pub(super) fn open(task: &Task<'_>, object: &ObjectVersion) -> Result<Option<Content>, Error> {
    let mut opened = match task.call.objects.open(object) {
        Err(ports::Error::NotFound(_)) => return Ok(None),
        opened => opened?,
    };
    let sha256 = match &opened.sha256 {
        Some(known) => known.clone(),
        None => digest(&mut opened).map_err(|cause| unreadable(object, cause))?,
    };
    Ok(Some(Content { opened, sha256 }))
}

fn digest(opened: &mut Opened) -> std::io::Result<String> {
    let mut digest = Sha256::default();
    let mut block = vec![0; 1024 * 1024];
    loop {
        match opened.input.read(&mut block)? {
            0 => break,
            read => digest.update(&block[..read]),
        }
    }
    opened.input.seek(SeekFrom::Start(0))?;
    Ok(digest.finish())
}

/// Parses a file and writes what becomes of its rows.
pub(super) fn parse(task: &Task<'_>, work: &Work, receipt: &Receipt, content: Content) -> Result<Parsed, Error> {
    let preset = receipt.arrival().preset;
    let Content { opened, sha256 } = content;
    let (id, bucket) = (receipt.id(), &work.object.bucket);
    let create = |folder, name: &str| {
        let key = output_key(folder, &id, work.generation, name);
        Output::create(task.call.objects, bucket, &key)
    };
    let rejects = create("rejects", file_name(&work.object.key))?;
    let rows = create("validated", "rows.parquet")?;
    let csv = (preset == Preset::Transactions).then(|| create("validated", "rows.csv")).transpose()?;
    let mut taken = match preset {
        Preset::Transactions => Some(Taken::new(task, receipt, &sha256)?),
        Preset::Files | Preset::Market => None,
    };
    let sinks = Sinks { parquet: rows.sink(), csv: csv.as_ref().map(Output::sink) };
    let (mut scratch, lent) = (task.scratch(), task.pipeline.budget.memory.lend(opened.bytes));
    let mut on_open = |counter, total| (task.call.progress)(&id, counter, total);
    let (contract, trades) = contracts(task, receipt);
    let threads = task.threads_for(opened.bytes);
    let options = Options {
        contract: contract.as_ref(),
        trades: trades.as_ref(),
        threads,
        memory: lent.bytes,
        rejects: Some(rejects.sink()),
        good: Some(sinks),
        known: taken.as_mut().map(|taken| taken as &mut dyn rows::good::Known),
        on_open: Some(&mut on_open),
        ..Options::default()
    };
    let mut checked = check(opened.input, options, &mut scratch).map_err(|cause| unreadable(&work.object, cause))?;
    let account = account(&checked, preset, &sha256, opened.bytes);
    if account.refused.is_some() {
        return Ok(Parsed { account, links: Vec::new(), claim: None });
    }
    // While ids are written, the disk takes what else was written: ending an output waits for that.
    let claim = taken.map(|taken| taken.claim(receipt, &mut checked, threads)).transpose()?;
    let mut links = Vec::new();
    let mut keep = |name, output: Option<Output>| -> Result<(), Error> {
        let object = output.map(Output::finish).transpose()?.flatten();
        links.extend(object.map(|object| (name, object)));
        Ok(())
    };
    keep("rows", Some(rows))?;
    keep("csv", csv)?;
    if account.counts.rejected + account.counts.duplicate > 0 {
        keep("rejects", Some(rejects))?;
        keep("report", Some(report(&checked.report, create("reports", "report.json")?)?))?;
    }
    Ok(Parsed { account, links, claim })
}

/// The contract of the feed, and what stands in for trades where it names none: senders of `market` leave more out. What
/// the file says nothing of came when the file did.
fn contracts(task: &Task<'_>, receipt: &Receipt) -> (Option<Contract>, Option<Contract>) {
    let arrival = receipt.arrival();
    let at = i64::try_from(arrival.at).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    let points = (arrival.preset == Preset::Market).then(|| rows::contract::builtin("points")).flatten();
    let came = |contract: &Contract| contract.came_at(at);
    (task.feed.contract.as_ref().map(came), points.map(came))
}

/// What parsing a file would tell; nothing is written.
pub(super) fn look(task: &Task<'_>, work: &Work, receipt: &Receipt) -> Result<Account, Error> {
    let Some(Content { opened, sha256 }) = open(task, &work.object)? else { return Ok(gone(work)) };
    let preset = receipt.arrival().preset;
    let mut taken = match preset {
        Preset::Transactions => Some(Taken::new(task, receipt, &sha256)?),
        Preset::Files | Preset::Market => None,
    };
    let (contract, trades) = contracts(task, receipt);
    let lent = task.pipeline.budget.memory.lend(opened.bytes);
    let options = Options {
        contract: contract.as_ref(),
        trades: trades.as_ref(),
        threads: task.pipeline.budget.threads,
        memory: lent.bytes,
        known: taken.as_mut().map(|taken| taken as &mut dyn rows::good::Known),
        ..Options::default()
    };
    let checked = check(opened.input, options, &mut task.scratch()).map_err(|cause| unreadable(&work.object, cause))?;
    Ok(account(&checked, preset, &sha256, opened.bytes))
}

/// The first refused rows with all that is wrong with them, for people who ask.
fn report(report: &Report, output: Output) -> Result<Output, Error> {
    serde_json::to_writer(output.sink(), report)
        .map_err(|error| Error::Bytes { what: "the report of a file".to_owned(), cause: error.into() })?;
    Ok(output)
}

/// The name of the file in a key, or the end of it: with what stands before it, it must be a key itself.
fn file_name(key: &str) -> &str {
    let name = key.rsplit('/').find(|name| !name.is_empty()).unwrap_or("rows");
    let from = name.len().saturating_sub(NAME_BYTES_MAX);
    let from = (from..name.len()).find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    &name[from..]
}

const NAME_BYTES_MAX: usize = 200;

fn account(checked: &Checked, preset: Preset, sha256: &str, bytes: u64) -> Account {
    let report = &checked.report;
    let other_lines =
        report.header_lines + report.blank_lines + report.comment_lines + report.other_lines + report.ignored_messages;
    let has_lines = matches!(report.format, "csv" | "ndjson");
    let drift = &report.drift;
    let mut account = Account {
        sha256: sha256.to_owned(),
        bytes,
        contract: report.contract.clone().zip(report.contract_version),
        counts: Counts {
            rows: report.rows,
            good: report.good,
            rejected: report.rejected,
            duplicate: report.duplicate,
            lines: report.lines,
            row_lines: has_lines.then(|| report.lines.saturating_sub(other_lines)),
            other_lines,
        },
        drift: Drift {
            unknown: drift.unknown.clone(),
            missing: drift.missing.clone(),
            moved: drift.moved.clone(),
            repeated: drift.repeated.clone(),
        },
        reasons: report.reasons.clone(),
        refused: None,
    };
    let error = report.error.as_ref();
    let refused = error.map(|error| refusal(error.code, error.message.clone(), error.hint.clone()));
    if let Some(refused) = refused.or_else(|| wrong_kind(checked, preset)) {
        account.refuse(refused);
    }
    account
}

/// A preset takes rows of its kind only.
fn wrong_kind(checked: &Checked, preset: Preset) -> Option<RefusedFile> {
    let kind = checked.kind()?;
    let fits = (kind == Kind::Transactions) == (preset == Preset::Transactions);
    let (wanted, other) = match preset {
        Preset::Transactions => ("transactions", "a feed of preset files"),
        Preset::Files | Preset::Market => ("trades or bars", "a feed of preset transactions"),
    };
    let message = format!("the file has {}, and its feed takes {wanted}", kind.name());
    (!fits).then(|| refusal("wrong_kind", message, format!("send it to {other}")))
}

pub(super) fn refusal(code: &str, message: impl Into<String>, hint: impl Into<String>) -> RefusedFile {
    RefusedFile { code: code.to_owned(), message: message.into(), hint: hint.into() }
}

/// The account of a file that cannot be read at all.
pub(super) fn gone(work: &Work) -> Account {
    let ObjectVersion { bucket, key, version } = &work.object;
    let mut account = Account::default();
    let message = format!("object {bucket}/{key} version {version} is not there any more");
    account.refuse(refusal("object_gone", message, "send the file again"));
    account
}
