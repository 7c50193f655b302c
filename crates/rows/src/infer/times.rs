//! How a column's times are written: the form that reads nearly all of them, and which other form would, too.

use crate::time::{Format, Pattern, Reading, Unit, Zone};

/// A way to read a column of times.
#[derive(Debug, Clone)]
pub(super) struct TimeForm {
    /// What a contract says of it: keys and values as TOML.
    pub keys: Vec<(&'static str, String)>,
    /// Times carry no offset.
    pub naive: bool,
    /// There is a time of day.
    pub clock: bool,
    /// Another pattern that reads as many values.
    pub rival: Option<String>,
    /// It counts from an instant.
    pub counts: bool,
    /// No value is smaller than the one before, or none is greater.
    pub sorted: bool,
    /// The latest comes first.
    pub falling: bool,
}

const VALUES_MAX: usize = 400;

/// Dates as numbers; `/` stands for the separator that the values have.
const NUMERIC_DATES: &[&str] = &["%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y", "%Y/%m/%d", "%y/%m/%d"];
const WORDY_DATES: &[&str] = &[
    "%d-%b-%y",
    "%d-%b-%Y",
    "%d %b %Y",
    "%d %b %y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %d %Y",
    "%d/%b/%Y",
    "%a, %d %b %Y",
    "%a %b %d %Y",
    "%Y-%b-%d",
    "%d. %B %Y",
    "%d. %b %Y",
];
const CLOCKS: &[&str] = &[
    "",
    " %H:%M:%S",
    " %H:%M",
    " %H:%M:%S.%f",
    " %I:%M:%S %p",
    " %I:%M %p",
    "T%H:%M:%S",
    ", %H:%M:%S",
    ", %H:%M",
    ", %I:%M:%S %p",
    " %H.%M.%S",
    " %H.%M",
    " %H%M%S",
    "-%H:%M:%S",
];
const OFFSETS: &[&str] = &["", " %z", "%z", " UTC", " GMT", " %Z"];

/// The form that reads `values`, if there is one. `month_first` settles dates such as 03/04/2026.
pub(super) fn detect(values: &[&str], month_first: bool) -> Option<TimeForm> {
    let values: Vec<&str> = values.iter().copied().filter(|value| !value.is_empty()).take(VALUES_MAX).collect();
    let first = *values.first()?;
    let digits = first.bytes().filter(u8::is_ascii_digit).count();
    if digits < 3 || first.len() > 48 {
        return None;
    }
    iso(&values).or_else(|| epoch(&values)).or_else(|| patterns(&values, month_first))
}

/// How many of `values` are read, and whether in order.
fn fit(values: &[&str], reading: &Reading) -> (usize, bool, bool) {
    let mut read = 0;
    let (mut rising, mut falling) = (true, true);
    let mut before: Option<i64> = None;
    for value in values {
        let Ok(instant) = reading.parse(value.as_bytes()) else { continue };
        read += 1;
        if let Some(before) = before {
            rising &= instant >= before;
            falling &= instant <= before;
        }
        before = Some(instant);
    }
    (read, rising || falling, falling && !rising)
}

fn most(read: usize, values: &[&str]) -> bool {
    read * 10 >= values.len() * 9
}

fn iso(values: &[&str]) -> Option<TimeForm> {
    for (naive, date_only, space) in [
        (false, false, false),
        (false, false, true),
        (true, false, false),
        (true, false, true),
        (true, true, false),
        (true, true, true),
    ] {
        let naive_zone = naive.then(Zone::utc);
        let reading = Reading { format: Format::Iso { space, date_only }, naive_zone };
        let (read, sorted, falling) = fit(values, &reading);
        if !most(read, values) {
            continue;
        }
        let mut keys = Vec::new();
        if space {
            keys.push(("space", "true".to_owned()));
        }
        if date_only {
            keys.push(("date_only", "true".to_owned()));
        }
        return Some(TimeForm { keys, naive, clock: !date_only, rival: None, counts: false, sorted, falling });
    }
    None
}

/// A count since 1970, its unit told by its size: from 1990 to 2100 the units do not overlap.
fn epoch(values: &[&str]) -> Option<TimeForm> {
    let first: f64 = values.first()?.parse().ok()?;
    let (name, unit) = [("s", Unit::S), ("ms", Unit::Ms), ("us", Unit::Us), ("ns", Unit::Ns)]
        .into_iter()
        .zip([1.0, 1e3, 1e6, 1e9])
        .find(|(_, size)| (6.3e8 * size..4.1e9 * size).contains(&first))
        .map(|(unit, _)| unit)?;
    let reading = Reading { format: Format::Epoch(unit), naive_zone: None };
    let (read, sorted, falling) = fit(values, &reading);
    if !most(read, values) || values.iter().any(|value| value.starts_with('-')) {
        return None;
    }
    let keys = vec![("format", "\"epoch\"".to_owned()), ("unit", format!("\"{name}\""))];
    Some(TimeForm { keys, naive: false, clock: true, rival: None, counts: true, sorted, falling })
}

fn patterns(values: &[&str], month_first: bool) -> Option<TimeForm> {
    let first = values[0];
    let separators: Vec<char> = ['/', '.', '-'].into_iter().filter(|mark| first.contains(*mark)).collect();
    let numeric =
        separators.iter().flat_map(|mark| NUMERIC_DATES.iter().map(|date| date.replace('/', &mark.to_string())));
    let compact =
        (first.len() >= 8 && first.bytes().take(8).all(|byte| byte.is_ascii_digit())).then(|| "%Y%m%d".to_owned());
    let wordy = WORDY_DATES.iter().map(|date| (*date).to_owned());
    let dates: Vec<String> = numeric.chain(compact).chain(wordy).collect();
    let mut best: Option<(usize, TimeForm, String)> = None;
    for (date, clock, offset) in dates
        .iter()
        .flat_map(|date| CLOCKS.iter().flat_map(move |clock| OFFSETS.iter().map(move |offset| (date, *clock, *offset))))
    {
        let source = format!("{date}{clock}{offset}");
        let Some((read, form)) = by_pattern(values, &source, !clock.is_empty()) else { continue };
        let better = match &best {
            None => true,
            Some((before, _, _)) if read != *before => read > *before,
            Some((_, other, _)) => prefers(&form, &source, other, month_first),
        };
        if better {
            best = Some((read, form, source));
        }
    }
    let (read, mut form, source) = best?;
    let swapped = swap(&source);
    form.rival = by_pattern(values, &swapped, form.clock)
        .filter(|(other, _)| swapped != source && *other == read)
        .map(|_| swapped);
    Some(form)
}

/// Of two patterns that read as many values: the one under which they are in order, then the usual one.
fn prefers(form: &TimeForm, source: &str, other: &TimeForm, month_first: bool) -> bool {
    if form.sorted != other.sorted {
        return form.sorted;
    }
    // With points and dashes the day comes first wherever they are used.
    source.starts_with("%m/%d/") && month_first && form.keys[0].1 != other.keys[0].1
}

fn by_pattern(values: &[&str], source: &str, clock: bool) -> Option<(usize, TimeForm)> {
    // Years of two digits must not be read where there are four.
    let pattern = Pattern::compile(source).ok()?;
    let reading = Reading { format: Format::Pattern(pattern), naive_zone: None };
    let sane = |value: &&str| reading.parse(value.as_bytes()).is_ok();
    if !values.iter().take(3).any(sane) {
        return None;
    }
    let (read, sorted, falling) = fit(values, &reading);
    if !most(read, values) {
        return None;
    }
    let naive = !source.contains("%z") && !source.ends_with("UTC") && !source.ends_with("GMT");
    let keys = vec![("format", format!("\"{source}\""))];
    Some((read, TimeForm { keys, naive, clock, rival: None, counts: false, sorted, falling }))
}

/// The pattern with day and month changing places.
fn swap(source: &str) -> String {
    // Nobody writes the month first and then a point.
    if source.contains("%d.%m") || source.contains("%b") || source.contains("%B") || source.starts_with("%Y") {
        return source.to_owned();
    }
    source.replace("%d", "\0").replace("%m", "%d").replace('\0', "%m")
}

/// Whether `values` are a clock alone, such as 14:30 or 14:30:05.
pub(super) fn is_clock(values: &[&str]) -> bool {
    let values: Vec<&str> = values.iter().copied().filter(|value| !value.is_empty()).take(VALUES_MAX).collect();
    let clock = |value: &&&str| {
        let parts: Vec<&str> = value.split(':').collect();
        let whole = |part: &&str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        (2..=3).contains(&parts.len())
            && parts[..2].iter().all(whole)
            && parts.get(2).is_none_or(|last| last.starts_with(|c: char| c.is_ascii_digit()))
    };
    !values.is_empty() && most(values.iter().filter(clock).count(), &values)
}

/// Whole numbers that rise through a day: the unit they count it in.
pub(super) fn day_count(values: &[&str]) -> Option<&'static str> {
    let numbers: Option<Vec<u64>> = values.iter().take(VALUES_MAX).map(|value| value.parse().ok()).collect();
    let numbers = numbers.filter(|numbers| numbers.len() >= 3)?;
    let last = *numbers.last()?;
    if numbers.windows(2).any(|pair| pair[1] < pair[0]) || last == numbers[0] {
        return None;
    }
    // Numbers that count rows rise by one; those that count time rise by a second at least.
    let steps = numbers.windows(2).map(|pair| pair[1] - pair[0]);
    let step = steps.filter(|step| *step > 0).min()?;
    match step {
        1000.. if last < 86_400_000 => Some("ms"),
        2..1000 if last < 86_400 => Some("s"),
        _ => None,
    }
}

/// A date of eight digits, or with dashes, in the name of a file.
pub(super) fn date_in(name: &str) -> Option<String> {
    let digits: Vec<&str> = name.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
    let whole = digits.iter().find(|part| part.len() == 8).map(|part| (&part[..4], &part[4..6], &part[6..]));
    let parted = || {
        let is_date = |w: &&[&str]| w[0].len() == 4 && w[1].len() == 2 && w[2].len() == 2;
        digits.windows(3).find(is_date).map(|w| (w[0], w[1], w[2]))
    };
    let (year, month, day) = whole.or_else(parted)?;
    let date = format!("{year}-{month}-{day}");
    ("1990".."2100").contains(&year).then_some(())?;
    crate::time::midnight(&date, &Zone::utc()).map(|_| date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(values: &[&str]) -> String {
        let form = detect(values, true).unwrap();
        let keys: Vec<String> = form.keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let naive = if form.naive { " naive" } else { "" };
        let rival = form.rival.map(|rival| format!(" or {rival}")).unwrap_or_default();
        format!("{}{naive}{rival}", keys.join(", "))
    }

    #[test]
    fn forms_are_told_by_values() {
        assert_eq!(said(&["2026-01-31T10:00:00Z"]), "");
        assert_eq!(said(&["2026-01-31 10:00:00+00:00"]), "space = true");
        assert_eq!(said(&["2026-01-31 10:00"]), "space = true naive");
        assert_eq!(said(&["2026-01-31"]), "date_only = true naive");
        assert_eq!(said(&["1605499846"]), "format = \"epoch\", unit = \"s\"");
        assert_eq!(said(&["1641343699596000"]), "format = \"epoch\", unit = \"us\"");
        assert_eq!(said(&["31.03.2019", "28.02.2019"]), "format = \"%d.%m.%Y\" naive");
        assert_eq!(said(&["2/20/19", "1/5/19"]), "format = \"%m/%d/%y\" naive");
        assert_eq!(said(&["2022/04/20 16:20:00"]), "format = \"%Y/%m/%d %H:%M:%S\" naive");
        assert_eq!(said(&["3-Jan-22", "14-Jan-22"]), "format = \"%d-%b-%y\" naive");
        assert_eq!(said(&["20260131"]), "format = \"%Y%m%d\" naive");
        assert_eq!(said(&["01/31/2026 02:05:00 PM"]), "format = \"%m/%d/%Y %I:%M:%S %p\" naive");
    }

    #[test]
    fn a_date_that_fits_both_ways_is_in_doubt() {
        assert_eq!(said(&["05/03/2021"]), "format = \"%m/%d/%Y\" naive or %d/%m/%Y");
        // Only one of the two is in order.
        assert_eq!(said(&["09/01/2021", "10/01/2021", "02/02/2021"]), "format = \"%d/%m/%Y\" naive or %m/%d/%Y");
        assert!(detect(&["05/03/2021"], false).unwrap().keys[0].1.contains("%d/%m/%Y"));
    }

    #[test]
    fn other_texts_are_no_times() {
        for values in [["1"], ["12.5"], ["PAY70001"], ["WHITE METAL LANTERN"], ["0123 45678901.23A"], ["123456"]] {
            assert!(detect(&values, true).is_none(), "{values:?}");
        }
        assert!(is_clock(&["12:31:46", "9:05"]) && !is_clock(&["12"]));
    }

    #[test]
    fn a_day_is_counted_in_its_unit() {
        assert_eq!(day_count(&["0", "60000", "120000"]), Some("ms"));
        assert_eq!(day_count(&["0", "60", "120"]), Some("s"));
        assert_eq!(day_count(&["1", "2", "3"]), None);
        assert_eq!(date_in("20260101_btcusd.csv").as_deref(), Some("2026-01-01"));
        assert_eq!(date_in("btc-2026-01-02.csv").as_deref(), Some("2026-01-02"));
        assert_eq!(date_in("12345678"), None);
    }
}
