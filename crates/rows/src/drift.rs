//! How a file's header differs from what its contract knows: told, not punished.

use serde::Serialize;

use crate::contract::{At, Contract, From};

/// Differences between a header and its contract.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// Columns of the file that the contract does not know.
    pub unknown: Vec<String>,
    /// Columns the contract knows and can do without, that the file lacks.
    pub missing: Vec<String>,
    /// Columns that stand in another order than the contract has them.
    pub moved: Vec<String>,
    /// Names that more than one column of the file has; the first is read.
    pub repeated: Vec<String>,
}

impl Drift {
    /// Whether header and contract agree.
    pub fn is_empty(&self) -> bool {
        self.unknown.is_empty() && self.missing.is_empty() && self.moved.is_empty() && self.repeated.is_empty()
    }

    /// Compares the header of a file with its contract.
    pub(crate) fn between(contract: &Contract, header: &[String]) -> Drift {
        let listed = contract.format.columns.clone();
        let complete = listed.is_some();
        let known = listed.unwrap_or_else(|| read_columns(contract));
        let mut drift = Drift::default();
        for (position, name) in header.iter().enumerate() {
            if header[..position].contains(name) {
                if !drift.repeated.contains(name) {
                    drift.repeated.push(name.clone());
                }
            } else if !known.contains(name) && (complete || is_core(contract)) {
                drift.unknown.push(name.clone());
            }
        }
        let optional = |name: &String| {
            contract.columns.values().any(|column| {
                column.optional == Some(true) && matches!(&column.from, Some(From::One(At::Name(from))) if from == name)
            })
        };
        drift.missing = known.iter().filter(|name| !header.contains(name) && !optional(name)).cloned().collect();
        if complete || is_core(contract) {
            drift.moved = moved(&known, header);
        }
        drift
    }

    pub(crate) fn merge(&mut self, more: Drift) {
        let Drift { unknown, missing, moved, repeated } = more;
        for (into, from) in [
            (&mut self.unknown, unknown),
            (&mut self.missing, missing),
            (&mut self.moved, moved),
            (&mut self.repeated, repeated),
        ] {
            for name in from {
                if !into.contains(&name) {
                    into.push(name);
                }
            }
        }
    }
}

fn is_core(contract: &Contract) -> bool {
    crate::contract::is_core(&contract.name)
}

/// The columns a contract reads by name, in the order it names them.
fn read_columns(contract: &Contract) -> Vec<String> {
    let mut names = Vec::new();
    let mut add = |at: &At| {
        if let At::Name(name) = at
            && !names.contains(name)
        {
            names.push(name.clone());
        }
    };
    for column in contract.columns.values() {
        match &column.from {
            Some(From::One(at)) => add(at),
            Some(From::Joined(places)) => places.iter().for_each(&mut add),
            None => {}
        }
        column.multiply.iter().flatten().for_each(&mut add);
        column.credit.iter().chain(&column.debit).for_each(&mut add);
        column.negative_when.iter().for_each(|when| add(&when.column));
    }
    names
}

/// The fewest columns whose moving explains the order: those outside a longest run that kept its order.
fn moved(known: &[String], header: &[String]) -> Vec<String> {
    let places: Vec<usize> = known.iter().filter_map(|name| header.iter().position(|column| column == name)).collect();
    let mut longest: Vec<(usize, Option<usize>)> = Vec::with_capacity(places.len());
    for (index, place) in places.iter().enumerate() {
        let before = (0..index).filter(|earlier| places[*earlier] < *place).max_by_key(|earlier| longest[*earlier].0);
        longest.push((before.map_or(0, |before| longest[before].0) + 1, before));
    }
    let mut stayed = vec![false; places.len()];
    let mut at = (0..places.len()).max_by_key(|index| longest[*index].0);
    while let Some(index) = at {
        stayed[index] = true;
        at = longest[index].1;
    }
    let gone = places.iter().zip(&stayed).filter(|(_, stayed)| !**stayed);
    gone.map(|(place, _)| header[*place].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::builtin;

    fn drift(header: &[&str]) -> Drift {
        let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
        Drift::between(builtin("trades").unwrap(), &header)
    }

    #[test]
    fn the_header_of_the_contract_is_no_drift() {
        assert!(drift(&["symbol", "price", "volume", "timestamp"]).is_empty());
    }

    #[test]
    fn unknown_moved_and_repeated_columns_are_told() {
        let told = drift(&["timestamp", "symbol", "price", "venue", "volume", "price"]);
        assert_eq!(told.unknown, ["venue"]);
        assert_eq!(told.moved, ["timestamp"]);
        assert_eq!(told.repeated, ["price"]);
        assert!(told.missing.is_empty());
    }
}
