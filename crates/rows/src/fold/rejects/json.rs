//! The report on a refused JSON record: three keys behind the sender's own, or three values in an array. A record that
//! is no JSON is wrapped as text into an object that has them, and taken out of it again when it comes back.

use std::borrow::Cow;

use memchr::memmem;

use super::hints;
use crate::json;
use crate::plan::Plan;
use crate::reason::{Reasons, structure};

/// How a wrapped record begins.
const WRAPPED: &[u8] = b"{\"record\":\"";
const LINE: &[u8] = b",\"line\":";
const REASONS: &[u8] = b"\"reasons\":[";
const HINT: &[u8] = b"\"hint\":\"";

/// Appends a refused record with the report on it. `prefixed`: its line begins with something that is no JSON.
pub(super) fn write(plan: &Plan, raw: &[u8], prefixed: bool, reasons: Reasons, line: u64, into: &mut Vec<u8>) {
    let names: Vec<String> = plan.reasons.names(reasons).iter().map(|name| quoted(name)).collect();
    let (names, hint) = (names.join(","), quoted(&hints(plan, reasons)));
    let record = unwrapped(raw).map_or(Cow::Borrowed(raw), Cow::Owned);
    let start = if prefixed { json::epoch_prefix(&record).unwrap_or(0) } else { 0 };
    // Reading ends at the first fault, so that brackets may still be open behind it.
    let is_torn = reasons.iter().any(|reason| reason == structure::INVALID_JSON) || !json::is_closed(&record[start..]);
    let record = if is_torn { record } else { without_report(record.trim_ascii_end()).into_owned().into() };
    match record.split_last() {
        Some((b'}', front)) if !is_torn => {
            write_on_one_line(front, into);
            let comma = if front.trim_ascii_end().ends_with(b"{") { "" } else { "," };
            into.extend_from_slice(
                format!("{comma}\"line\":{line},\"reasons\":[{names}],\"hint\":{hint}}}").as_bytes(),
            );
        }
        Some((b']', front)) if !is_torn => {
            write_on_one_line(front, into);
            let comma = if front.trim_ascii_end().ends_with(b"[") { "" } else { "," };
            into.extend_from_slice(format!("{comma}{line},[{names}],{hint}]").as_bytes());
        }
        _ => wrap(plan, &record, reasons, line, into),
    }
}

/// Appends a refused record as text in an object of its own.
fn wrap(plan: &Plan, record: &[u8], reasons: Reasons, line: u64, into: &mut Vec<u8>) {
    let names: Vec<String> = plan.reasons.names(reasons).iter().map(|name| quoted(name)).collect();
    let (names, hint) = (names.join(","), quoted(&hints(plan, reasons)));
    into.extend_from_slice(WRAPPED);
    write_escaped(record, into);
    into.extend_from_slice(format!("\",\"line\":{line},\"reasons\":[{names}],\"hint\":{hint}}}").as_bytes());
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
