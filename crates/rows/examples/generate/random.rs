//! Random numbers that are the same on every machine: splitmix64, and weighted choice in constant time.

/// Scrambles `value`; a bijection, so different values stay different.
#[inline]
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stream of random numbers (splitmix64).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(mix(seed))
    }

    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..bound`.
    #[inline]
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `low..high`.
    #[inline]
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low) as u64) as i64
    }

    /// True once in `times`.
    #[inline]
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A positive number in `low..high` whose size, not value, is evenly spread: small ones are as likely as large.
    #[inline]
    pub(crate) fn magnitude(&mut self, low: u64, high: u64) -> u64 {
        let mut top = low.max(1) * 2;
        let doublings = u64::from((high / low.max(1)).ilog2());
        let chosen = self.below(doublings + 1);
        top = (top << chosen).min(high);
        let bottom = (top / 2).max(low);
        bottom + self.below((top - bottom).max(1))
    }
}

/// A weighted choice among `0..len` in constant time (Walker's alias method).
#[derive(Debug)]
pub(crate) struct Mix {
    slots: Vec<(u32, u32)>,
}

impl Mix {
    /// Index `i` is chosen in proportion to `weights[i]`.
    pub(crate) fn new(weights: &[f64]) -> Self {
        let whole: f64 = weights.iter().sum();
        let mut share: Vec<f64> = weights.iter().map(|weight| weight / whole * weights.len() as f64).collect();
        let (mut poor, mut rich): (Vec<usize>, Vec<usize>) = (0..share.len()).partition(|&index| share[index] < 1.0);
        let mut slots: Vec<(u32, u32)> = (0..share.len()).map(|index| (u32::MAX, index as u32)).collect();
        while let (Some(&lender), Some(borrower)) = (rich.last(), poor.pop()) {
            slots[borrower] = ((share[borrower] * f64::from(u32::MAX)) as u32, lender as u32);
            share[lender] -= 1.0 - share[borrower];
            if share[lender] < 1.0 {
                rich.pop();
                poor.push(lender);
            }
        }
        Mix { slots }
    }

    /// Zipf-like: the first few are common and the last still appear. `flat` is how many share the top.
    pub(crate) fn zipf(len: usize, flat: f64) -> Self {
        let weights: Vec<f64> = (0..len).map(|rank| 1.0 / (rank as f64 + flat)).collect();
        Mix::new(&weights)
    }

    /// Every index alike.
    pub(crate) fn even(len: usize) -> Self {
        Mix::new(&vec![1.0; len])
    }

    #[inline]
    pub(crate) fn choose(&self, random: &mut Random) -> usize {
        let draw = random.next();
        let slot = (u128::from(draw) * self.slots.len() as u128) >> 64;
        let (threshold, other) = self.slots[slot as usize];
        // The low bits decide the coin; the multiplication above used the high ones.
        if draw as u32 <= threshold { slot as usize } else { other as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_kept() {
        let mix = Mix::new(&[1.0, 2.0, 5.0]);
        let mut random = Random::new(7);
        let mut seen = [0_i64; 3];
        for _ in 0..80_000 {
            seen[mix.choose(&mut random)] += 1;
        }
        for (count, expected) in seen.iter().zip([10_000, 20_000, 50_000]) {
            assert!((count - expected).abs() < 1000, "{seen:?}");
        }
    }

    #[test]
    fn magnitudes_stay_in_range() {
        let mut random = Random::new(3);
        for _ in 0..10_000 {
            let value = random.magnitude(5, 900);
            assert!((5..900).contains(&value), "{value}");
        }
    }
}
