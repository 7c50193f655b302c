//! The report on a refused JSON record: three keys behind the sender's own, or three values in an array. A record that
//! is no JSON is wrapped as text into an object that has them, and taken out of it again when it comes back.

use std::borrow::Cow;

use memchr::memmem;

use super::hints;
use crate::json::{self, JsonFault, Layout, Reader};
use crate::plan::Plan;
use crate::reason::{Reasons, structure};

/// How a wrapped record begins.
const WRAPPED: &[u8] = b"{\"record\":\"";
const LINE: &[u8] = b",\"line\":";
const REASONS: &[u8] = b"\"reasons\":[";
const HINT: &[u8] = b"\"hint\":\"";

/// Where a record stands.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Stands {
    /// On a line of its own.
    OnLine,
    /// On a line that begins with something that is no JSON.
    BehindPrefix,
    InArray,
}

/// Appends a refused record with the report on it.
pub(super) fn write(plan: &Plan, raw: &[u8], stands: Stands, reasons: Reasons, line: u64, into: &mut Vec<u8>) {
    let record = unwrapped(raw).map_or(Cow::Borrowed(raw), Cow::Owned);
    let report = Report::new(plan, reasons, line);
    let begin = if stands == Stands::BehindPrefix { json::epoch_prefix(&record).unwrap_or(0) } else { 0 };
    if !is_whole(&record[begin..], reasons) {
        return report.wrap(&record, into);
    }
    let start = into.len();
    report.append(&without_report(record.trim_ascii_end()), into);
    // An array of records on the first line would be taken for all of the file.
    if stands == Stands::OnLine && json::detect(&into[start..]) == Layout::Array {
        into.truncate(start);
        report.wrap(&record, into);
    }
}

/// What is said of a refused record, as JSON.
struct Report {
    line: u64,
    reasons: String,
    hint: String,
}

impl Report {
    fn new(plan: &Plan, reasons: Reasons, line: u64) -> Self {
        let names: Vec<String> = plan.reasons.names(reasons).iter().map(|name| quoted(name)).collect();
        Self { line, reasons: names.join(","), hint: quoted(&hints(plan, reasons)) }
    }

    /// Appends a whole record with the report at its end.
    fn append(&self, record: &[u8], into: &mut Vec<u8>) {
        let Self { line, reasons, hint } = self;
        let Some((close, front)) = record.split_last() else { return };
        write_on_one_line(front, into);
        let comma =
            if front.trim_ascii_end().ends_with(b"{") || front.trim_ascii_end().ends_with(b"[") { "" } else { "," };
        let report = match close {
            b'}' => format!("{comma}\"line\":{line},\"reasons\":[{reasons}],\"hint\":{hint}}}"),
            _ => format!("{comma}{line},[{reasons}],{hint}]"),
        };
        into.extend_from_slice(report.as_bytes());
    }

    /// Appends a record as text in an object of its own.
    fn wrap(&self, record: &[u8], into: &mut Vec<u8>) {
        let Self { line, reasons, hint } = self;
        into.extend_from_slice(WRAPPED);
        write_escaped(record, into);
        into.extend_from_slice(format!("\",\"line\":{line},\"reasons\":[{reasons}],\"hint\":{hint}}}").as_bytes());
    }
}

/// Whether a refused record is JSON as far as is known, so that a report can be put at its end.
fn is_whole(record: &[u8], reasons: Reasons) -> bool {
    let has = |known| reasons.iter().any(|reason| reason == known);
    // Reading ends at the first fault, so that brackets may still be open behind it.
    if has(structure::INVALID_JSON) || memchr::memchr(0, record).is_some() || !json::is_closed(record) {
        return false;
    }
    // One with bytes that are no text was not read at all.
    let read = || Reader::keys(String::from_utf8_lossy(record).as_bytes());
    !(has(structure::INVALID_UTF8) && matches!(read(), Err(JsonFault::Invalid { .. })))
}

/// The record that `text` is a wrapping of.
pub(crate) fn unwrapped(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii_start();
    if !text.starts_with(WRAPPED) {
        return None;
    }
    let (record, rest) = json::text_of_string(text, WRAPPED.len())?;
    let is_report = rest.starts_with(LINE) && [REASONS, HINT].iter().all(|mark| memmem::find(rest, mark).is_some());
    is_report.then_some(record)
}

/// A record that came back from a rejects file, without what that file had added.
fn without_report(raw: &[u8]) -> Cow<'_, [u8]> {
    let cut = match raw.last() {
        Some(b'}') => object_report(raw).map(|start| (start, b'}')),
        Some(b']') => array_report(raw).map(|start| (start, b']')),
        _ => None,
    };
    match cut {
        Some((start, close)) => [&raw[..start], &[close]].concat().into(),
        None => raw.into(),
    }
}

fn object_report(raw: &[u8]) -> Option<usize> {
    // An object that had nothing in it has no comma before the report.
    let start = memmem::rfind(raw, LINE).or_else(|| memmem::rfind(raw, &LINE[1..]))?;
    [REASONS, HINT].iter().all(|mark| memmem::find(&raw[start..], mark).is_some()).then_some(start)
}

/// `…,5,["invalid_price"],"the hint"]`
fn array_report(raw: &[u8]) -> Option<usize> {
    let names = memmem::rfind(raw, b",[\"")?;
    let digits = raw[..names].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let is_hint_behind = memmem::find(&raw[names..], b"\"],\"").is_some() && raw.ends_with(b"\"]");
    let start = names - digits;
    let before = start.checked_sub(1)?;
    match raw[before] {
        b',' if digits > 0 && is_hint_behind => Some(before),
        b'[' if digits > 0 && is_hint_behind => Some(start),
        _ => None,
    }
}

/// White space between the values of a sound record may be line ends, and a line holds one record.
fn write_on_one_line(record: &[u8], into: &mut Vec<u8>) {
    into.extend(record.iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
}

fn quoted(text: &str) -> String {
    let mut json = vec![b'"'];
    write_escaped(text.as_bytes(), &mut json);
    json.push(b'"');
    String::from_utf8_lossy(&json).into_owned()
}

/// As the inside of a JSON string; bytes that are not UTF-8 stay what they are, so that they are found again.
fn write_escaped(text: &[u8], into: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'"' | b'\\' => into.extend_from_slice(&[b'\\', byte]),
            0..=0x1f => into.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => into.push(byte),
        }
    }
}
