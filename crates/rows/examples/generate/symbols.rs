//! Ticker symbols: different, short, and the same for the same seed.

use std::collections::BTreeSet;

use crate::random::Random;

/// `count` different symbols of two to five letters, mostly three.
pub(crate) fn symbols(count: usize, seed: u64) -> Vec<String> {
    let mut random = Random::new(seed ^ 0x5359_4d42);
    let mut taken = BTreeSet::new();
    let mut symbols = Vec::with_capacity(count);
    while symbols.len() < count {
        let mut letters = match random.below(20) {
            0 => 2,
            1..=12 => 3,
            13..=18 => 4,
            _ => 5,
        };
        // Short names run out when many symbols are asked for.
        if count > 10_000 {
            letters += 2;
        }
        let symbol: String = (0..letters).map(|_| char::from(b'A' + random.below(26) as u8)).collect();
        if taken.insert(symbol.clone()) {
            symbols.push(symbol);
        }
    }
    symbols
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_differ() {
        let names = symbols(20_000, 1);
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 20_000);
        assert_eq!(names, symbols(20_000, 1));
    }
}
