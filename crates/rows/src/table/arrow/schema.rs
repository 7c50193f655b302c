//! The schema of an Arrow file: its leaf columns, what their values mean as text, and where their buffers are.

use super::flatbuffer::Node;
use crate::limits::{COLUMNS_MAX, PARQUET_FOOTER_BYTES_MAX, TABLE_DEPTH_MAX};
use crate::table::file::Fault;
use crate::table::text::Text;
use crate::table::text::decimal::SCALE_MAX;

/// How the values of a column are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Nothing but nulls, and no buffers.
    Null,
    Bits,
    /// Fixed bytes, this many, with this meaning.
    Fixed(usize, Text),
    /// Strings: offsets of 4 or 8 bytes, then bytes.
    Strings {
        offset_bytes: usize,
    },
    /// Strings as views of 16 bytes into any number of buffers.
    Views,
}

/// One column.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    /// The layout, or why values have no text. Of a dictionary column, that of its dictionary's values.
    pub(super) layout: Result<Layout, &'static str>,
    pub(super) dictionary: Option<Dictionary>,
    pub(super) place: Place,
}

/// The dictionary of a column: its id, and how many bytes an index has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dictionary {
    pub(super) id: i64,
    pub(super) index_bytes: usize,
}

/// Where a column is among the nodes and buffers of a record batch.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub(super) node: usize,
    pub(super) buffer: usize,
    /// View columns before this one: each may have more buffers, as the batch tells.
    pub(super) views_before: usize,
    /// The validity buffers of the structs around it.
    pub(super) parents: Vec<Place>,
}

/// Walks the fields and numbers their nodes and buffers.
#[derive(Default)]
pub(super) struct Schema {
    pub(super) names: Vec<String>,
    pub(super) leaves: Vec<Leaf>,
    next: Place,
    name_bytes: u64,
    fields: usize,
    unions: bool,
}

impl Schema {
    /// Reads the `schema` table of a footer of this version of the format.
    pub(super) fn read(schema: Node<'_>, version: i16) -> Result<Self, Fault> {
        if schema.short(0, 0)? != 0 {
            return Err(Fault("its numbers are big-endian, which is not read"));
        }
        let mut walk = Self::default();
        let fields = schema.vector(1, 4)?;
        for index in 0..fields.count {
            walk.field(schema.item_table(fields, index)?, "", &[], Within::Row)?;
        }
        if walk.unions && version < VERSION_5 {
            return Err(Fault("it has unions in an older form of the format, which is not read"));
        }
        Ok(walk)
    }

    fn field(&mut self, field: Node<'_>, path: &str, parents: &[Place], within: Within) -> Result<(), Fault> {
        self.fields += 1;
        if self.fields > 2 * COLUMNS_MAX || parents.len() + within.depth() >= TABLE_DEPTH_MAX {
            return Err(Fault("it has too many columns, or is nested too deep"));
        }
        let name = String::from_utf8_lossy(field.string(0)?);
        let path = if path.is_empty() { name.into_owned() } else { format!("{path}.{name}") };
        let type_tag = field.byte(2, 0)?;
        let place = Place { parents: parents.to_vec(), ..self.next.clone() };
        if let Some(dictionary) = field.table(4)? {
            return self.dictionary(field, dictionary, path, place, within);
        }
        self.unions |= type_tag == UNION;
        let (nodes, buffers) = shape(type_tag, field)?;
        self.next.node += nodes;
        self.next.buffer += buffers;
        let children = field.vector(5, 4)?;
        if children.count == 0 {
            let layout = layout(type_tag, field)?;
            if layout == Ok(Layout::Views) {
                self.next.views_before += 1;
            }
            return self.leaf(path, Leaf { layout: within.allow(layout), dictionary: None, place });
        }
        let mut around = parents.to_vec();
        let within = match (type_tag, within) {
            (STRUCT, Within::Row) => {
                around.push(Place { parents: Vec::new(), ..place });
                Within::Row
            }
            (_, Within::Row) => Within::List(1),
            (_, Within::List(depth)) => Within::List(depth + 1),
        };
        for index in 0..children.count {
            self.field(field.item_table(children, index)?, &path, &around, within)?;
        }
        Ok(())
    }

    fn dictionary(
        &mut self,
        field: Node<'_>,
        dictionary: Node<'_>,
        path: String,
        place: Place,
        within: Within,
    ) -> Result<(), Fault> {
        self.next.node += 1;
        self.next.buffer += 2;
        let bits = match dictionary.table(1)? {
            Some(index) => index.int(0, 32)?,
            None => 32,
        };
        let index_bytes = integer_bytes(bits)?;
        let layout = match field.vector(5, 4)?.count {
            0 => layout(field.byte(2, 0)?, field)?,
            _ => Err("is a dictionary of lists or structs, which a cell cannot hold"),
        };
        let dictionary = Some(Dictionary { id: dictionary.long(0, 0)?, index_bytes });
        self.leaf(path, Leaf { layout: within.allow(layout), dictionary, place })
    }

    fn leaf(&mut self, path: String, leaf: Leaf) -> Result<(), Fault> {
        self.name_bytes += path.len() as u64;
        if self.leaves.len() == COLUMNS_MAX || self.name_bytes > PARQUET_FOOTER_BYTES_MAX {
            return Err(Fault("it has too many columns, or names too long"));
        }
        self.names.push(path);
        self.leaves.push(leaf);
        Ok(())
    }
}

/// What a field is in: structs only (it has a value or null in every row), or this many levels with a list.
#[derive(Clone, Copy)]
enum Within {
    Row,
    List(usize),
}

impl Within {
    fn depth(self) -> usize {
        match self {
            Within::Row => 0,
            Within::List(depth) => depth,
        }
    }

    fn allow(self, layout: Result<Layout, &'static str>) -> Result<Layout, &'static str> {
        match self {
            Within::Row => layout,
            Within::List(_) => Err("is inside a list, map or union, which a cell cannot hold"),
        }
    }
}

const STRUCT: u8 = 13;
const UNION: u8 = 14;
/// Metadata version 5 (2020): before it, unions had one buffer more.
const VERSION_5: i16 = 4;

/// How many nodes and buffers a field has of its own, children not counted.
fn shape(type_tag: u8, field: Node<'_>) -> Result<(usize, usize), Fault> {
    Ok(match type_tag {
        1 => (1, 0),
        2 | 3 | 6..=11 | 15 | 18 | 12 | 17 | 21 => (1, 2),
        4 | 5 | 19 | 20 | 25 | 26 => (1, 3),
        STRUCT | 16 => (1, 1),
        // A sparse union has types only, a dense one offsets too.
        UNION => match field.table(3)? {
            Some(union) if union.short(0, 0)? == 1 => (1, 2),
            _ => (1, 1),
        },
        22 => (1, 0),
        23 | 24 => (1, 2),
        _ => return Err(Fault("it has a column of an unknown type")),
    })
}

fn layout(type_tag: u8, field: Node<'_>) -> Result<Result<Layout, &'static str>, Fault> {
    let Some(parameters) = field.table(3)? else { return Err(Fault("a column has no type")) };
    let per_second = |unit: i16| match unit {
        0 => 1,
        1 => 1000,
        2 => 1_000_000,
        _ => 1_000_000_000,
    };
    Ok(Ok(match type_tag {
        1 => Layout::Null,
        2 => {
            let signed = parameters.byte(1, 0)? != 0;
            Layout::Fixed(integer_bytes(parameters.int(0, 0)?)?, if signed { Text::Signed } else { Text::Unsigned })
        }
        3 => Layout::Fixed(1 << (parameters.short(0, 0)?.clamp(0, 2) + 1), Text::Float),
        4 | 5 => Layout::Strings { offset_bytes: 4 },
        6 => Layout::Bits,
        7 => {
            let (scale, bits) = (parameters.int(1, 0)?, parameters.int(2, 128)?);
            match bits {
                32 | 64 | 128 | 256 if scale.checked_abs().is_some_and(|scale| scale <= SCALE_MAX) => {
                    Layout::Fixed(bits as usize / 8, Text::Decimal { scale, big_endian: false })
                }
                _ => return Ok(Err("is a decimal of an unknown width, or with a scale out of range")),
            }
        }
        8 => match parameters.short(0, 1)? {
            0 => Layout::Fixed(4, Text::Days),
            _ => Layout::Fixed(8, Text::DateMillis),
        },
        9 => {
            let per_second = per_second(parameters.short(0, 1)?);
            Layout::Fixed(integer_bytes(parameters.int(1, 32)?)?, Text::Time { per_second })
        }
        10 => {
            let utc = !parameters.string(1)?.is_empty();
            Layout::Fixed(8, Text::Timestamp { per_second: per_second(parameters.short(0, 0)?), utc })
        }
        15 => match usize::try_from(parameters.int(0, 0)?) {
            Ok(width @ 1..) if is_uuid(field)? && width == 16 => Layout::Fixed(width, Text::Uuid),
            Ok(width @ 1..) => Layout::Fixed(width, Text::Raw),
            _ => return Ok(Err("has values of no bytes")),
        },
        19 | 20 => Layout::Strings { offset_bytes: 8 },
        23 | 24 => Layout::Views,
        11 | 18 => return Ok(Err("is an interval, which has no text")),
        _ => return Ok(Err("is a list, map, union or struct, which a cell cannot hold")),
    }))
}

/// Whether the field's metadata says that its bytes are a UUID.
fn is_uuid(field: Node<'_>) -> Result<bool, Fault> {
    let pairs = field.vector(6, 4)?;
    for index in 0..pairs.count {
        let pair = field.item_table(pairs, index)?;
        if pair.string(0)? == b"ARROW:extension:name" && pair.string(1)? == b"arrow.uuid" {
            return Ok(true);
        }
    }
    Ok(false)
}

fn integer_bytes(bits: i32) -> Result<usize, Fault> {
    match bits {
        8 | 16 | 32 | 64 => Ok(bits as usize / 8),
        _ => Err(Fault("integers have an impossible number of bits")),
    }
}
