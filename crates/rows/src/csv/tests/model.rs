//! The reference grammar, byte by byte and as plain as it can be said.

use super::{Dialect, Kind, QuoteFault, Seen};

pub(super) fn records(text: &[u8], dialect: &Dialect) -> Vec<Seen> {
    let mut all = Vec::new();
    let (mut at, mut line) = (0, 0);
    while at < text.len() {
        let record = record(text, at, line, dialect);
        at = record.next;
        line += line_ends(&text[record.start..record.next]);
        all.push(record);
    }
    all
}

fn line_ends(text: &[u8]) -> usize {
    let mut count = 0;
    for (at, &byte) in text.iter().enumerate() {
        if byte == b'\n' || (byte == b'\r' && text.get(at + 1) != Some(&b'\n')) {
            count += 1;
        }
    }
    count
}

fn ends_line(byte: Option<&u8>) -> bool {
    matches!(byte, Some(b'\n' | b'\r'))
}

fn record(text: &[u8], start: usize, line: usize, dialect: &Dialect) -> Seen {
    let is_quote = |at: usize| dialect.quote().is_some() && text.get(at).copied() == dialect.quote();
    let ends_field = |at: usize| {
        let byte = text.get(at);
        byte.is_none() || ends_line(byte) || byte == Some(&dialect.delimiter())
    };
    let mut seen =
        Seen { kind: Kind::Regular, line, start, end: start, next: start, spans: vec![], fields: vec![], fault: None };
    let mut at = start;
    if !dialect.comment().is_empty() && text[start..].starts_with(dialect.comment()) {
        seen.kind = Kind::Comment;
        while at < text.len() && !ends_line(text.get(at)) {
            at += 1;
        }
        seen.spans.push((start, at));
        return ended(seen, at, text);
    }
    loop {
        let from = at;
        let mut field = Vec::new();
        if is_quote(at) {
            at += 1;
            let mut closed = false;
            while at < text.len() {
                if is_quote(at) && is_quote(at + 1) {
                    at += 1;
                } else if is_quote(at) {
                    at += 1;
                    closed = true;
                    break;
                }
                field.push(text[at]);
                at += 1;
            }
            if !closed {
                seen.fault = seen.fault.or(Some(QuoteFault::Unterminated));
            } else if !ends_field(at) {
                seen.fault = seen.fault.or(Some(QuoteFault::Bad));
            }
            if seen.fault.is_some() {
                seen.kind = Kind::Irregular;
            }
        }
        while !ends_field(at) {
            if is_quote(at) {
                seen.kind = Kind::Irregular;
            }
            field.push(text[at]);
            at += 1;
        }
        seen.spans.push((from, at));
        seen.fields.push(field);
        if text.get(at) != Some(&dialect.delimiter()) {
            break;
        }
        at += 1;
    }
    if at == start {
        seen.kind = Kind::Blank;
    }
    ended(seen, at, text)
}

fn ended(mut seen: Seen, at: usize, text: &[u8]) -> Seen {
    seen.end = at;
    seen.next = match text.get(at) {
        None => at,
        Some(b'\r') if text.get(at + 1) == Some(&b'\n') => at + 2,
        Some(_) => at + 1,
    };
    seen
}
