//! The schema of a Parquet file: its leaf columns, and what their values mean as text.

use super::thrift::{Fault, Kind, Read, Thrift};
use crate::limits::{COLUMNS_MAX, PARQUET_FOOTER_BYTES_MAX, PARQUET_PAGE_BYTES_MAX, TABLE_DEPTH_MAX};
use crate::table::text::Text;
use crate::table::text::decimal::SCALE_MAX;

/// How values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Physical {
    Boolean,
    /// Little-endian or fixed bytes, this many.
    Fixed(usize),
    /// Each with its own length.
    Bytes,
}

/// One column.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub(crate) physical: Physical,
    /// As the file says it: an index into the format's list of types.
    pub(crate) type_index: i64,
    /// How many of its path may be null: the definition level of a value that is there.
    pub(crate) definitions: u32,
    /// What values mean, or why they have no text.
    pub(crate) text: Result<Text, &'static str>,
}

/// What a schema was refused for.
pub(crate) enum Refused {
    Malformed(Fault),
    Message(String),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Refused::Malformed(fault)
    }
}

/// A schema element as the footer lists it.
#[derive(Default)]
struct Element<'a> {
    type_index: Option<i64>,
    type_length: i64,
    repetition: i64,
    name: &'a [u8],
    children: u64,
    converted: Option<i64>,
    scale: i64,
    logical: Option<Logical>,
}

#[derive(Debug, Clone, Copy)]
enum Logical {
    Decimal {
        scale: i64,
    },
    Date,
    Time {
        per_second: i64,
    },
    Timestamp {
        per_second: i64,
        utc: bool,
    },
    Integer {
        signed: bool,
    },
    Uuid,
    Float16,
    /// Strings and whatever else is shown as its bytes, or as its plain number.
    Other,
}

/// A group whose children are being read.
struct Group {
    left: u64,
    path_length: usize,
    definitions: u32,
    repeated: bool,
}

const REQUIRED: i64 = 0;
const REPEATED: i64 = 2;

/// Reads the list of schema elements, the root first, every group before its children.
pub(crate) fn read(thrift: &mut Thrift<'_>, kind: Kind) -> Result<(Vec<String>, Vec<Leaf>), Refused> {
    let count = thrift.structures(kind)?;
    let mut names: Vec<String> = Vec::new();
    let mut leaves = Vec::new();
    let mut groups: Vec<Group> = Vec::new();
    let mut path = String::new();
    let mut name_bytes = 0;
    for index in 0..count {
        let element = read_element(thrift)?;
        if index == 0 {
            groups.push(Group { left: element.children, path_length: 0, definitions: 0, repeated: false });
            continue;
        }
        while groups.last().is_some_and(|group| group.left == 0) {
            groups.pop();
        }
        let depth = groups.len();
        let Some(parent) = groups.last_mut() else {
            return Err(Refused::Message(format!("the schema lists {count} elements, more than its groups have")));
        };
        parent.left -= 1;
        let definitions = parent.definitions + u32::from(element.repetition != REQUIRED);
        let repeated = parent.repeated || element.repetition == REPEATED;
        path.truncate(parent.path_length);
        if depth > 1 {
            path.push('.');
        }
        path.push_str(&String::from_utf8_lossy(element.name));
        if element.type_index.is_none() {
            if depth >= TABLE_DEPTH_MAX {
                return Err(Refused::Message(format!("the schema is nested deeper than {TABLE_DEPTH_MAX} groups")));
            }
            groups.push(Group { left: element.children, path_length: path.len(), definitions, repeated });
            continue;
        }
        name_bytes += path.len() as u64;
        if names.len() == COLUMNS_MAX || name_bytes > PARQUET_FOOTER_BYTES_MAX {
            return Err(Refused::Message(format!("the schema has more than {COLUMNS_MAX} columns, or names too long")));
        }
        names.push(path.clone());
        leaves.push(leaf(&element, definitions, repeated)?);
    }
    match groups.iter().map(|group| group.left).sum::<u64>() {
        0 => Ok((names, leaves)),
        missing => Err(Refused::Message(format!("the schema lacks {missing} of its elements"))),
    }
}

fn read_element<'a>(thrift: &mut Thrift<'a>) -> Read<Element<'a>> {
    let mut element = Element::default();
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        match id {
            1 => element.type_index = Some(thrift.integer(kind)?),
            2 => element.type_length = thrift.integer(kind)?,
            3 => element.repetition = thrift.integer(kind)?,
            4 => element.name = thrift.binary(kind)?,
            // A group without children is legal; a number past any list is caught when the elements run out.
            5 => element.children = thrift.count(kind)?.min(u64::from(u32::MAX)),
            6 => element.converted = Some(thrift.integer(kind)?),
            7 => element.scale = thrift.integer(kind)?,
            10 => element.logical = read_logical(thrift, kind)?,
            _ => thrift.skip(kind)?,
        }
    }
    Ok(element)
}

/// A union: a structure with one field, whose id says which type it is.
fn read_logical(thrift: &mut Thrift<'_>, kind: Kind) -> Read<Option<Logical>> {
    thrift.structure(kind)?;
    let mut logical = None;
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        let parameters = match id {
            5 | 7 | 8 | 10 => read_parameters(thrift, kind)?,
            _ => {
                thrift.skip(kind)?;
                Parameters::default()
            }
        };
        logical = Some(match id {
            5 => Logical::Decimal { scale: parameters.first },
            6 => Logical::Date,
            7 => Logical::Time { per_second: parameters.per_second },
            8 => Logical::Timestamp { per_second: parameters.per_second, utc: parameters.utc },
            10 => Logical::Integer { signed: parameters.signed },
            14 => Logical::Uuid,
            15 => Logical::Float16,
            _ => Logical::Other,
        });
    }
    Ok(logical)
}

/// The parameters of a decimal (scale), an integer (signed), a time or a timestamp (UTC, unit).
#[derive(Default)]
struct Parameters {
    first: i64,
    utc: bool,
    signed: bool,
    per_second: i64,
}

fn read_parameters(thrift: &mut Thrift<'_>, kind: Kind) -> Read<Parameters> {
    thrift.structure(kind)?;
    let mut parameters = Parameters::default();
    let mut last = 0;
    while let Some((id, kind)) = thrift.field(&mut last)? {
        match (id, thrift.boolean(kind), thrift.structure(kind)) {
            (1, Ok(value), _) => parameters.utc = value,
            (2, Ok(value), _) => parameters.signed = value,
            (1, _, Err(_)) => parameters.first = thrift.integer(kind)?,
            (2, _, Ok(())) => {
                let mut last = 0;
                while let Some((unit, kind)) = thrift.field(&mut last)? {
                    parameters.per_second = match unit {
                        1 => 1000,
                        2 => 1_000_000,
                        3 => 1_000_000_000,
                        _ => 0,
                    };
                    thrift.skip(kind)?;
                }
            }
            _ => thrift.skip(kind)?,
        }
    }
    Ok(parameters)
}

fn leaf(element: &Element<'_>, definitions: u32, repeated: bool) -> Result<Leaf, Refused> {
    let type_index = element.type_index.unwrap_or(-1);
    let physical = match type_index {
        0 => Physical::Boolean,
        1 | 4 => Physical::Fixed(4),
        2 | 5 => Physical::Fixed(8),
        3 => Physical::Fixed(12),
        6 => Physical::Bytes,
        7 => match usize::try_from(element.type_length) {
            Ok(width) if width as u64 <= PARQUET_PAGE_BYTES_MAX => Physical::Fixed(width),
            _ => {
                let message = format!("the schema has a fixed length of {} bytes", element.type_length);
                return Err(Refused::Message(message));
            }
        },
        _ => return Err(Refused::Message(format!("the schema has an unknown type {type_index}"))),
    };
    let text = match text(element, type_index, physical) {
        _ if repeated => Err("is inside a list or map, which a cell cannot hold"),
        _ if physical == Physical::Fixed(0) => Err("has values of no bytes"),
        text => text,
    };
    Ok(Leaf { physical, type_index, definitions, text })
}

/// The logical type decides; files from before there were any have a converted type.
fn text(element: &Element<'_>, type_index: i64, physical: Physical) -> Result<Text, &'static str> {
    let logical = match (element.logical, element.converted) {
        (Some(logical), _) => logical,
        (None, Some(21)) => return Err("is an interval, which has no text"),
        (None, Some(converted)) => converted_type(converted, element.scale),
        (None, None) => Logical::Other,
    };
    let integer = matches!(type_index, 1 | 2);
    Ok(match (logical, type_index) {
        (Logical::Decimal { scale }, 1 | 2 | 6 | 7) => match i32::try_from(scale) {
            Ok(scale) if scale.abs() <= SCALE_MAX => Text::Decimal { scale, big_endian: !integer },
            _ => return Err("is a decimal with a scale out of range"),
        },
        (Logical::Date, 1) => Text::Days,
        (Logical::Time { per_second: 1.. }, _) if integer => Text::Time { per_second: unit(logical) },
        (Logical::Timestamp { per_second: 1.., utc }, 2) => Text::Timestamp { per_second: unit(logical), utc },
        (Logical::Time { .. } | Logical::Timestamp { .. }, _) if integer => return Err("has an unknown unit of time"),
        (Logical::Integer { signed: false }, _) if integer => Text::Unsigned,
        (Logical::Uuid, 7) if physical == Physical::Fixed(16) => Text::Uuid,
        (Logical::Float16, 7) if physical == Physical::Fixed(2) => Text::Float,
        (_, 0) => Text::Boolean,
        (_, 1 | 2) => Text::Signed,
        (_, 3) => Text::Int96,
        (_, 4 | 5) => Text::Float,
        _ => Text::Raw,
    })
}

fn unit(logical: Logical) -> i64 {
    match logical {
        Logical::Time { per_second } | Logical::Timestamp { per_second, .. } => per_second,
        _ => 1,
    }
}

/// Old timestamps do not tell whether they are UTC: writers put local times there too. They are taken as naive, as the
/// reference reads them; guessing UTC would move rows by hours without a word.
fn converted_type(converted: i64, scale: i64) -> Logical {
    match converted {
        5 => Logical::Decimal { scale },
        6 => Logical::Date,
        7 => Logical::Time { per_second: 1000 },
        8 => Logical::Time { per_second: 1_000_000 },
        9 => Logical::Timestamp { per_second: 1000, utc: false },
        10 => Logical::Timestamp { per_second: 1_000_000, utc: false },
        11..=14 => Logical::Integer { signed: false },
        _ => Logical::Other,
    }
}
