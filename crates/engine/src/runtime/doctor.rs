//! Looks at a whole data folder and says what is wrong, each with what to do next: bytes, receipts, and what leads from one
//! to the other.

use std::collections::BTreeSet;

use pipeline::find::{self, Wanted};
use pipeline::message::Message;
use pipeline::object::{ObjectVersion, ReceiptId};
use pipeline::query;
use pipeline::receipt::{Outcome, Receipt};
use pipeline::rows::contribution::Filter;
use pipeline::topology::{Lifecycle, Topology};
use serde::Serialize;

use super::put::removed_key;
use super::{Engine, Result, now};
use crate::session::Session;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub what: String,
    /// What to do next.
    pub hint: String,
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Findings {
    /// Objects that were read, and their bytes.
    pub objects: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Receipts that were looked at.
    pub files: usize,
    /// Messages that wait.
    pub messages: usize,
    /// Dead letters.
    pub dead_letters: usize,
    /// What is wrong; nothing, if all is well.
    pub findings: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, what: String, hint: impl Into<String>) {
        self.findings.push(Finding { what, hint: hint.into() });
    }
}

impl Engine {
    /// Looks at everything. Work may go on meanwhile, but then a file on its way may be reported.
    pub fn doctor(&self) -> Result<Findings> {
        let mut findings = Findings::default();
        let checked = self.shared.objects.check(|_| {})?;
        (findings.objects, findings.bytes) = (checked.objects, checked.bytes);
        for problem in checked.problems {
            findings.add(problem.what, problem.hint);
        }
        let waiting = self.waiting(&mut findings)?;
        self.look_at_files(&waiting, &mut findings)?;
        self.look_at_contributions(&mut findings)?;
        Ok(findings)
    }

    /// Files that a message or a dead letter is about.
    fn waiting(&self, findings: &mut Findings) -> Result<BTreeSet<ReceiptId>> {
        let mut files = BTreeSet::new();
        for line in &self.shared.plan.lines {
            for (name, is_dead) in [(&line.name, false), (&line.dead, true)] {
                let queue = self.shared.queues.queue(name)?;
                let mut after = None;
                loop {
                    let page = self.shared.queues.list(queue, after, 1000, now()).wait()?;
                    let Some(last) = page.last() else { break };
                    after = Some(last.id);
                    for listed in page {
                        *(if is_dead { &mut findings.dead_letters } else { &mut findings.messages }) += 1;
                        let shown = self.shared.queues.show(queue, listed.id, now())?;
                        match Message::from_json(&String::from_utf8_lossy(&shown.body)) {
                            Ok(message) => files.extend(super::dead::file_of(&message)),
                            Err(error) => {
                                let what = format!("message {} in queue {name}: {error}", listed.id);
                                findings.add(what, "purge it, or run the program that sent it");
                            }
                        }
                    }
                }
            }
        }
        Ok(files)
    }

    fn look_at_files(&self, waiting: &BTreeSet<ReceiptId>, findings: &mut Findings) -> Result<()> {
        let ports = self.ports();
        let open: BTreeSet<ReceiptId> = find::open(&ports, None)?.into_iter().map(|(_, id)| id).collect();
        let mut after = None;
        loop {
            let (files, mark) = find::list(&ports, &Wanted::default(), after.as_deref(), 500)?;
            for receipt in &files {
                findings.files += 1;
                self.look_at(receipt, open.contains(&receipt.id()), waiting, findings)?;
            }
            match mark {
                Some(mark) => after = Some(mark),
                None => return Ok(()),
            }
        }
    }

    fn look_at(
        &self,
        receipt: &Receipt,
        is_open: bool,
        waiting: &BTreeSet<ReceiptId>,
        findings: &mut Findings,
    ) -> Result<()> {
        let (id, outcome) = (receipt.id(), receipt.outcome());
        if let Err(error) = receipt.adds_up() {
            findings.add(format!("receipt {id}: {error}"), "report it with the file");
        }
        let is_waiting = outcome == Outcome::InProgress || outcome == Outcome::Failed;
        // files of market wait for the clock once their rows are kept, and copies do at once
        let is_ready = receipt.is_done(pipeline::preset::Stage::Process) || receipt.duplicate_of().is_some();
        let by_clock = receipt.arrival().preset == pipeline::preset::Preset::Market && is_ready;
        if outcome == Outcome::InProgress && !waiting.contains(&id) && !by_clock {
            findings.add(
                format!("file {} ({id}) is in progress, and no message is about it", receipt.arrival().object.key),
                format!("run `millrace replay {id}`"),
            );
        }
        if is_open && !is_waiting && !waiting.contains(&id) && !by_clock {
            findings.add(format!("receipt {id} is at its end and still counted as open"), "report it");
        }
        if outcome == Outcome::InProgress && !is_open {
            findings.add(format!("receipt {id} is in progress and not counted as open"), "report it");
        }
        if has_expired(receipt) {
            return Ok(());
        }
        let is_removed = self.shared.queues.record(&removed_key(&id))?.is_some();
        if !is_removed {
            self.must_be_there(&receipt.arrival().object, &format!("file of receipt {id}"), findings)?;
        }
        for (name, object) in receipt.view().links {
            self.must_be_there(object, &format!("{name} of receipt {id}"), findings)?;
        }
        Ok(())
    }

    fn must_be_there(&self, object: &ObjectVersion, what: &str, findings: &mut Findings) -> Result<()> {
        if self.shared.objects.head(object)?.is_none() {
            let ObjectVersion { bucket, key, version } = object;
            findings
                .add(format!("the {what}, object {bucket}/{key} version {version}, is gone"), "send the file again");
        }
        Ok(())
    }

    /// What files add must be what their receipts say, and only files that count may have anything to add.
    fn look_at_contributions(&self, findings: &mut Findings) -> Result<()> {
        let ports: Session = self.ports();
        for feed in self.shared.pipeline.feeds.iter() {
            for (_, file) in query::contributions(&ports, &feed.name, &Filter::default())? {
                let id = &file.receipt;
                let Some(receipt) = find::by_id(&ports, id)? else {
                    findings.add(
                        format!("feed {} adds up file {id}, which has no receipt", feed.name.as_str()),
                        "report it",
                    );
                    continue;
                };
                let good = receipt.account().map_or(0, |account| account.counts.good);
                if receipt.past().is_empty() && good != file.summary.rows {
                    let rows = file.summary.rows;
                    findings.add(format!("file {id} adds {rows} rows up and has {good} good ones"), "replay it");
                }
                if file.superseded_by.as_ref() != receipt.superseded_by() {
                    findings.add(format!("file {id} and what it adds name different successors"), "report it");
                }
            }
        }
        Ok(())
    }
}

/// Whether the objects of a file are older than they are kept.
fn has_expired(receipt: &Receipt) -> bool {
    let arrival = receipt.arrival();
    let kept_days = match Topology::of(arrival.preset).bucket.lifecycle {
        Some(Lifecycle::Expire(days)) => u64::from(days),
        Some(Lifecycle::Archive(_)) | None => return false,
    };
    arrival.at.saturating_add(kept_days * 24 * 60 * 60 * 1000) < now()
}
