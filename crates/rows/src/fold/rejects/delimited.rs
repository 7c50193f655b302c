//! The report on a refused row of CSV: three fields behind the sender's own, whatever number of those there is.

use super::{REPORT_COLUMNS, hints};
use crate::csv::{self, Dialect, Fields};
use crate::plan::Plan;
use crate::reason::{ReasonTable, Reasons};

/// Ends a header with the names of the report columns.
pub(super) fn write_columns(dialect: &Dialect, into: &mut Vec<u8>) {
    for column in REPORT_COLUMNS {
        into.push(dialect.delimiter());
        into.extend_from_slice(column.as_bytes());
    }
    into.push(b'\n');
}

/// Ends a row with the report on it.
pub(super) fn write_report(plan: &Plan, reasons: Reasons, line: u64, dialect: &Dialect, into: &mut Vec<u8>) {
    for text in [line.to_string(), plan.reasons.names(reasons).join(" "), hints(plan, reasons)] {
        into.push(dialect.delimiter());
        write_field(text.as_bytes(), dialect, into);
    }
    into.push(b'\n');
}

/// Quoted when it must be; without its special characters where double quotes mean nothing.
fn write_field(text: &[u8], dialect: &Dialect, into: &mut Vec<u8>) {
    if dialect.quote() == Some(b'"') {
        csv::write_field(text, dialect.delimiter(), into);
        return;
    }
    let is_special = |byte: u8| byte == dialect.delimiter() || Some(byte) == dialect.quote() || byte.is_ascii_control();
    let stand_in = if is_special(b' ') { b'_' } else { b' ' };
    into.extend(text.iter().map(|&byte| if is_special(byte) { stand_in } else { byte }));
}

/// Whether a record ends with the report of a contract with these reasons.
pub(crate) fn ends_in_report(known: &ReasonTable, record: &Fields) -> bool {
    let Some(own) = record.len().checked_sub(REPORT_COLUMNS.len()).filter(|own| *own > 0) else { return false };
    let text = |field: usize| record.get(own + field).unwrap_or_default();
    let is_line = !text(0).is_empty() && text(0).iter().all(u8::is_ascii_digit);
    is_line && std::str::from_utf8(text(1)).is_ok_and(|names| !names.is_empty() && are_reasons(known, names))
}

/// Whether `names` is made of reasons alone. The name of a column, and so of a reason, may itself have a space in it.
fn are_reasons(known: &ReasonTable, names: &str) -> bool {
    let mut rest = names;
    while !rest.is_empty() {
        let after = |name: &str| rest.strip_prefix(name).filter(|after| after.is_empty() || after.starts_with(' '));
        let shortest = known.iter().filter_map(|reason| after(&reason.name)).min_by_key(|after| after.len());
        match shortest {
            Some(after) => rest = after.trim_start_matches(' '),
            None => return false,
        }
    }
    true
}
