//! JSON that nobody described: records or messages, rows in them or in an array of theirs, and which messages hold rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cells::Cells;
use crate::contract::At;
use crate::json::{self, Cutter, Layout, Path, Paths, Reader};
use crate::limits::RECORD_BYTES_MAX;
use crate::{Refusal, Result};

use super::draft::{Entry, inline, quoted};
use super::sample::{COLUMNS_MAX, Column, ROWS_MAX, Text, value_of};
use super::view::{Shape, Trial};

/// Nesting that is looked into.
const DEPTH_MAX: usize = 4;
/// Items of one array that are looked at.
const ITEMS_MAX: usize = 200;
/// Messages that are looked at.
const RECORDS_MAX: usize = 20_000;
/// Different words that may tell messages apart.
const WORDS_MAX: usize = 24;
/// Ways to see a file that are tried.
const SHAPES_MAX: usize = 60;

/// Keys whose value tells what a message is about.
const TELLING: &[&str] = &[
    "table",
    "event",
    "type",
    "channel",
    "topic",
    "e",
    "ev",
    "action",
    "method",
    "op",
    "stream",
    "kind",
    "feed",
    "event_type",
    "msg_type",
    "message_type",
    "name",
    "T",
];

type Scalars = Vec<(String, String)>;

/// A record taken apart.
struct Record {
    scalars: Scalars,
    /// Arrays that may hold rows, with their items.
    arrays: Vec<(String, Vec<Scalars>)>,
    /// It is an array itself: its columns have places, not names.
    is_array: bool,
}

/// The ways to see a JSON text, the plainest first.
pub(super) fn shapes(text: &Text, prefixed: bool) -> Result<Vec<Shape>> {
    let layout = if prefixed { Layout::Lines } else { json::detect(&text.text) };
    let spans = cut(text, layout);
    let mut records = Vec::new();
    let mut lines = Vec::new();
    let mut end = 0;
    for span in spans.iter().take(RECORDS_MAX) {
        let whole = &text.text[span.start as usize..span.end as usize];
        end = span.end as usize;
        let body = if prefixed { without_prefix(whole).unwrap_or_default() } else { whole };
        records.extend(take_apart(body));
        if layout != Layout::Lines {
            lines.extend(whole.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
            lines.push(b'\n');
        }
    }
    if records.is_empty() {
        let hint = "records must be objects or arrays, and the first of them shorter than 1 MiB";
        return Err(Refusal::new("no_rows", "there are no JSON records to look at", hint).into());
    }
    let trial = if layout == Layout::Lines { text.text[..end].to_vec() } else { lines };
    let trial = Trial { text: Arc::new(trial), rewritten: false };
    let mut format = vec![Entry::new("type", "\"json\"")];
    format.extend(text.encoding.clone());
    if prefixed {
        format.push(
            Entry::new("line_prefix", "\"epoch\"").note("lines begin with seconds since 1970, a colon and a space"),
        );
    }
    let shapes = ways(&records).into_iter().map(|way| way.shape(&records, &format, &trial));
    Ok(shapes.filter(|shape| shape.rows > 0).take(SHAPES_MAX).collect())
}

/// Whether most lines that hold JSON have an epoch in front of it.
pub(super) fn has_prefix(text: &[u8]) -> bool {
    let lines = text.split(|byte| *byte == b'\n').take(200);
    let (mut prefixed, mut all) = (0, 0);
    for line in lines.filter(|line| !line.trim_ascii().is_empty()) {
        all += 1;
        prefixed += usize::from(without_prefix(line).is_some());
    }
    prefixed * 2 > all
}

fn without_prefix(line: &[u8]) -> Option<&[u8]> {
    let digits = line.iter().position(|byte| !(byte.is_ascii_digit() || *byte == b'.'))?;
    let rest = line[digits..].strip_prefix(b": ")?;
    (digits > 0 && matches!(rest.first(), Some(b'{' | b'['))).then_some(rest)
}

fn cut(text: &Text, layout: Layout) -> Vec<json::Record> {
    let mut records = Vec::new();
    // What is wrong behind the records that were found is told when the file is checked.
    let _ = Cutter::new(layout).cut(&text.text, text.ended, &mut records);
    if !text.ended && layout == Layout::Lines {
        records.retain(|record| (record.end as usize) < text.text.len());
    }
    records.retain(|record| (record.end - record.start) as usize <= RECORD_BYTES_MAX);
    records
}

fn take_apart(body: &[u8]) -> Option<Record> {
    let mut record =
        Record { scalars: Vec::new(), arrays: Vec::new(), is_array: body.trim_ascii().first() == Some(&b'[') };
    let mut arrays = Vec::new();
    walk(body, "", DEPTH_MAX, &mut record.scalars, &mut arrays)?;
    for (path, items) in arrays {
        let items = items.iter().filter_map(|item| {
            let mut scalars = Vec::new();
            walk(item.as_bytes(), "", DEPTH_MAX - 1, &mut scalars, &mut Vec::new()).map(|()| scalars)
        });
        let items: Vec<Scalars> = items.collect();
        if !items.is_empty() {
            record.arrays.push((path, items));
        }
    }
    Some(record)
}

/// Collects the plain values of `body` by path, and its arrays of objects or arrays.
fn walk(
    body: &[u8],
    path: &str,
    depth: usize,
    scalars: &mut Scalars,
    arrays: &mut Vec<(String, Vec<String>)>,
) -> Option<()> {
    let keys = Reader::keys(body).ok()?;
    let is_object = body.trim_ascii().first() == Some(&b'{');
    for (key, value) in values(body, &keys)? {
        let path = if path.is_empty() { key } else { format!("{path}.{key}") };
        if scalars.len() >= COLUMNS_MAX || path.starts_with("$.") {
            continue;
        }
        let nested = depth > 1 && is_object;
        match value.as_bytes().first() {
            Some(b'{') if nested && walk(value.as_bytes(), &path, depth - 1, scalars, arrays).is_some() => {}
            Some(b'[') if nested => match items(value.as_bytes()) {
                Some(items) => arrays.push((path, items)),
                None => scalars.push((path, value_of(value.as_bytes()))),
            },
            _ => scalars.push((path, value_of(value.as_bytes()))),
        }
    }
    Some(())
}

/// The items of an array, if they are objects or arrays.
fn items(body: &[u8]) -> Option<Vec<String>> {
    let mut places = Reader::keys(body).ok()?;
    places.truncate(ITEMS_MAX);
    let items: Vec<String> = values(body, &places)?.into_iter().map(|(_, item)| item).collect();
    let is_record = |item: &String| item.starts_with(['{', '[']);
    (!items.is_empty() && items.iter().all(is_record)).then_some(items)
}

fn values(body: &[u8], keys: &[String]) -> Option<Vec<(String, String)>> {
    let keys: Vec<String> = keys.iter().take(COLUMNS_MAX.max(ITEMS_MAX)).cloned().collect();
    let paths: Vec<Path> = keys.iter().map(|key| Path::parse(key)).collect();
    let mut cells = Cells::default();
    Reader::new(Paths::new(&paths)).read(body, &mut cells).ok()?;
    let value = |slot: usize| String::from_utf8_lossy(cells.get(slot, body)).into_owned();
    Some(keys.into_iter().enumerate().map(|(slot, key)| (key, value(slot))).collect())
}

/// One way to find rows: in which records, and where in them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    condition: Option<(String, Vec<String>)>,
    each: Option<String>,
}

/// All ways that are worth a try.
fn ways(records: &[Record]) -> Vec<Way> {
    let mut conditions: Vec<Option<(String, Vec<String>)>> = vec![None];
    for (key, words) in telling(records) {
        // Words of records that are made alike may mean the same.
        let mut alike: BTreeMap<BTreeSet<&str>, Vec<String>> = BTreeMap::new();
        for word in &words {
            let with = records.iter().filter(|record| record.value(&key) == Some(word));
            let made = with.flat_map(|record| record.scalars.iter().map(|(path, _)| path.as_str())).collect();
            alike.entry(made).or_default().push(word.clone());
        }
        conditions.extend(alike.into_values().filter(|words| words.len() > 1).map(|words| Some((key.clone(), words))));
        conditions.extend(words.into_iter().map(|word| Some((key.clone(), vec![word]))));
    }
    let mut ways = Vec::new();
    for condition in conditions {
        let bare = Way { condition: condition.clone(), each: None };
        let arrays: BTreeSet<String> = records
            .iter()
            .filter(|record| bare.meets(record))
            .flat_map(|record| record.arrays.iter().map(|(path, _)| path.clone()))
            .take(50)
            .collect();
        ways.push(bare);
        ways.extend(arrays.into_iter().map(|each| Way { condition: condition.clone(), each: Some(each) }));
    }
    ways
}

/// Keys that tell messages apart, with their words; none when all records are made alike.
fn telling(records: &[Record]) -> Vec<(String, Vec<String>)> {
    let mut words: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut made = BTreeSet::new();
    for record in records {
        made.insert(record.scalars.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>());
        for (path, value) in &record.scalars {
            let last = path.rsplit('.').next().unwrap_or_default();
            if TELLING.contains(&last) && path.matches('.').count() <= 1 && !value.is_empty() {
                words.entry(path).or_default().insert(value);
            }
        }
    }
    if made.len() < 2 && records.iter().all(|record| record.arrays.is_empty()) {
        return Vec::new();
    }
    let few = words.into_iter().filter(|(_, words)| words.len() <= WORDS_MAX);
    few.map(|(path, words)| (path.to_owned(), words.into_iter().map(str::to_owned).collect())).collect()
}

impl Record {
    fn value(&self, path: &str) -> Option<&String> {
        self.scalars.iter().find(|(known, _)| known == path).map(|(_, value)| value)
    }
}

impl Way {
    fn meets(&self, record: &Record) -> bool {
        match &self.condition {
            None => true,
            Some((path, words)) => record.value(path).is_some_and(|value| words.contains(value)),
        }
    }

    fn shape(&self, records: &[Record], format: &[Entry], trial: &Trial) -> Shape {
        let mut columns: Vec<Column> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut rows = 0;
        let mut by_place = false;
        for record in records.iter().filter(|record| self.meets(record)) {
            let outer: Scalars = match &self.each {
                None => record.scalars.clone(),
                Some(_) => record.scalars.iter().map(|(path, value)| (format!("$.{path}"), value.clone())).collect(),
            };
            let items = match &self.each {
                None => vec![Vec::new()],
                Some(each) => {
                    record.arrays.iter().find(|(path, _)| path == each).map_or(Vec::new(), |(_, items)| items.clone())
                }
            };
            for item in items {
                if rows >= ROWS_MAX {
                    break;
                }
                // Items that are arrays have places for names.
                let numbered = |scalars: &Scalars| scalars.first().is_some_and(|(path, _)| path == "0");
                by_place |= if self.each.is_some() { numbered(&item) } else { record.is_array };
                for (path, value) in item.into_iter().chain(outer.iter().cloned()) {
                    let place = *places.entry(path.clone()).or_insert(columns.len());
                    if place == columns.len() {
                        columns.push(column(&path));
                    }
                    columns[place].values.resize(rows, String::new());
                    columns[place].values.push(value);
                }
                rows += 1;
            }
        }
        columns.iter_mut().for_each(|column| column.values.resize(rows, String::new()));
        if by_place {
            columns.iter_mut().for_each(number);
        }
        Shape {
            format: self.format(format),
            columns,
            rows,
            named: !by_place,
            comma_likely: false,
            conditions: self.effort(),
            trial: trial.clone(),
        }
    }

    /// How far-fetched the condition is: deep keys, many words and numbers tell less than one word on top.
    fn effort(&self) -> usize {
        let Some((path, words)) = &self.condition else { return 0 };
        let numbers = words.iter().filter(|word| word.bytes().all(|byte| byte.is_ascii_digit())).count();
        path.matches('.').count() + words.len() + 2 * numbers
    }

    fn format(&self, general: &[Entry]) -> Vec<Entry> {
        let mut format = general.to_vec();
        if let Some((path, words)) = &self.condition {
            let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            let condition = inline(&[("path", quoted(path)), ("equals", format!("[{}]", words.join(", ")))]);
            let entry = Entry::new("where", format!("[{condition}]"));
            format.push(entry.doubt("messages of other kinds hold no rows as far as can be seen"));
        }
        format.extend(self.each.as_ref().map(|each| Entry::new("each", quoted(each))));
        format
    }
}

fn column(path: &str) -> Column {
    let name = path.rsplit('.').next().unwrap_or_default();
    Column { at: At::Name(path.to_owned()), name: Some(name.to_owned()), values: Vec::new() }
}

/// A place in an array is written as a number.
fn number(column: &mut Column) {
    if let At::Name(name) = &column.at
        && let Ok(position) = name.parse()
    {
        column.at = At::Position(position);
        column.name = None;
    }
}
