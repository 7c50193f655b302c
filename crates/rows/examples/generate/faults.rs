//! What can be wrong with a row, and which rows are: decided per row number, so that any row can be asked about.
//!
//! Kinds come in two sets. `all` has every reason of the reference rules. `portable` leaves out what other programs
//! cannot report row by row: bytes that are not UTF-8, NUL bytes and text behind a closing quote make DuckDB and Polars
//! refuse the file or repair it silently, and Polars takes a comma at the end of a row for no column at all. The
//! benchmark uses `portable`, so that every program can be exact.

use crate::random::mix;

/// What is done to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The value of a column is replaced by one of these.
    Value { column: usize, reason: &'static str, values: &'static [&'static str] },
    /// The row cannot be read as a row.
    Structure { reason: &'static str, how: Structure },
    /// The id of an earlier row comes again.
    Duplicate,
}

/// How a CSV row is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Structure {
    TooFew,
    TooMany,
    /// One value too many, and that one empty.
    TooManyEmpty,
    BadQuote,
    InvalidUtf8,
    NulByte,
}

const fn value(column: usize, reason: &'static str, values: &'static [&'static str]) -> Fault {
    Fault::Value { column, reason, values }
}

const fn structure(reason: &'static str, how: Structure) -> Fault {
    Fault::Structure { reason, how }
}

const SHAPE: [Fault; 2] =
    [structure("wrong_field_count", Structure::TooFew), structure("wrong_field_count", Structure::TooMany)];
const HARD: [Fault; 4] = [
    structure("wrong_field_count", Structure::TooManyEmpty),
    structure("bad_quote", Structure::BadQuote),
    structure("invalid_utf8", Structure::InvalidUtf8),
    structure("nul_byte", Structure::NulByte),
];

const EMPTY: &[&str] = &[""];
const NO_NUMBER: &[&str] = &[
    "abc", "1.2.3", "12.", "+5", "1 000", "NaN", ".5", "$12.50", "0x1F", " 12.5", "1e", "--5", "1_000", "12,50", "inf",
];
const NO_AMOUNT: &[&str] =
    &["abc", "1.2.3", "12.", "+5.00", "1 000", "NaN", ".50", "$12.50", "1e5", " 5.00", "(5.00)", "5,00", "1_000.00"];
const NOT_POSITIVE: &[&str] = &["0", "0.00", "-12.34", "-0.0001", "0e3"];
const NEGATIVE: &[&str] = &["-1", "-0.5", "-300"];
const TOO_FINE: &[&str] = &["1.0000000000000000001", "0.12345678901234567891", "12.34567890123456789012345"];
const TOO_LARGE: &[&str] =
    &["100000000000000000000", "123456789012345678901.5", "99999999999999999999999999999999999999999"];
const NO_MOMENT: &[&str] = &[
    "yesterday",
    "2026-13-02T14:30:00Z",
    "2026-02-30T14:30:00Z",
    "2026-01-02 14:30:00Z",
    "2026-01-02T24:00:00Z",
    "2026-01-02T14:60:00Z",
    "2026-01-02T14:30:60Z",
    "1767364200",
    "2026-01-02T14:30:00.1234567890Z",
    "2026-01-02",
    "2026-1-2T14:30:00Z",
    "02/01/2026T14:30:00Z",
    "2026-01-02T14:30:00+25:00",
    "2026-01-02t14:30:00z",
];
const NO_OFFSET: &[&str] = &["2026-01-02T14:30:00.123456", "2026-01-02T14:30:00", "2026-01-02T20:59:59.999999"];
const FAR_MOMENT: &[&str] = &[
    "1899-12-31T23:59:59.999999Z",
    "2100-01-01T00:00:00Z",
    "2150-06-01T12:00:00Z",
    "0001-01-01T00:00:00Z",
    "1900-01-01T00:30:00+01:00",
];

const TRADES: &[Fault] = &[
    value(0, "missing_symbol", EMPTY),
    value(1, "missing_price", EMPTY),
    value(1, "invalid_price", NO_NUMBER),
    value(1, "non_positive_price", NOT_POSITIVE),
    value(1, "too_many_decimals_price", TOO_FINE),
    value(1, "out_of_range_price", TOO_LARGE),
    value(2, "missing_volume", EMPTY),
    value(2, "invalid_volume", NO_NUMBER),
    value(2, "negative_volume", NEGATIVE),
    value(2, "too_many_decimals_volume", TOO_FINE),
    value(2, "out_of_range_volume", TOO_LARGE),
    value(3, "missing_timestamp", EMPTY),
    value(3, "invalid_timestamp", NO_MOMENT),
    value(3, "timestamp_without_offset", NO_OFFSET),
    value(3, "timestamp_out_of_range", FAR_MOMENT),
];

// A price of 1e9 is above every high the generator makes, as 0.0000001 is below every low. A low of 0 is not positive
// but still the lowest, so that row has one reason.
const BARS: &[Fault] = &[
    value(0, "missing_symbol", EMPTY),
    value(1, "missing_timestamp", EMPTY),
    value(1, "invalid_timestamp", NO_MOMENT),
    value(1, "timestamp_without_offset", NO_OFFSET),
    value(1, "timestamp_out_of_range", FAR_MOMENT),
    value(2, "missing_open", EMPTY),
    value(2, "invalid_open", NO_NUMBER),
    value(2, "ohlc_inconsistent", &["1000000000", "0.0000001"]),
    value(3, "missing_high", EMPTY),
    value(3, "too_many_decimals_high", TOO_FINE),
    value(4, "out_of_range_low", TOO_LARGE),
    value(4, "non_positive_low", NOT_POSITIVE),
    value(5, "invalid_close", NO_NUMBER),
    value(5, "ohlc_inconsistent", &["1000000000", "0.0000001"]),
    value(6, "negative_volume", NEGATIVE),
    value(6, "invalid_volume", NO_NUMBER),
];

const TRANSACTIONS: &[Fault] = &[
    Fault::Duplicate,
    value(0, "missing_transaction_id", EMPTY),
    value(1, "missing_amount", EMPTY),
    value(1, "invalid_amount", NO_AMOUNT),
    value(1, "too_many_decimals_amount", TOO_FINE),
    value(1, "out_of_range_amount", TOO_LARGE),
    value(2, "missing_currency", EMPTY),
    value(2, "invalid_currency", &["usd", "US", "U$D", "EURO", "Us1"]),
    value(2, "unknown_currency", &["ZZZ", "ABC", "QQQ", "DEM"]),
    value(2, "unsupported_currency", &["XXX", "XTS", "XAU"]),
    value(3, "missing_timestamp", EMPTY),
    value(3, "invalid_timestamp", NO_MOMENT),
    value(3, "timestamp_without_offset", NO_OFFSET),
    value(3, "timestamp_out_of_range", FAR_MOMENT),
    value(4, "missing_merchant", &["", "   "]),
    value(5, "missing_status", EMPTY),
    value(5, "invalid_status", &["COMPLETED", "done", "comp leted", "Pending", "0"]),
];

/// The reason of a row whose id came before.
pub(crate) const DUPLICATE: &str = "duplicate_transaction_id";

/// Which rows are bad, and how.
#[derive(Debug)]
pub(crate) struct Plan {
    seed: u64,
    threshold: u64,
    repeat_ids: bool,
    kinds: Vec<Fault>,
}

/// What is wrong with one row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chosen {
    pub(crate) first: Fault,
    /// A second fault, in another column.
    pub(crate) second: Option<Fault>,
    /// Decides the details.
    pub(crate) draw: u64,
}

impl Plan {
    /// Faults for a share `bad` of the rows. NDJSON has no columns to miscount and no quotes to break.
    pub(crate) fn new(schema: crate::Schema, request: &crate::Request) -> Self {
        let fields = match schema {
            crate::Schema::Trades => TRADES,
            crate::Schema::Bars => BARS,
            crate::Schema::Transactions | crate::Schema::Samples => TRANSACTIONS,
        };
        let mut kinds = fields.to_vec();
        if !request.ndjson {
            kinds.extend(SHAPE);
            if !request.portable {
                kinds.extend(HARD);
            }
        }
        let threshold = (request.bad * u64::MAX as f64) as u64;
        // Only transactions have ids.
        let repeat_ids = request.repeat_ids && schema == crate::Schema::Transactions;
        Plan { seed: mix(request.seed ^ 0x4641_554c_5453), threshold, repeat_ids, kinds }
    }

    /// What is wrong with row `row` (counted from 0), if anything.
    #[inline]
    pub(crate) fn of(&self, row: u64) -> Option<Chosen> {
        let draw = mix(self.seed ^ row);
        if draw < self.threshold {
            return Some(self.choose(row, mix(draw)));
        }
        if self.repeat_ids && row > 0 && draw.is_multiple_of(100) {
            return Some(Chosen { first: Fault::Duplicate, second: None, draw: mix(draw) });
        }
        None
    }

    #[cold]
    fn choose(&self, row: u64, draw: u64) -> Chosen {
        let pick = |draw: u64| {
            let fault = self.kinds[(draw % self.kinds.len() as u64) as usize];
            // Nothing comes before the first row; its last kind of fault is as good as any.
            if fault == Fault::Duplicate && row == 0 { self.kinds[1] } else { fault }
        };
        let first = pick(draw >> 8);
        let second = draw.is_multiple_of(6).then(|| pick(mix(draw))).filter(|&second| may_join(first, second));
        Chosen { first, second, draw: mix(draw ^ 1) }
    }

    /// Whether row `row` brings an id of its own that later rows can repeat.
    fn brings_id(&self, row: u64) -> bool {
        let own = |fault: Fault| matches!(fault, Fault::Value { column, .. } if column > 0);
        match self.of(row) {
            None => true,
            Some(chosen) => own(chosen.first) && chosen.second.is_none_or(own),
        }
    }

    /// An earlier row whose id row `row` can repeat.
    pub(crate) fn earlier(&self, row: u64, draw: u64) -> Option<u64> {
        let mut draw = draw;
        for _ in 0..1000 {
            draw = mix(draw);
            let other = draw % row;
            if self.brings_id(other) {
                return Some(other);
            }
        }
        None
    }
}

/// Whether two faults of one row are both reported: neither hides the other.
fn may_join(first: Fault, second: Fault) -> bool {
    match (first, second) {
        (Fault::Value { column, reason, .. }, Fault::Value { column: other, reason: more, .. }) => {
            // The order of open, high, low and close can only be judged when all of them are numbers.
            column != other && reason != "ohlc_inconsistent" && more != "ohlc_inconsistent"
        }
        (Fault::Duplicate, Fault::Value { column, .. }) | (Fault::Value { column, .. }, Fault::Duplicate) => column > 0,
        _ => false,
    }
}
