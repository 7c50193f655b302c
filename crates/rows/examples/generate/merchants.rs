//! Merchant names: a third need quotes in CSV, some of them for commas, some for quotes, a few for a line break.

use crate::random::mix;
use crate::text::{csv_field, json_string};

/// A merchant as it is written.
#[derive(Debug)]
pub(crate) struct Merchant {
    pub(crate) name: String,
    pub(crate) csv: Vec<u8>,
    pub(crate) json: Vec<u8>,
    /// Line breaks within the name: the row covers so many physical lines more.
    pub(crate) breaks: u64,
}

const FIRST: [&str; 40] = [
    "Amber", "Birch", "Blue", "Bold", "Brook", "Calm", "Cedar", "Clear", "Copper", "Coral", "Crown", "Dawn", "Early",
    "East", "Elm", "Fair", "Fern", "First", "Fox", "Glen", "Gold", "Grand", "Green", "Hazel", "High", "Ivy", "Jade",
    "Lake", "Lime", "Maple", "North", "Oak", "Olive", "Pine", "Quiet", "Red", "River", "Stone", "Swift", "West",
];
const SECOND: [&str; 40] = [
    "Acre", "Arch", "Bay", "Bell", "Bridge", "Castle", "Cliff", "Corner", "Court", "Cove", "Creek", "Dale", "Dock",
    "Field", "Fort", "Gate", "Grove", "Hall", "Harbor", "Hill", "House", "Isle", "Lane", "Mill", "Moor", "Park",
    "Peak", "Pier", "Place", "Point", "Port", "Quay", "Ridge", "Road", "Shore", "Spring", "Square", "Vale", "View",
    "Yard",
];
const TRADE: [&str; 25] = [
    "Air", "Art", "Auto", "Bakery", "Bikes", "Books", "Cafe", "Deli", "Dental", "Diner", "Fuel", "Games", "Gym",
    "Hotel", "Market", "Music", "Optics", "Paint", "Parts", "Pets", "Pizza", "Shoes", "Tea", "Toys", "Travel",
];
const NAMES: usize = FIRST.len() * SECOND.len() * TRADE.len();

/// Merchant number `number`; different numbers have different names.
pub(crate) fn merchant(number: usize) -> Merchant {
    // A stride without a common factor walks through all names before one comes again.
    let place = number % NAMES * 27_241 % NAMES;
    let (first, rest) = (FIRST[place % FIRST.len()], place / FIRST.len());
    let (second, trade) = (SECOND[rest % SECOND.len()], TRADE[rest / SECOND.len()]);
    let branch = if number < NAMES { String::new() } else { format!(" {}", number / NAMES + 1) };
    let draw = mix(number as u64);
    let name = match draw % 100 {
        0..24 => format!("{second}, {first} {trade}{branch}"),
        24..31 => format!("The \"{first} {second}\" {trade}{branch}"),
        31 | 32 => format!("{first} {second}\n{trade}{branch}"),
        33..37 => format!("{first} {second} Caf\u{e9} {trade}{branch}"),
        _ => format!("{first} {second} {trade}{branch}"),
    };
    Merchant {
        csv: csv_field(name.as_bytes()),
        json: json_string(&name).into_bytes(),
        breaks: name.matches('\n').count() as u64,
        name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_differ_and_a_third_is_quoted() {
        let merchants: Vec<Merchant> = (0..90_000).map(merchant).collect();
        assert_eq!(merchants.iter().map(|merchant| &merchant.csv).collect::<BTreeSet<_>>().len(), 90_000);
        let quoted = merchants.iter().filter(|merchant| merchant.csv[0] == b'"').count();
        assert!((28_000..32_000).contains(&quoted), "{quoted}");
        assert!(merchants.iter().any(|merchant| merchant.breaks == 1));
    }
}
