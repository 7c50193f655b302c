//! A contract: what a row of a feed must be, as written in TOML.
//!
//! This is the text as the author wrote it, checked for form. What it means for a given header is worked out
//! by `plan`. A contract may extend another: what it says wins, the rest is taken over.

mod builtin;
mod merge;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::Refusal;

pub use builtin::{builtin, builtin_names, builtin_text, is_core};

/// What the rows of a contract become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Single trades; folded into bars.
    Trades,
    /// Bars made elsewhere; rolled up into longer ones.
    Bars,
    /// Card or bank transactions; folded into totals.
    Transactions,
}

impl Kind {
    /// The word used in contracts and reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Trades => "trades",
            Kind::Bars => "bars",
            Kind::Transactions => "transactions",
        }
    }

    /// The columns every contract of this kind must say where to find, in the order they are checked.
    pub fn required(self) -> &'static [&'static str] {
        match self {
            Kind::Trades => &["symbol", "price", "volume", "timestamp"],
            Kind::Bars => &["symbol", "open", "high", "low", "close", "volume", "timestamp"],
            Kind::Transactions => &["transaction_id", "amount", "currency", "timestamp", "merchant", "status"],
        }
    }

    /// Columns with a meaning of their own that a contract may leave out.
    pub fn optional(self) -> &'static [&'static str] {
        match self {
            Kind::Trades => &["sequence", "trade_id"],
            Kind::Bars => &["sequence"],
            Kind::Transactions => &[],
        }
    }
}

/// A contract as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Its name, as receipts show it.
    pub name: String,
    /// Raised by the author whenever the meaning changes.
    #[serde(default = "one")]
    pub version: u32,
    /// What the rows become.
    pub kind: Kind,
    /// One line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// How the file is written.
    #[serde(default)]
    pub format: Format,
    /// How numbers are written, for every numeric column that does not say otherwise.
    #[serde(default)]
    pub number: Number,
    /// Where each value comes from.
    #[serde(default)]
    pub columns: IndexMap<String, Column>,
    /// How bars are cut.
    #[serde(default)]
    pub bars: Bars,
}

/// How the file is written. Everything may be left out: content decides.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Format {
    /// `csv`, `json` (one value per line, an array, or one object), `table` (Parquet, Arrow).
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Syntax>,
    /// Field separator, one ASCII character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// Quote character; an empty string for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// Records that begin with this are comments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Encoding of files without a byte order mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Whether the first record names the columns (default: yes).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// Number of fields of every record; without it the header or the first record decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<usize>,
    /// Records before the header (or the first row) that are no rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_records: Option<usize>,
    /// Drop white space around every field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trim: Option<bool>,
    /// The member of a zip file that holds the rows; without it all members do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The header as the sender is known to write it; drift is told against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// Every JSON line starts with something that is no JSON: `epoch` for `1626993000.123: `.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_prefix: Option<LinePrefix>,
    /// Path of an array in each JSON record whose items are the rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each: Option<String>,
    /// Only JSON records that meet every condition hold rows.
    #[serde(rename = "where", default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// The syntax families a contract can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Syntax {
    /// Delimited text.
    Csv,
    /// JSON in any layout.
    Json,
    /// Parquet or Arrow IPC.
    Table,
}

/// What stands before the JSON on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinePrefix {
    /// Seconds since 1970, a colon and a space.
    Epoch,
}

/// A condition on a JSON record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Where to look.
    pub path: String,
    /// The value is one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub equals: Vec<String>,
    /// The value begins with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_with: Option<String>,
}

/// How numbers are written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// Decimal mark (default `.`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<char>,
    /// Thousands mark, dropped wherever it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thousands: Option<char>,
    /// Characters to drop, such as a currency sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strip: Option<String>,
    /// A leading `+` is fine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plus: Option<bool>,
    /// Every value is multiplied by this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<String>,
}

/// Where a value comes from and how it is read. Which of these go together depends on the column.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// A column by name or 0-based position, a JSON path, or a list of them joined with one space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<From>,
    /// The same value for every row; of an optional column, the value where the file lacks it. As the time of such a column,
    /// `arrival` stands for when the file came.
    #[serde(rename = "const", skip_serializing_if = "Option::is_none")]
    pub constant: Option<String>,
    /// The id is made from the physical line: `L17`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<bool>,
    /// The file may lack this column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
    /// Dropped from the front of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strip_prefix: Option<String>,
    /// The value is put in upper case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upper: Option<bool>,
    /// The sender's words for ours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<String, String>,
    /// Decimal mark of this column, where it differs from `[number]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<char>,
    /// Thousands mark of this column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thousands: Option<char>,
    /// Characters to drop from this column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strip: Option<String>,
    /// A leading `+` is fine in this column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plus: Option<bool>,
    /// Every value of this column is multiplied by this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<String>,
    /// amount: the product of two columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiply: Option<[At; 2]>,
    /// amount: the column of money in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit: Option<At>,
    /// amount: the column of money out, counted negative.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debit: Option<At>,
    /// amount: counted negative in rows where another column has this value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negative_when: Option<NegativeWhen>,
    /// timestamp: `iso` (default), `epoch`, `iso_or_epoch`, `since_midnight`, `hours_since`, or a pattern such as `%d.%m.%Y`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// timestamp: `s`, `ms`, `us` or `ns`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// timestamp: the zone of times that carry no offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// timestamp `iso`: a space may stand for the `T`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub space: Option<bool>,
    /// timestamp `iso`: a date without a time means midnight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_only: Option<bool>,
    /// timestamp `since_midnight`: which midnight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// timestamp `hours_since`: the instant hours are counted from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// A column of the sender's own: what its values must be.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// A column of the sender's own: empty values are refused (default: no).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// type `text`: the only values there are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub one_of: Vec<String>,
    /// types `number` and `integer`: the least value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// types `number` and `integer`: the greatest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
}

/// The types of a sender's own columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// Anything, or one of a list.
    Text,
    /// A decimal.
    Number,
    /// A whole number.
    Integer,
    /// A point in time, with an offset.
    Timestamp,
    /// An ISO 4217 code of money.
    Currency,
}

/// One place in a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum At {
    /// By 0-based position.
    Position(usize),
    /// By header name or JSON path.
    Name(String),
}

/// One place, or several joined with a space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum From {
    /// One place.
    One(At),
    /// Several.
    Joined(Vec<At>),
}

/// When an amount counts negative.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NegativeWhen {
    /// The column that tells.
    pub column: At,
    /// Its value in rows that count negative.
    pub equals: String,
}

/// How bars are cut.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bars {
    /// Zone of hours, days and months (default UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What decides between trades of the same time before their position does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
}

/// What orders rows of the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The `sequence` column.
    Sequence,
    /// The `trade_id` column, where it is a whole number.
    TradeId,
    /// Their position in the file only.
    Position,
}

impl Column {
    /// Whether its value is the time of arrival where the file lacks the column.
    pub(crate) fn is_of_arrival(&self) -> bool {
        self.optional == Some(true) && self.constant.as_deref() == Some("arrival")
    }
}

fn one() -> u32 {
    1
}

impl Contract {
    /// Reads a contract; `extends` is resolved among the built-in ones.
    pub fn parse(text: &str) -> Result<Contract, Refusal> {
        merge::resolve(text, 0)
    }

    /// The contract for a file that came at this instant, in nanoseconds: a time that it may lack is that one.
    pub fn came_at(&self, nanoseconds: i64) -> Contract {
        let mut contract = self.clone();
        if let Some(time) = contract.columns.get_mut("timestamp").filter(|time| time.is_of_arrival()) {
            time.constant = Some(crate::time::rfc3339(nanoseconds));
        }
        contract
    }

    /// The contract as TOML that `parse` reads back to the same contract.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("every contract has a TOML form: its keys are strings")
    }
}

#[cfg(test)]
mod tests;
