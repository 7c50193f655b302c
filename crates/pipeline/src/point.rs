//! One row of `market` as it travels and as it is kept: JSON with its numbers as text, which are never floats.

use rows::decimal::{Decimal, Notation};
use rows::good::Row;
use rows::time::{Format, Reading, rfc3339};
use serde::{Deserialize, Serialize};

use crate::records::{escaped, instant, sortable, unescaped};

/// A trade, or with `open`, `high` and `low` a bar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// The instrument.
    pub symbol: String,
    /// When, in RFC 3339.
    pub timestamp: String,
    /// The price; of a bar, the last.
    pub price: String,
    /// The volume.
    pub volume: String,
    /// Open, high and low of a bar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar: Option<[String; 3]>,
    /// Its place among rows of the same time, if its contract has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
}

/// The same in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// Nanoseconds since 1970.
    pub time: i64,
    /// Open, high, low and close.
    pub prices: [Decimal; 4],
    /// The volume.
    pub volume: Decimal,
    /// Its place among rows of the same time.
    pub sequence: u64,
}

impl Point {
    /// A good row; none for one that is no market data.
    pub fn of(row: &Row<'_>) -> Option<Self> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(match row {
            Row::Trade { symbol, time, price, volume, sequence, .. } => Self {
                symbol: text(symbol),
                timestamp: rfc3339(*time),
                price: price.to_string(),
                volume: volume.to_string(),
                bar: None,
                sequence: *sequence,
            },
            Row::Bar { symbol, time, prices: [open, high, low, close], volume, sequence } => Self {
                symbol: text(symbol),
                timestamp: rfc3339(*time),
                price: close.to_string(),
                volume: volume.to_string(),
                bar: Some([open, high, low].map(ToString::to_string)),
                sequence: *sequence,
            },
            Row::Transaction { .. } => return None,
        })
    }

    /// Its numbers; none when one of them is none.
    pub fn numbers(&self) -> Option<Numbers> {
        let number = |text: &String| Notation::default().parse(text.as_bytes()).ok();
        let reading = Reading { format: Format::Iso { space: false, date_only: false }, naive_zone: None };
        let price = number(&self.price)?;
        let prices = match &self.bar {
            None => [price; 4],
            Some([open, high, low]) => [number(open)?, number(high)?, number(low)?, price],
        };
        let time = reading.parse(self.timestamp.as_bytes()).ok()?;
        Some(Numbers { time, prices, volume: number(&self.volume)?, sequence: self.sequence.unwrap_or(0) })
    }
}

/// A row as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The row.
    #[serde(flatten)]
    pub point: Point,
    /// The file or the request that it came with.
    pub origin: String,
}

/// What the id of a kept row says: which row it is, and of which message it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowId {
    /// The name of the feed.
    pub feed: String,
    /// The instrument.
    pub symbol: String,
    /// Nanoseconds since 1970.
    pub time: i64,
    /// The file or the request that it came with.
    pub origin: String,
    /// The part of that which the message was.
    pub part: u64,
    /// Its place in the message.
    pub index: usize,
}

impl RowId {
    /// As text. Rows of one time are told apart by where they came from.
    pub fn id(&self) -> String {
        let order = format!("{}.{}.{:08}.{:05}", sortable(self.time), self.origin, self.part, self.index);
        [self.feed.as_str(), &self.symbol, &order].map(escaped).join("/")
    }

    /// What stands in an id; none if it is that of no row.
    pub fn parse(id: &str) -> Option<Self> {
        let mut parts = id.split('/').map(unescaped);
        let (feed, symbol, order) = (parts.next()?, parts.next()?, parts.next()?);
        let (rest, index) = order.rsplit_once('.')?;
        let (rest, part) = rest.rsplit_once('.')?;
        let (time, origin) = rest.split_once('.')?;
        let (part, index, origin) = (part.parse().ok()?, index.parse().ok()?, origin.to_owned());
        // what is written otherwise is another id
        Some(Self { feed, symbol, time: instant(time)?, origin, part, index }).filter(|row| row.id() == id)
    }
}

/// A window of `market`: a bar with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// `open,high,low,close,volume,trades,notional,vwap`, as bars are written everywhere.
    pub line: String,
    /// 1, and one more each time it changed after it was over.
    pub revision: u32,
    /// When it was last aggregated, in nanoseconds.
    pub aggregated_at: i64,
    /// The files and requests that its rows came with, 1000 at most.
    pub sources: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_its_numbers_on_the_way() {
        let (price, volume) = (Decimal::from_units(190_123_456_789_012_345_678), Decimal::from_nano(0));
        let trade = Row::Trade {
            symbol: b"A/B",
            time: 1_700_000_000_123_456_789,
            price,
            volume,
            sequence: Some(7),
            trade_id: None,
        };
        let point = Point::of(&trade).expect("market data");
        let numbers = point.numbers().expect("numbers");
        assert_eq!((numbers.prices, numbers.volume, numbers.sequence), ([price; 4], volume, 7));
        assert_eq!(numbers.time, 1_700_000_000_123_456_789);
        let bad = Point { price: "1e".into(), ..point };
        assert_eq!(bad.numbers(), None);
    }

    #[test]
    fn an_id_says_what_it_was_made_of() {
        for (symbol, origin, part, index) in [
            ("ACME", "r-0a", 0, 0),
            ("A/B%", "q-a.b.c", 123_456_789, 99_999),
            ("", "", 7, 123_456),
            ("日", "a/b", 1, 2),
        ] {
            for time in [i64::MIN, -1, 0, 1_700_000_000_123_456_789, i64::MAX] {
                let (feed, symbol, origin) = ("m/x".to_owned(), symbol.to_owned(), origin.to_owned());
                let row = RowId { feed, symbol, time, origin, part, index };
                assert_eq!(RowId::parse(&row.id()), Some(row));
            }
        }
        let good = RowId::parse("f/s/00000000000000000007.o.00000001.00002").expect("an id").id();
        for bad in ["a", "f/s/7.o.00000001.00002", &good[..good.len() - 1], &format!("{good}/"), &format!("{good}.1")] {
            assert_eq!(RowId::parse(bad).filter(|row| row.origin == "o"), None, "{bad}");
        }
    }
}
