//! A total in bytes. Totals of equal value are equal bytes, however their rows came together.
//!
//! A byte of flags, and the count. Then, if all numbers fit the narrow form: a byte with the zeros that the least and
//! the greatest amount end in; the least, how far the greatest is above it, and the sum; the first two without those
//! zeros. Otherwise everything in full.

use super::{TotalGroup, Wide};
use crate::decimal::{Decimal, Sum18};
use crate::groups::bytes::{Bytes, ZEROS_MAX, common_zeros, power, put, put_signed, put_wide_signed};

const WIDE: u8 = 1;

pub(super) fn encode(total: &TotalGroup, into: &mut Vec<u8>) {
    let narrow = match &total.wide {
        None => Some((total.sum, total.min, total.max)),
        Some(wide) => narrowed(wide),
    };
    into.push(if narrow.is_none() { WIDE } else { 0 });
    put(total.count, into);
    match (narrow, &total.wide) {
        (Some((sum, min, max)), _) => {
            let zeros = common_zeros([min, max]);
            into.push(zeros);
            let (min, max) = (min / power(zeros), max / power(zeros));
            put_signed(min, into);
            put(max.wrapping_sub(min) as u64, into);
            put_wide_signed(sum, into);
        }
        (None, Some(wide)) => {
            into.extend_from_slice(&wide.sum.units().to_le_bytes());
            into.extend_from_slice(&wide.min.units().to_le_bytes());
            into.extend_from_slice(&wide.max.units().to_le_bytes());
        }
        (None, None) => unreachable!("what has no wide numbers is narrow"),
    }
}

/// The numbers in the narrow form, if they fit it.
fn narrowed(wide: &Wide) -> Option<(i128, i64, i64)> {
    Some((wide.sum.nano()?, wide.min.nano()?, wide.max.nano()?))
}

pub(super) fn decode(bytes: &[u8]) -> Option<TotalGroup> {
    let mut rest = Bytes(bytes);
    let [flags] = rest.take()?;
    let mut total = TotalGroup { count: rest.number()?, ..TotalGroup::default() };
    if flags & WIDE == 0 {
        let [zeros] = rest.take()?;
        if zeros > ZEROS_MAX {
            return None;
        }
        let min = rest.signed()?;
        let max = min.wrapping_add(rest.number()? as i64);
        total.min = min.checked_mul(power(zeros))?;
        total.max = max.checked_mul(power(zeros))?;
        total.sum = rest.wide_signed()?;
    } else {
        let sum = Sum18::from_units(ethnum::I256::from_le_bytes(rest.take()?));
        let min = Decimal::from_units(i128::from_le_bytes(rest.take()?));
        let max = Decimal::from_units(i128::from_le_bytes(rest.take()?));
        total.wide = Some(Box::new(Wide { sum, min, max }));
    }
    (rest.0.is_empty() && flags <= WIDE && total.count > 0).then_some(total)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(total: &TotalGroup) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(total, &mut bytes);
        bytes
    }

    fn printed(total: &TotalGroup) -> String {
        let mut text = Vec::new();
        total.write_csv(&mut text);
        String::from_utf8(text).unwrap()
    }

    proptest! {
        #[test]
        fn totals_come_back(
            amounts in prop::collection::vec((any::<i64>(), 0u32..60), 1..8), wide: bool, huge: bool,
        ) {
            let (mut total, mut plain) = (TotalGroup::default(), TotalGroup::default());
            for (amount, cut) in amounts {
                let amount = (amount >> 1) >> cut;
                let exact = Decimal::from_units(Decimal::from_nano(amount).units() + i128::from(huge));
                let fits = if wide || huge { total.add_wide(exact) } else { total.add(amount) };
                prop_assert!(fits);
                prop_assert!(plain.add(amount));
            }
            let bytes = encoded(&total);
            let back = decode(&bytes).unwrap();
            prop_assert_eq!(printed(&back), printed(&total));
            prop_assert_eq!(encoded(&back), bytes.clone());
            prop_assert_eq!(bytes == encoded(&plain), !huge);
        }

        #[test]
        fn any_bytes_are_a_total_or_none(bytes in prop::collection::vec(any::<u8>(), 0..100), flags in 0u8..2) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = flags;
            }
            for length in 0..=bytes.len() {
                let Some(mut total) = decode(&bytes[..length]) else { continue };
                printed(&total);
                let again = total.clone();
                if crate::groups::Partial::merge(&mut total, &again) {
                    printed(&total);
                    encoded(&total);
                }
            }
        }
    }
}
