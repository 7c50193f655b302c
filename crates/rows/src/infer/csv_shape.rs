//! CSV that nobody described: the delimiter, what stands before the header, whether there is one, padding.

use std::sync::Arc;

use crate::contract::At;
use crate::csv::{self, Dialect, Fields};
use crate::{Refusal, Result};

use super::draft::{Entry, quoted, shown};
use super::sample::{COLUMNS_MAX, Column, ROWS_MAX, Text, place, value_of};
use super::view::{Shape, Trial};
use super::{numbers, times, words};

const DELIMITERS: &[u8] = b",;\t|";

/// A record that is no blank line.
struct Row {
    end: usize,
    /// All of them, counted before they are cut to `COLUMNS_MAX`.
    width: usize,
    values: Vec<String>,
}

/// What was made of the records.
struct Layout {
    delimiter: u8,
    rows: Vec<Row>,
    /// The number of fields that most records have.
    width: usize,
    /// Share of records with that number, and how much it tells.
    score: f64,
}

/// The one way to see a CSV text.
pub(super) fn shape(text: &Text) -> Result<Shape> {
    let bytes = without_mark(&text.text);
    let layouts = DELIMITERS.iter().map(|delimiter| layout(bytes, text.ended, *delimiter));
    let Some(layout) = layouts.reduce(|best, other| if other.score > best.score { other } else { best }) else {
        return Err(no_records());
    };
    let Some(mut first) = layout.rows.iter().position(|row| row.width == layout.width) else {
        return Err(no_records());
    };
    let trim = is_padded(&layout, first);
    let trimmed = |values: &[String]| -> Vec<String> {
        let cut = |value: &String| if trim { value.trim().to_owned() } else { value.clone() };
        values.iter().map(cut).collect()
    };
    let data: Vec<Vec<String>> = layout.rows[first..].iter().map(|row| trimmed(&row.values)).collect();
    let mut header = is_header(&data).then(|| data[0].clone());
    let short_header = first.checked_sub(1).filter(|before| {
        header.is_none() && {
            let row = &layout.rows[*before];
            row.width > 1 && row.width + 1 == layout.width && known(&row.values) >= 2
        }
    });
    if let Some(before) = short_header {
        // Rows that end in a delimiter have one field more than their header.
        header = Some(trimmed(&layout.rows[before].values));
        first = before;
    }
    let skip = usize::from(header.is_some());
    let after = layout.rows[first + skip..].iter().map(|row| trimmed(&row.values));
    // A header that comes again, as in files put together from several, tells nothing of the values.
    let rows: Vec<Vec<String>> = after.filter(|values| header.as_ref() != Some(values)).take(ROWS_MAX).collect();
    let columns = columns(header.as_deref(), layout.width, &rows);
    let format = format(text, &layout, first, header.as_deref(), short_header.is_some(), trim);
    let end = layout.rows.last().map_or(0, |row| row.end);
    Ok(Shape {
        format,
        columns,
        rows: rows.len(),
        named: header.is_some(),
        comma_likely: layout.delimiter == b';',
        conditions: 0,
        trial: Trial { text: Arc::new(bytes[..end].to_vec()), rewritten: false },
    })
}

fn no_records() -> crate::Error {
    Refusal::new("no_rows", "there are no records to look at", "give it a file that has rows").into()
}

fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

fn layout(text: &[u8], ended: bool, delimiter: u8) -> Layout {
    let mut rows = Vec::new();
    let mut faults = 0;
    if let Some(dialect) = Dialect::new(delimiter, Some(b'"')) {
        let mut fields = Fields::default();
        let mut at = 0;
        while at < text.len() && rows.len() < ROWS_MAX + 200 {
            csv::parse_record(text, at, &dialect, &mut fields);
            let before = at;
            at = fields.next().max(before + 1);
            if !ended && at >= text.len() {
                break;
            }
            if fields.is_blank() {
                continue;
            }
            faults += usize::from(fields.fault().is_some());
            let values = fields.iter().take(COLUMNS_MAX).map(value_of).collect();
            rows.push(Row { end: at, width: fields.len(), values });
        }
    }
    let width = usual_width(&rows);
    let share = rows.iter().filter(|row| row.width == width).count() as f64 / rows.len().max(1) as f64;
    let sound = 1.0 - faults as f64 / rows.len().max(1) as f64;
    Layout { delimiter, width, score: share * share * sound * (width as f64).ln_1p(), rows }
}

/// The width that most records have, of several the greatest.
fn usual_width(rows: &[Row]) -> usize {
    let mut counts = std::collections::BTreeMap::new();
    for row in rows {
        *counts.entry(row.width).or_insert(0) += 1;
    }
    counts.into_iter().max_by_key(|(width, count)| (*count, *width)).map_or(1, |(width, _)| width)
}

fn is_data(value: &str) -> bool {
    let value = value.trim();
    numbers::is_number(value) || times::detect(&[value], true).is_some()
}

fn known(values: &[String]) -> usize {
    values.iter().filter(|value| words::is_known(&words::plain(value))).count()
}

/// Whether the first record names the columns.
fn is_header(data: &[Vec<String>]) -> bool {
    let Some((first, rest)) = data.split_first() else { return false };
    let values = first.iter().filter(|value| is_data(value)).count();
    let known = known(first);
    if values > 0 {
        return known >= 2 && known > values;
    }
    if known >= 2 || rest.is_empty() {
        return true;
    }
    // Words above numbers are names; words above words could be anything, and mostly they are names.
    let below = |column: usize| rest.iter().take(50).filter_map(|row| row.get(column)).any(|value| is_data(value));
    let any_below = (0..first.len()).any(below);
    let repeats = first.iter().enumerate().any(|(column, value)| {
        !value.trim().is_empty() && rest.iter().filter(|row| row.get(column) == Some(value)).count() * 3 > rest.len()
    });
    any_below || !repeats
}

/// Whether names, numbers or times have spaces around them.
fn is_padded(layout: &Layout, first: usize) -> bool {
    let padded = |value: &&String| value.trim() != value.as_str() && !value.trim().is_empty();
    let rows = &layout.rows[first..];
    let Some(header) = rows.first() else { return false };
    let names = header.values.iter().filter(padded).count();
    let values = rows.iter().skip(1).take(50).flat_map(|row| row.values.iter());
    names > 0 || values.filter(padded).any(|value| is_data(value))
}

fn columns(header: Option<&[String]>, width: usize, rows: &[Vec<String>]) -> Vec<Column> {
    let width = width.min(COLUMNS_MAX);
    let column = |index: usize| {
        let name = header.and_then(|names| names.get(index));
        let values = rows.iter().map(|row| row.get(index).cloned().unwrap_or_default()).collect();
        let at = match (header, name) {
            (Some(names), Some(_)) => place(names, index),
            _ => At::Position(index),
        };
        Column { at, name: name.cloned(), values }
    };
    (0..width).map(column).collect()
}

fn format(
    text: &Text,
    layout: &Layout,
    first: usize,
    header: Option<&[String]>,
    short: bool,
    trim: bool,
) -> Vec<Entry> {
    let mut entries = vec![Entry::new("type", "\"csv\"")];
    entries.push(Entry::new("delimiter", quoted(&char::from(layout.delimiter).to_string())));
    entries.extend(text.encoding.clone());
    if first > 0 {
        let shown_rows: Vec<String> =
            layout.rows[..first].iter().take(3).map(|row| shown(&row.values.join(" "), 40)).collect();
        let entry = Entry::new("skip_records", first.to_string());
        entries.push(entry.note(format!("records that are no rows: {}", shown_rows.join(" / "))));
    }
    if header.is_none() {
        let names: Vec<String> = layout.rows[first].values.iter().take(6).map(|value| shown(value, 20)).collect();
        let entry = Entry::new("header", "false");
        entries.push(entry.note(format!("the first record looks like a row: {}", names.join(", "))));
    }
    if header.is_none() || short {
        entries.push(Entry::new("fields", layout.width.to_string()));
    }
    if trim {
        entries.push(Entry::new("trim", "true"));
    }
    let other = layout.rows[first..].iter().filter(|row| row.width != layout.width).count();
    if other > usize::from(short) {
        let all = layout.rows.len() - first;
        let note = format!("{other} of {all} records have another number of fields than {}", layout.width);
        entries[0].notes.push(note);
    }
    entries
}
