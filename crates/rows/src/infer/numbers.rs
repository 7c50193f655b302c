//! How a column's numbers are written: which mark is the decimal one, which groups thousands, what is to be dropped.

use std::collections::BTreeSet;

use crate::currency;
use crate::decimal::Notation;

/// What the numbers of a column (or several) tell of how they are written.
#[derive(Debug, Default, Clone)]
pub(super) struct Evidence {
    /// Values that are not empty.
    pub filled: usize,
    /// Those of them that look like numbers.
    pub numbers: usize,
    /// Those of them with a minus in front.
    pub negatives: usize,
    /// Those of them without a decimal mark.
    pub whole: usize,
    comma_decimal: usize,
    point_decimal: usize,
    comma_thousands: usize,
    point_thousands: usize,
    comma_unsure: usize,
    point_unsure: usize,
    grouping: BTreeSet<char>,
    symbols: BTreeSet<char>,
    plus: bool,
}

/// How numbers are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    pub decimal: char,
    pub thousands: Option<char>,
    pub strip: String,
    pub plus: bool,
    /// All that speaks for the comma's meaning are numbers such as `1,234`.
    pub unsure: bool,
}

const SYMBOLS_MAX: usize = 6;

impl Evidence {
    pub(super) fn of<'a>(values: impl Iterator<Item = &'a str>) -> Self {
        let mut evidence = Self::default();
        for value in values.map(str::trim).filter(|value| !value.is_empty()) {
            evidence.filled += 1;
            evidence.look(value);
        }
        evidence
    }

    /// Whether nearly all values are numbers.
    pub(super) fn is_numeric(&self) -> bool {
        self.numbers > 0 && self.numbers * 10 >= self.filled * 9
    }

    /// Adds what another column tells, unless the two contradict each other.
    pub(super) fn join(&mut self, other: &Evidence) -> bool {
        let (ours, theirs) = (self.form(), other.form());
        let told = |evidence: &Evidence| evidence.comma_decimal + evidence.point_decimal > 0;
        if told(self) && told(other) && ours.decimal != theirs.decimal {
            return false;
        }
        self.filled += other.filled;
        self.numbers += other.numbers;
        self.negatives += other.negatives;
        self.whole += other.whole;
        self.comma_decimal += other.comma_decimal;
        self.point_decimal += other.point_decimal;
        self.comma_thousands += other.comma_thousands;
        self.point_thousands += other.point_thousands;
        self.comma_unsure += other.comma_unsure;
        self.point_unsure += other.point_unsure;
        self.grouping.extend(&other.grouping);
        self.symbols.extend(&other.symbols);
        self.plus |= other.plus;
        true
    }

    /// The same with nothing to drop: signs of another column say nothing of this one.
    pub(super) fn without_symbols(&self) -> Evidence {
        Evidence { symbols: BTreeSet::new(), plus: false, ..self.clone() }
    }

    /// The way of writing that fits best.
    pub(super) fn form(&self) -> Form {
        let comma = self.comma_decimal > self.point_decimal
            || (self.point_decimal == 0 && self.point_thousands > 0 && self.comma_thousands == 0);
        let points_seen = self.point_thousands + self.point_unsure;
        let commas_seen = self.comma_thousands + self.comma_unsure;
        let other = self.grouping.iter().next().copied();
        let thousands = match comma {
            // The mark is named even where no number was large enough to show it.
            true if points_seen > 0 || other.is_none() => Some('.'),
            false if commas_seen > 0 => Some(','),
            _ => other,
        };
        let unsure = !comma && self.comma_unsure > 0 && self.comma_thousands == 0 && self.point_decimal == 0;
        let strip = self.symbols.iter().filter(|symbol| Some(**symbol) != thousands).collect();
        Form { decimal: if comma { ',' } else { '.' }, thousands, strip, plus: self.plus, unsure }
    }

    /// The currency sign in the numbers, if there is just one.
    pub(super) fn sign(&self) -> Option<char> {
        let mut signs = self.symbols.iter().filter(|symbol| "$€£¥₹".contains(**symbol));
        signs.next().copied().filter(|_| signs.next().is_none())
    }

    fn look(&mut self, value: &str) {
        let Some(parts) = Parts::of(value) else { return };
        self.numbers += 1;
        self.negatives += usize::from(parts.negative);
        self.plus |= parts.plus;
        self.symbols.extend(&parts.symbols);
        self.grouping.extend(&parts.grouping);
        let (commas, points) = (parts.count(','), parts.count('.'));
        let last = parts.digits.rfind([',', '.']);
        let Some(last) = last else {
            self.whole += 1;
            return;
        };
        let after = parts.digits.len() - last - 1;
        let is_comma = parts.digits.as_bytes()[last] == b',';
        let groups = after == 3 && (1..=3).contains(&parts.digits.find([',', '.']).unwrap_or(0));
        match (commas, points) {
            (1.., 1..) if is_comma => {
                (self.comma_decimal, self.point_thousands) = (self.comma_decimal + 1, self.point_thousands + 1)
            }
            (1.., 1..) => {
                (self.point_decimal, self.comma_thousands) = (self.point_decimal + 1, self.comma_thousands + 1)
            }
            (2.., 0) => self.comma_thousands += 1,
            (0, 2..) => self.point_thousands += 1,
            (1, _) if groups && !parts.digits.starts_with('0') => self.comma_unsure += 1,
            (1, _) => self.comma_decimal += 1,
            _ if groups && !parts.digits.starts_with('0') => self.point_unsure += 1,
            _ => self.point_decimal += 1,
        }
    }
}

impl Form {
    /// The same for the engine.
    pub(super) fn notation(&self, exponent: bool) -> Notation {
        Notation {
            exponent,
            plus: self.plus,
            decimal: self.decimal,
            thousands: self.thousands,
            strip: self.strip.clone(),
            scale: None,
        }
    }
}

/// Whether `text` is a number, however it is written.
pub(super) fn is_number(text: &str) -> bool {
    Parts::of(text.trim()).is_some()
}

/// A number taken apart.
struct Parts {
    negative: bool,
    plus: bool,
    /// Digits, commas and points.
    digits: String,
    grouping: BTreeSet<char>,
    symbols: BTreeSet<char>,
}

impl Parts {
    fn of(value: &str) -> Option<Parts> {
        let mut parts = Parts {
            negative: false,
            plus: false,
            digits: String::new(),
            grouping: BTreeSet::new(),
            symbols: BTreeSet::new(),
        };
        let (front, value) = affix(value, value.find(|c: char| c.is_ascii_digit() || "+-−.,".contains(c))?);
        parts.symbols.extend(front.chars());
        let value = match value.strip_prefix(['-', '+']) {
            Some(rest) => {
                parts.negative = value.starts_with('-');
                parts.plus = value.starts_with('+');
                rest
            }
            None => value,
        };
        let signed = value.find(|c: char| c.is_ascii_digit() || c == '.')?;
        let (sign, value) = affix(value, signed);
        parts.symbols.extend(sign.chars());
        let number_end = value.rfind(|c: char| c.is_ascii_digit())? + 1;
        let (number, back) = value.split_at(number_end);
        parts.symbols.extend(back.chars());
        let number = exponent_off(number);
        parts.take(number)?;
        let letters: String = [front, sign, back].concat().chars().filter(char::is_ascii_uppercase).collect();
        let sound = parts.symbols.len() <= SYMBOLS_MAX
            && parts.symbols.iter().all(|symbol| is_symbol(*symbol))
            && (letters.is_empty() || currency::check(letters.as_bytes()).is_ok());
        sound.then_some(parts)
    }

    fn take(&mut self, number: &str) -> Option<()> {
        let mut digits = number.chars().peekable();
        while let Some(character) = digits.next() {
            let between =
                digits.peek().is_some_and(char::is_ascii_digit) && self.digits.ends_with(|c: char| c.is_ascii_digit());
            match character {
                '0'..='9' | '.' | ',' => self.digits.push(character),
                '\'' | '’' | ' ' | '\u{a0}' | '\u{202f}' | '_' if between => {
                    self.grouping.insert(character);
                }
                _ => return None,
            }
        }
        let marks = self.count(',').min(self.count('.'));
        // Of two marks one can stand only once; otherwise it is an address, a version, a list.
        (marks <= 1 && self.groups_are_whole()).then_some(())
    }

    /// A mark that stands several times groups by three (or, in India, by two).
    fn groups_are_whole(&self) -> bool {
        [',', '.'].into_iter().filter(|mark| self.count(*mark) > 1).all(|mark| {
            let body = match mark {
                ',' => self.digits.split('.').next().unwrap_or_default(),
                _ => self.digits.split(',').next().unwrap_or_default(),
            };
            let groups: Vec<&str> = body.split(mark).collect();
            groups.len() > 1
                && (1..=3).contains(&groups[0].len())
                && groups[1..].iter().all(|group| (2..=3).contains(&group.len()))
                && groups.last().is_some_and(|group| group.len() == 3)
        })
    }

    fn count(&self, mark: char) -> usize {
        self.digits.matches(mark).count()
    }
}

fn affix(value: &str, at: usize) -> (&str, &str) {
    value.split_at(at)
}

/// `2.1e-05` without its exponent.
fn exponent_off(number: &str) -> &str {
    let Some(at) = number.find(['e', 'E']) else { return number };
    let exponent = number[at + 1..].trim_start_matches(['-', '+']);
    let whole = (1..=3).contains(&exponent.len()) && exponent.bytes().all(|byte| byte.is_ascii_digit());
    if whole && at > 0 { &number[..at] } else { number }
}

fn is_symbol(character: char) -> bool {
    "$€£¥₹ \u{a0}\u{202f}".contains(character) || character.is_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(values: &[&str]) -> Form {
        Evidence::of(values.iter().copied()).form()
    }

    fn marks(values: &[&str]) -> (char, Option<char>) {
        let form = form(values);
        (form.decimal, form.thousands)
    }

    #[test]
    fn marks_are_told_by_where_they_stand() {
        assert_eq!(marks(&["1.5", "2"]), ('.', None));
        assert_eq!(marks(&["1,5", "2"]), (',', Some('.')));
        assert_eq!(marks(&["1.234,56"]), (',', Some('.')));
        assert_eq!(marks(&["1,234.56"]), ('.', Some(',')));
        assert_eq!(marks(&["1'234.56", "7.10"]), ('.', Some('\'')));
        assert_eq!(marks(&["1 234,56"]), (',', Some(' ')));
        assert_eq!(marks(&["1,234,567"]), ('.', Some(',')));
        assert_eq!(marks(&["12,34,567.5"]), ('.', Some(',')));
        assert_eq!(marks(&["1.250", "0.125"]), ('.', None));
        assert_eq!(marks(&["-98,76", "1.234"]), (',', Some('.')));
    }

    #[test]
    fn a_lone_comma_before_three_digits_is_in_doubt() {
        assert!(form(&["1,234"]).unsure);
        assert!(!form(&["1,234", "2.50"]).unsure);
        assert!(!form(&["1,234", "2,5"]).unsure);
    }

    #[test]
    fn what_is_dropped_is_listed() {
        assert_eq!(form(&["€ 12,50"]).strip, " €");
        assert_eq!(form(&["$1,000.00", "-$3.10"]).strip, "$");
        assert_eq!(form(&["12.50 EUR"]).strip, " ERU");
        assert!(form(&["+3.1"]).plus);
        let notation = form(&["$1,000.00", "-$3.10"]).notation(false);
        assert!(notation.parse(b"-$1,003.10").is_ok());
    }

    #[test]
    fn numbers_are_told_from_other_texts() {
        for number in ["1", "-2.5", "2.11e-05", "1,000.00", "11'373.94", "130583.99999999999", ".5"] {
            assert!(is_number(number), "{number}");
        }
        for text in
            ["", "abc", "2020-01-01", "10.10.2017", "12:30:00", "1.2.3.4", "PAY70001", "85123A", "536365 x", "-"]
        {
            assert!(!is_number(text), "{text}");
        }
    }
}
