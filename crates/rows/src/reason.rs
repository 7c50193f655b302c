//! Why a row is refused: names, the column they speak of, and what the sender can do.
//!
//! A contract's reasons are numbered in the order in which they are checked, so a row's reasons are a bit set
//! whose lowest bit is the first reason.

use serde::Serialize;

/// The reasons of one row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reasons(pub(crate) u128);

impl Reasons {
    /// No reason: the row is good.
    pub const NONE: Reasons = Reasons(0);

    /// Adds a reason.
    #[inline]
    pub fn add(&mut self, reason: ReasonId) {
        self.0 |= 1 << reason.0;
    }

    /// These and those.
    pub fn with(self, more: Reasons) -> Reasons {
        Reasons(self.0 | more.0)
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The reason that was found first.
    pub fn first(self) -> Option<ReasonId> {
        (self.0 != 0).then(|| ReasonId(self.0.trailing_zeros() as u8))
    }

    /// All reasons, in the order they are checked.
    pub fn iter(self) -> impl Iterator<Item = ReasonId> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let first = Reasons(left).first()?;
            left &= left - 1;
            Some(first)
        })
    }
}

/// The number of a reason within one plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReasonId(pub(crate) u8);

impl ReasonId {
    /// The reason that stands `steps` after this one; a number check numbers its faults in a row.
    pub(crate) fn after(self, steps: u8) -> ReasonId {
        ReasonId(self.0 + steps)
    }
}

/// What people and programs are told of a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// `snake_case`, the column's name in it where there is one.
    pub name: String,
    /// The column of the contract it speaks of.
    pub column: Option<String>,
    /// What to do.
    pub hint: String,
}

/// Structural reasons; they end the row, so no value of it is looked at. Same numbers in every plan.
pub mod structure {
    use super::ReasonId;
    /// A quote is still open at the end of the file.
    pub const UNTERMINATED_QUOTE: ReasonId = ReasonId(0);
    /// Text follows a closing quote.
    pub const BAD_QUOTE: ReasonId = ReasonId(1);
    /// More or fewer fields than the header.
    pub const WRONG_FIELD_COUNT: ReasonId = ReasonId(2);
    /// The row is not valid in the file's encoding.
    pub const INVALID_UTF8: ReasonId = ReasonId(3);
    /// A NUL in the row.
    pub const NUL_BYTE: ReasonId = ReasonId(4);
    /// A value longer than the limit.
    pub const FIELD_TOO_LONG: ReasonId = ReasonId(5);
    /// Not JSON.
    pub const INVALID_JSON: ReasonId = ReasonId(6);
    /// A key twice in one object.
    pub const DUPLICATE_KEY: ReasonId = ReasonId(7);
    /// JSON nested deeper than the limit.
    pub const JSON_TOO_DEEP: ReasonId = ReasonId(8);
    /// A JSON value that is neither object nor array.
    pub const NOT_A_RECORD: ReasonId = ReasonId(9);
}

const STRUCTURE: [(&str, &str); 10] = [
    ("unterminated_quote", "close the quote; everything after it was read as one value"),
    ("bad_quote", "write a quote inside a quoted value twice (\"\") and put nothing after the closing one"),
    ("wrong_field_count", "the row must have as many fields as the header; quote values that hold the delimiter"),
    (
        "invalid_utf8",
        "some bytes are no text in the file's encoding; save it as UTF-8, or name its encoding in the contract",
    ),
    ("nul_byte", "remove the NUL bytes; the file was probably cut or padded while being written"),
    ("field_too_long", "a value may have 65536 bytes at most; a missing quote is the usual cause"),
    ("invalid_json", "the line must be one complete JSON value"),
    ("duplicate_key", "each key may stand once in an object"),
    ("json_too_deep", "values may be nested 64 deep at most"),
    ("not_a_record", "a row must be a JSON object or array"),
];

/// The numbered reasons of a plan.
#[derive(Debug, Clone)]
pub struct ReasonTable(Vec<Reason>);

impl ReasonTable {
    /// Bits of the set: more reasons than this cannot be told apart.
    pub const REASONS_MAX: usize = 128;

    pub(crate) fn new() -> Self {
        let reason = |(name, hint): &(&str, &str)| Reason { name: (*name).into(), column: None, hint: (*hint).into() };
        Self(STRUCTURE.iter().map(reason).collect())
    }

    /// Numbers the next reason; the caller keeps the count within `REASONS_MAX`.
    pub(crate) fn push(&mut self, name: String, column: &str, hint: impl Into<String>) -> ReasonId {
        assert!(self.0.len() < Self::REASONS_MAX, "the plan checked that its reasons fit the set");
        self.0.push(Reason { name, column: Some(column.to_owned()), hint: hint.into() });
        ReasonId((self.0.len() - 1) as u8)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none; there are always the structural ones.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Reason> {
        self.0.iter()
    }

    /// What to tell of `reason`.
    pub fn get(&self, reason: ReasonId) -> &Reason {
        &self.0[usize::from(reason.0)]
    }

    /// Whether a reason of this name exists, for recognising a rejects file that comes back.
    pub fn knows(&self, name: &str) -> bool {
        self.0.iter().any(|reason| reason.name == name)
    }

    /// The names of `reasons`, in the order they were checked.
    pub fn names(&self, reasons: Reasons) -> Vec<&str> {
        reasons.iter().map(|reason| self.get(reason).name.as_str()).collect()
    }
}
