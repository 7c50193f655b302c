//! A bar in bytes. Bars of equal value are equal bytes, however their rows came together, and few of them: a
//! contribution is mostly made of these.
//!
//! A byte of flags; the time of the row that opens (8 bytes, little-endian) and the nanoseconds from it to the row that
//! closes; their sequence numbers if one of them is not 0; the count. Then, if all numbers fit the narrow form: a byte
//! with the zeros that all prices end in and, in its upper half, those of the volume; low, and how far open, high and
//! close are above it; volume and notional; all without those zeros. Otherwise everything in full.

use super::{BarGroup, Wide};
use crate::decimal::{Decimal, Sum18, Sum36};
use crate::groups::bytes::{Bytes, ZEROS_MAX, common_zeros, power, put, put_signed, put_wide_signed};

const WIDE: u8 = 1;
const SEQUENCES: u8 = 2;

pub(super) fn encode(bar: &BarGroup, into: &mut Vec<u8>) {
    let narrow = match &bar.wide {
        None => Some((bar.prices, bar.volume, bar.notional)),
        Some(wide) => narrowed(wide),
    };
    let ((open_time, open_sequence), (close_time, close_sequence)) = (bar.open_at, bar.close_at);
    let has_sequences = open_sequence != 0 || close_sequence != 0;
    into.push(if narrow.is_none() { WIDE } else { 0 } | if has_sequences { SEQUENCES } else { 0 });
    into.extend_from_slice(&open_time.to_le_bytes());
    put(close_time.wrapping_sub(open_time) as u64, into);
    if has_sequences {
        put(open_sequence, into);
        put(close_sequence, into);
    }
    put(bar.count, into);
    match (narrow, &bar.wide) {
        (Some((prices, volume, notional)), _) => encode_narrow(prices, volume, notional, into),
        (None, Some(wide)) => {
            wide.prices.iter().for_each(|price| into.extend_from_slice(&price.units().to_le_bytes()));
            into.extend_from_slice(&wide.volume.units().to_le_bytes());
            into.extend_from_slice(&wide.notional.units().to_le_bytes());
        }
        (None, None) => unreachable!("what has no wide numbers is narrow"),
    }
}

fn encode_narrow(prices: [i64; 4], volume: i128, notional: i128, into: &mut Vec<u8>) {
    let mut zeros = common_zeros(prices);
    let mut volume_zeros = i64::try_from(volume).map_or(0, |volume| common_zeros([volume]));
    // A sum of products of price and volume has the zeros of both.
    if !divides(power(zeros + volume_zeros), notional) {
        (zeros, volume_zeros) = (0, 0);
    }
    into.push(zeros | volume_zeros << 4);
    let [open, high, low, close] = prices.map(|price| price / power(zeros));
    put_signed(low, into);
    for price in [open, high, close] {
        put(price.wrapping_sub(low) as u64, into);
    }
    put_wide_signed(divided(volume, power(volume_zeros)), into);
    put_wide_signed(divided(notional, power(zeros + volume_zeros)), into);
}

fn divides(by: i64, number: i128) -> bool {
    match i64::try_from(number) {
        Ok(number) => number % by == 0,
        Err(_) => number % i128::from(by) == 0,
    }
}

fn divided(number: i128, by: i64) -> i128 {
    match i64::try_from(number) {
        Ok(number) => (number / by).into(),
        Err(_) => number / i128::from(by),
    }
}

/// The numbers in the narrow form, if they fit it.
fn narrowed(wide: &Wide) -> Option<([i64; 4], i128, i128)> {
    let mut prices = [0; 4];
    for (narrow, price) in prices.iter_mut().zip(wide.prices) {
        *narrow = price.nano()?;
    }
    Some((prices, wide.volume.nano()?, wide.notional.in_units18()?))
}

pub(super) fn decode(bytes: &[u8]) -> Option<BarGroup> {
    let mut rest = Bytes(bytes);
    let [flags] = rest.take()?;
    let open_time = i64::from_le_bytes(rest.take()?);
    let close_time = open_time.wrapping_add(rest.number()? as i64);
    let (open_sequence, close_sequence) = match flags & SEQUENCES {
        0 => (0, 0),
        _ => (rest.number()?, rest.number()?),
    };
    let mut bar = BarGroup {
        open_at: (open_time, open_sequence),
        close_at: (close_time, close_sequence),
        count: rest.number()?,
        ..BarGroup::default()
    };
    if flags & WIDE == 0 {
        decode_narrow(&mut bar, &mut rest)?;
    } else {
        let mut prices = [Decimal::ZERO; 4];
        for price in &mut prices {
            *price = Decimal::from_units(i128::from_le_bytes(rest.take()?));
        }
        let volume = Sum18::from_units(ethnum::I256::from_le_bytes(rest.take()?));
        let notional = Sum36::from_units(ethnum::I256::from_le_bytes(rest.take()?));
        bar.wide = Some(Box::new(Wide { prices, volume, notional }));
    }
    (rest.0.is_empty() && flags <= WIDE | SEQUENCES && bar.count > 0).then_some(bar)
}

fn decode_narrow(bar: &mut BarGroup, rest: &mut Bytes<'_>) -> Option<()> {
    let [both] = rest.take()?;
    let (zeros, volume_zeros) = (both & 15, both >> 4);
    if zeros > ZEROS_MAX || volume_zeros > ZEROS_MAX {
        return None;
    }
    let low = rest.signed()?;
    let above = |above: u64| low.wrapping_add(above as i64).checked_mul(power(zeros));
    let (open, high) = (above(rest.number()?)?, above(rest.number()?)?);
    bar.prices = [open, high, above(0)?, above(rest.number()?)?];
    bar.volume = rest.wide_signed()?.checked_mul(power(volume_zeros).into())?;
    bar.notional = rest.wide_signed()?.checked_mul(power(zeros + volume_zeros).into())?;
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(bar: &BarGroup) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(bar, &mut bytes);
        bytes
    }

    fn printed(bar: &BarGroup) -> String {
        let mut text = Vec::new();
        bar.write_csv(true, &mut text);
        String::from_utf8(text).unwrap()
    }

    proptest! {
        #[test]
        fn bars_come_back(
            rows in prop::collection::vec((any::<(i64, u64)>(), 1i64..1 << 40, 0i64..1 << 30, 0u32..40), 1..8),
            sequences: bool, zeros in 0u8..=9, wide: bool, huge: bool,
        ) {
            let (mut bar, mut plain) = (BarGroup::default(), BarGroup::default());
            for ((time, sequence), price, volume, cut) in rows {
                let at = (time >> cut, if sequences { sequence >> cut } else { 0 });
                let (price, volume) = (price >> cut, (volume >> cut) * power(zeros));
                let exact = |nano| Decimal::from_units(Decimal::from_nano(nano).units() + i128::from(huge));
                let fits = match wide || huge {
                    true => bar.add_wide(at, [exact(price); 4], exact(volume)),
                    false => bar.add_trade(at, price, volume),
                };
                prop_assert!(fits);
                prop_assert!(plain.add_trade(at, price, volume));
            }
            let bytes = encoded(&bar);
            let back = decode(&bytes).unwrap();
            prop_assert_eq!(printed(&back), printed(&bar));
            prop_assert_eq!((back.open_at, back.close_at, back.count), (bar.open_at, bar.close_at, bar.count));
            prop_assert_eq!(encoded(&back), bytes.clone());
            prop_assert_eq!(bytes == encoded(&plain), !huge);
        }

        #[test]
        fn any_bytes_are_a_bar_or_none(bytes in prop::collection::vec(any::<u8>(), 0..250), flags in 0u8..4) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = flags;
            }
            for length in 0..=bytes.len() {
                let Some(mut bar) = decode(&bytes[..length]) else { continue };
                printed(&bar);
                let again = bar.clone();
                if crate::groups::Partial::merge(&mut bar, &again) {
                    printed(&bar);
                    encoded(&bar);
                }
            }
        }
    }
}
