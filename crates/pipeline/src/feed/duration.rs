//! Durations as people write them: a number and `s`, `m`, `h` or `d`.

use crate::Millis;

/// In milliseconds; none if it is no duration.
pub(super) fn parse(text: &str) -> Option<Millis> {
    let (number, seconds) = match text.trim().split_at_checked(text.trim().len().checked_sub(1)?)? {
        (number, "s") => (number, 1),
        (number, "m") => (number, 60),
        (number, "h") => (number, 60 * 60),
        (number, "d") => (number, 24 * 60 * 60),
        _ => return None,
    };
    number.trim_end().parse::<u32>().ok().map(|number| u64::from(number) * seconds * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        for (text, expected) in
            [("0s", Some(0)), ("90s", Some(90_000)), ("15 m", Some(900_000)), ("2d", Some(172_800_000))]
        {
            assert_eq!(parse(text), expected, "{text}");
        }
        for text in ["", "s", "5", "5x", "-1s", "1.5h", "é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
