//! The directives of a pattern: what text each takes, and what it says about the time.

/// One directive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Directive {
    Year,
    YearOfCentury,
    Month,
    MonthShort,
    MonthLong,
    Day,
    DayOfYear,
    WeekdayShort,
    WeekdayLong,
    Hour,
    HourOfTwelve,
    HalfDay,
    Minute,
    Second,
    Fraction,
    Offset,
    ZoneName,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// What the text said so far.
pub(super) struct Fields {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    pub(super) day_of_year: Option<i64>,
    pub(super) hour: i64,
    pub(super) hour_of_twelve: Option<i64>,
    pub(super) afternoon: bool,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) nanosecond: i64,
    /// Seconds, rounded up; the inner `None` is an offset that cannot be.
    pub(super) offset: Option<Option<i64>>,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            year: 1900,
            month: 1,
            day: 1,
            day_of_year: None,
            hour: 0,
            hour_of_twelve: None,
            afternoon: false,
            minute: 0,
            second: 0,
            nanosecond: 0,
            offset: None,
        }
    }
}

impl Directive {
    pub(super) fn of(letter: char) -> Option<Directive> {
        Some(match letter {
            'Y' => Directive::Year,
            'y' => Directive::YearOfCentury,
            'm' => Directive::Month,
            'b' => Directive::MonthShort,
            'B' => Directive::MonthLong,
            'd' => Directive::Day,
            'j' => Directive::DayOfYear,
            'a' => Directive::WeekdayShort,
            'A' => Directive::WeekdayLong,
            'H' => Directive::Hour,
            'I' => Directive::HourOfTwelve,
            'p' => Directive::HalfDay,
            'M' => Directive::Minute,
            'S' => Directive::Second,
            'f' => Directive::Fraction,
            'z' => Directive::Offset,
            'Z' => Directive::ZoneName,
            _ => return None,
        })
    }

    /// The fewest and the most digits, the smallest and the largest number; `None` when it is not a number.
    fn number_range(self) -> Option<(usize, usize, i64, i64)> {
        Some(match self {
            Directive::Year => (4, 4, 0, 9999),
            Directive::YearOfCentury => (2, 2, 0, 99),
            Directive::Month | Directive::HourOfTwelve => (1, 2, 1, 12),
            Directive::Day => (1, 2, 1, 31),
            Directive::DayOfYear => (1, 3, 1, 366),
            Directive::Hour => (1, 2, 0, 23),
            Directive::Minute => (1, 2, 0, 59),
            Directive::Second => (1, 2, 0, 61),
            Directive::Fraction => (1, 6, 0, 999_999),
            _ => return None,
        })
    }

    /// Takes text from the start, less than `narrower` bytes of it; sets the field and answers how many bytes.
    pub(super) fn read(self, text: &str, narrower: Option<usize>, fields: &mut Fields) -> Option<usize> {
        if let Some((fewest, most, smallest, largest)) = self.number_range() {
            let most = narrower.map_or(most, |length| most.min(length - 1));
            for length in (fewest..=most).rev() {
                let Some(number) = number(text, length) else { continue };
                if (smallest..=largest).contains(&number) {
                    self.set(number, length, fields);
                    return Some(length);
                }
            }
            return self.spaced_day(text, narrower, fields);
        }
        match self {
            Directive::Offset => offset(text, narrower, fields),
            _ if narrower.is_some() => None,
            Directive::MonthShort => named(text, &MONTHS, 3).map(|(at, length)| {
                fields.month = at + 1;
                length
            }),
            Directive::MonthLong => named(text, &MONTHS, usize::MAX).map(|(at, length)| {
                fields.month = at + 1;
                length
            }),
            Directive::WeekdayShort => named(text, &WEEKDAYS, 3).map(|(_, length)| length),
            Directive::WeekdayLong => named(text, &WEEKDAYS, usize::MAX).map(|(_, length)| length),
            Directive::HalfDay => named(text, &["am", "pm"], 2).map(|(at, length)| {
                fields.afternoon = at == 1;
                length
            }),
            _ => named(text, &["utc", "gmt"], 3).map(|(_, length)| length),
        }
    }

    fn set(self, number: i64, length: usize, fields: &mut Fields) {
        match self {
            Directive::Year => fields.year = number,
            Directive::YearOfCentury => fields.year = number + if number <= 68 { 2000 } else { 1900 },
            Directive::Month => fields.month = number,
            Directive::Day => fields.day = number,
            Directive::DayOfYear => fields.day_of_year = Some(number),
            Directive::Hour => (fields.hour, fields.hour_of_twelve) = (number, None),
            Directive::HourOfTwelve => fields.hour_of_twelve = Some(number),
            Directive::Minute => fields.minute = number,
            Directive::Second => fields.second = number,
            Directive::Fraction => fields.nanosecond = number * 10i64.pow(9 - length.min(9) as u32),
            _ => {}
        }
    }

    /// A day may be written as a space and one digit, which is tried last.
    fn spaced_day(self, text: &str, narrower: Option<usize>, fields: &mut Fields) -> Option<usize> {
        let &[b' ', digit @ b'1'..=b'9', ..] = text.as_bytes() else { return None };
        if self != Directive::Day || narrower.is_some() {
            return None;
        }
        fields.day = i64::from(digit - b'0');
        Some(2)
    }
}

/// Exactly `length` digits from the start.
fn number(text: &str, length: usize) -> Option<i64> {
    let digits = text.as_bytes().get(..length)?;
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
}

/// The name, cut to `letters`, that the text starts with in either case: its place and its length.
fn named(text: &str, names: &[&str], letters: usize) -> Option<(i64, usize)> {
    for (at, name) in names.iter().enumerate() {
        let name = &name.as_bytes()[..name.len().min(letters)];
        let start = text.as_bytes().get(..name.len());
        if start.is_some_and(|start| start.eq_ignore_ascii_case(name)) {
            return Some((at as i64, name.len()));
        }
    }
    None
}

/// `Z` or `±HH[:]MM[[:]SS[.f{1,6}]]`, as long as it can be but shorter than `narrower`.
fn offset(text: &str, narrower: Option<usize>, fields: &mut Fields) -> Option<usize> {
    let bytes = text.as_bytes();
    let shorter = |length: usize| narrower.is_none_or(|narrower| length < narrower);
    let sign = match bytes.first()? {
        b'Z' if narrower.is_none() => {
            fields.offset = Some(Some(0));
            return Some(1);
        }
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let pair = |at: usize| text.get(at..).and_then(|rest| number(rest, 2));
    let colon = |at: usize| usize::from(bytes.get(at) == Some(&b':'));
    let hours = pair(1)?;
    let minutes_at = 3 + colon(3);
    let minutes = pair(minutes_at).filter(|&minutes| minutes <= 59)?;
    let (mut end, mut seconds, mut consistent, mut part) = (minutes_at + 2, 0, true, false);
    let seconds_at = end + colon(end);
    if let Some(more) = pair(seconds_at).filter(|&seconds| seconds <= 59 && shorter(seconds_at + 2)) {
        // Both colons or none.
        consistent = colon(3) == colon(end);
        seconds = more;
        end = seconds_at + 2;
        if bytes.get(end) == Some(&b'.') {
            let digits = bytes[end + 1..].iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
            let most = narrower.map_or(digits, |narrower| digits.min(narrower.saturating_sub(end + 2)));
            if most > 0 {
                part = bytes[end + 1..end + 1 + most].iter().any(|&digit| digit != b'0');
                end += 1 + most;
            }
        }
    }
    if !shorter(end) {
        return None;
    }
    let size = hours * 3600 + minutes * 60 + seconds;
    // An instant is floored to the second before its fraction is added, so a part of a second in an offset to the east
    // counts as a whole one, and one to the west as none.
    let seconds = sign * size + i64::from(part && sign > 0);
    fields.offset = Some((consistent && hours < 24).then_some(seconds));
    Some(end)
}
