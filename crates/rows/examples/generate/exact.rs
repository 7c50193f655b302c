//! Sums of scaled integers, printed as plain decimals.

/// `units / 10^scale` without trailing zeros.
pub(crate) fn decimal(units: i128, scale: u32) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let power = 10_u128.pow(scale);
    let magnitude = units.unsigned_abs();
    let whole = magnitude / power;
    let fraction = format!("{:0width$}", magnitude % power, width = scale as usize);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// Which of many numbered groups were seen.
#[derive(Debug)]
pub(crate) struct Seen {
    bits: Vec<u64>,
    pub(crate) count: u64,
}

impl Seen {
    pub(crate) fn new(groups: usize) -> Self {
        Seen { bits: vec![0; groups.div_ceil(64)], count: 0 }
    }

    #[inline]
    pub(crate) fn add(&mut self, group: usize) {
        let word = &mut self.bits[group / 64];
        let bit = 1 << (group % 64);
        self.count += u64::from(*word & bit == 0);
        *word |= bit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_plain() {
        assert_eq!(decimal(1_234_500, 4), "123.45");
        assert_eq!(decimal(-5, 8), "-0.00000005");
        assert_eq!(decimal(0, 4), "0");
        assert_eq!(decimal(120_000, 4), "12");
    }

    #[test]
    fn groups_count_once() {
        let mut seen = Seen::new(130);
        for group in [0, 129, 0, 64, 129] {
            seen.add(group);
        }
        assert_eq!(seen.count, 3);
    }
}
