//! A contract proposed for a file that nobody has described, with its doubts.
//!
//! Only the beginning of the file is looked at. Names of columns are taken at their word where they are known, values
//! decide the rest, and whatever could be otherwise is written down as a doubt where it matters. What the file lacks is
//! a placeholder. The proposal is tried on the sample before it is handed over.

mod amount;
mod csv_shape;
mod draft;
mod json_shape;
mod market;
mod numbers;
mod ohlc;
mod sample;
#[cfg(test)]
mod tests;
mod times;
mod transactions;
mod trial;
mod view;
mod words;

use std::cmp::Reverse;
use std::sync::Arc;

use crate::contract::Kind;
use crate::csv::write_field;
use crate::report::Report;
use crate::source::Input;
use crate::table::TableKind;
use crate::unpack::Compression;
use crate::{Result, choose};

use draft::{Draft, Entry, quoted, shown};
use sample::{Body, Column, Sample, Text};
use view::{Shape, Trial, View};

/// Ways to see a file whose drafts are tried on the sample.
const TRIALS_MAX: usize = 12;

/// A contract for a file that had none.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The contract as text, with comments.
    pub toml: String,
    /// What the author should look at, as it stands in the comments; each begins with the key it is about.
    pub doubts: Vec<String>,
    /// What the rows are taken for.
    pub kind: Kind,
    /// Rows of the sample.
    pub rows: u64,
    /// Rows of the sample that are good under the proposal.
    pub good: u64,
}

/// Looks at the beginning of `input` and proposes a contract called `name`.
///
/// The text always parses and compiles. A file without a single row, or one that cannot be read, is refused.
pub fn propose(input: Box<dyn Input>, name: &str) -> Result<Proposal> {
    let name = if name.trim().is_empty() { "proposal" } else { name };
    let sample = sample::read(input)?;
    let mut hints = vec![name.to_owned()];
    hints.extend(sample.members.iter().cloned());
    let remarks = remarks(&sample);
    let mut shapes = shapes(sample)?;
    shapes.iter_mut().for_each(Shape::drop_report);
    let mut tried: Option<(Rank, Draft, Option<Report>)> = None;
    for (draft, shape) in drafts(&shapes, &hints) {
        let report = trial::run(&draft.write(name, &[]), &shape.trial).ok();
        let rank = Rank::of(&draft, shape, report.as_ref());
        if tried.as_ref().is_none_or(|(before, _, _)| rank > *before) {
            tried = Some((rank, draft, report));
        }
    }
    let Some((_, draft, report)) = tried else {
        return Err(
            crate::Refusal::new("no_rows", "there are no rows to look at", "give it a file that has rows").into()
        );
    };
    let mut head = vec!["Proposed by `millrace feed infer`; settle every doubt, then delete its line.".to_owned()];
    head.extend(report.iter().flat_map(trial::told));
    head.extend(remarks);
    if (draft.is_guess() || report.as_ref().is_none_or(|report| report.good == 0))
        && let Some(built_in) = built_in(&shapes, name, &head)
    {
        return Ok(built_in);
    }
    let (rows, good) = report.map_or((0, 0), |report| (report.rows, report.good));
    Ok(Proposal { toml: draft.write(name, &head), doubts: draft.doubts(), kind: draft.kind, rows, good })
}

/// The built-in contract whose columns the file has by name, where no row tells more.
fn built_in(shapes: &[Shape], name: &str, head: &[String]) -> Option<Proposal> {
    let [shape] = shapes else { return None };
    let names: Vec<String> = shape.columns.iter().filter_map(|column| column.name.clone()).collect();
    let contract = choose::by_columns(&names).ok()?;
    let base = &contract.name;
    let extending = format!("name = {}\nversion = 1\n", quoted(name));
    let report = trial::run(&format!("{extending}extends = \"{base}\"\n"), &shape.trial).ok()?;
    let doubt = format!("the names of the columns are those of `{base}`, and no row tells more");
    let head: Vec<String> = head.iter().take(1).cloned().chain(trial::told(&report)).collect();
    let mut toml: String = head.iter().map(|line| format!("# {line}\n")).collect();
    toml.push_str(&format!("{extending}# doubt: {doubt}\nextends = \"{base}\"\n"));
    let doubts = vec![format!("extends: {doubt}")];
    Some(Proposal { toml, doubts, kind: contract.kind, rows: report.rows, good: report.good })
}

/// How good a draft turned out to be; the fields in order of weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Not refused as a whole, nothing required missing.
    whole: bool,
    good_percent: u64,
    score: i32,
    good: u64,
    /// The plainer the condition the better.
    plain: Reverse<usize>,
}

impl Rank {
    fn of(draft: &Draft, shape: &Shape, report: Option<&Report>) -> Rank {
        let (rows, good) =
            report.filter(|report| report.error.is_none()).map_or((0, 0), |report| (report.rows, report.good));
        Rank {
            whole: rows > 0 && draft.missing == 0,
            good_percent: 100 * good / rows.max(1),
            score: draft.score,
            good,
            plain: Reverse(shape.conditions),
        }
    }
}

/// The drafts worth a trial: of each shape the kind that most speaks for, of many shapes the most complete.
fn drafts<'a>(shapes: &'a [Shape], hints: &[String]) -> Vec<(Draft, &'a Shape)> {
    let mut drafts: Vec<(Draft, &Shape)> = Vec::new();
    for shape in shapes {
        let view = View::new(shape, hints);
        let of_kinds = [market::bars(&view), market::trades(&view), Some(transactions::transactions(&view))];
        let best = of_kinds.into_iter().flatten().max_by_key(|draft| draft.score - 40 * draft.missing as i32);
        drafts.extend(best.map(|draft| (draft, shape)));
    }
    drafts.sort_by_key(|(draft, shape)| (draft.missing, -draft.score, shape.conditions));
    drafts.truncate(TRIALS_MAX);
    drafts
}

/// What is seen of the file as a whole.
fn remarks(sample: &Sample) -> Vec<String> {
    let mut remarks = Vec::new();
    if sample.compression != Compression::None {
        remarks.push(format!(
            "The file is packed with {}, which needs no mention in a contract.",
            sample.compression.name()
        ));
    }
    if sample.members.len() > 1 {
        let names: Vec<String> = sample.members.iter().take(5).map(|name| shown(name, 60)).collect();
        remarks.push(format!(
            "doubt: it holds several members, and only the first was looked at ({}); format.member picks one of them",
            names.join(", ")
        ));
    }
    remarks
}

fn shapes(sample: Sample) -> Result<Vec<Shape>> {
    let text = match sample.body {
        Body::Text(text) => text,
        Body::Table { kind, columns, rows } => return Ok(vec![table_shape(kind, columns, rows)]),
    };
    let first = text.text.iter().find(|byte| !byte.is_ascii_whitespace());
    let bare = text.text.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec);
    let text = Text { text: bare.unwrap_or(text.text.clone()), ..text };
    if json_shape::has_prefix(&text.text) {
        return json_shape::shapes(&text, true);
    }
    if matches!(first, Some(b'{' | b'[')) {
        return json_shape::shapes(&text, false);
    }
    Ok(vec![csv_shape::shape(&text)?])
}

/// A table's rows, written as CSV for the trial.
fn table_shape(kind: TableKind, columns: Vec<Column>, rows: usize) -> Shape {
    let mut text = Vec::new();
    let mut line = |values: &mut dyn Iterator<Item = &[u8]>| {
        for (index, value) in values.enumerate() {
            if index > 0 {
                text.push(b',');
            }
            write_field(value, b',', &mut text);
        }
        text.push(b'\n');
    };
    line(&mut columns.iter().map(|column| column.name.as_deref().unwrap_or_default().as_bytes()));
    for row in 0..rows {
        line(&mut columns.iter().map(|column| column.values[row].as_bytes()));
    }
    let format = vec![Entry::new("type", "\"table\"").note(format!("it is a {} file", kind.name()))];
    let trial = Trial { text: Arc::new(text), rewritten: true };
    Shape { format, columns, rows, named: true, comma_likely: false, conditions: 0, trial }
}
