//! Times: the rule and the hot paths agree, and what is read can be written and read again.

use std::sync::OnceLock;

use rows::time::{Buckets, Format, Interval, IsoCache, Pattern, Reading, Unit, Zone, midnight, quick_epoch, rfc3339};

const UNITS: [Unit; 4] = [Unit::S, Unit::Ms, Unit::Us, Unit::Ns];
const ZONES: [&str; 6] =
    ["UTC", "Asia/Kolkata", "Europe/London", "America/Sao_Paulo", "Australia/Lord_Howe", "Africa/Monrovia"];
const PATTERNS: [&str; 8] = [
    "%d.%m.%Y",
    "%m/%d/%y %I:%M:%S %p",
    "%A, %d %B %Y",
    "%Y-%m-%dT%H:%M:%S.%f%z",
    "%Y%m%d%z",
    "%Y %j %H%M",
    "%m%d%Y",
    "%a %b %d %H:%M:%S %Z %Y",
];

/// The first byte chooses a zone and options; then lines of text. The first line is also tried as a pattern and as
/// the name of a zone.
pub fn timestamps(data: &[u8]) {
    let Some((&choice, lines)) = data.split_first() else { return };
    let zone = choice.checked_rem(7).and_then(|number| zones().get(usize::from(number))).cloned();
    let space = choice & 64 != 0;
    let date_only = choice & 128 != 0;
    let mut formats = vec![
        Format::Iso { space, date_only },
        Format::SinceMidnight { unit: UNITS[usize::from(choice % 4)], midnight: 1_626_912_000_000_000_000 },
        Format::HoursSince { origin: -1_000_000_000 },
    ];
    formats.extend(UNITS.map(Format::Epoch));
    formats.extend(patterns().iter().cloned().map(Format::Pattern));
    let first = lines.split(|&byte| byte == b'\n').next().and_then(|line| std::str::from_utf8(line).ok());
    if let Some(first) = first {
        if let Ok(pattern) = Pattern::compile(first) {
            assert_eq!(pattern.source(), first);
            formats.push(Format::Pattern(pattern));
        }
        check_zone(first);
    }
    let iso = Reading { format: Format::Iso { space, date_only }, naive_zone: zone.clone() };
    let mut cache = IsoCache::new(space, zone.clone());
    for line in lines.split(|&byte| byte == b'\n').take(32) {
        check_hot(line, &iso, &mut cache);
        for format in &formats {
            let reading = Reading { format: format.clone(), naive_zone: zone.clone() };
            if let Ok(instant) = reading.parse(line) {
                check_instant(instant, zone.as_ref());
            }
        }
    }
}

/// The hot paths know some texts, and what they say of them is what the rule says.
fn check_hot(text: &[u8], iso: &Reading, cache: &mut IsoCache) {
    if let Some(instant) = cache.quick(text) {
        assert_eq!(iso.parse(text), Ok(instant), "{text:?} {iso:?}");
    }
    let is_plain = text.len() <= 19 && text.iter().all(u8::is_ascii_digit);
    for unit in UNITS {
        let rule = Reading { format: Format::Epoch(unit), naive_zone: None }.parse(text);
        assert_eq!(quick_epoch(text, unit), rule.ok().filter(|_| is_plain), "{text:?} {unit:?}");
    }
}

/// What every instant that was read can do.
fn check_instant(instant: i64, zone: Option<&Zone>) {
    let shown = rfc3339(instant);
    assert!(("1900".."2100").contains(&&shown[..4]), "{shown}");
    let strict = Reading { format: Format::Iso { space: false, date_only: false }, naive_zone: None };
    assert_eq!(strict.parse(shown.as_bytes()), Ok(instant), "{shown}");
    if let Some(hot) = IsoCache::default().quick(shown.as_bytes()) {
        assert_eq!(hot, instant, "{shown}");
    }
    let Some(zone) = zone else { return };
    for interval in Interval::ALL {
        let mut buckets = Buckets::new(interval, zone.clone());
        let start = buckets.start_of(instant);
        assert!(start <= instant, "{shown} {interval} {zone}");
        assert_eq!(buckets.start_of(start), start, "{shown} {interval} {zone}");
        assert_eq!(Buckets::new(interval, zone.clone()).start_of(start), start, "{shown} {interval} {zone}");
    }
}

fn check_zone(name: &str) {
    let Some(zone) = Zone::named(name) else { return };
    let again = Zone::named(zone.name()).expect("the name a zone goes by is one");
    assert_eq!(again, zone, "{name:?}");
    let day = midnight("2026-03-29", &zone).expect("every zone has that day");
    assert!((day - 1_774_742_400_000_000_000).abs() <= 86_400_000_000_000, "{name:?}");
}

fn zones() -> &'static [Zone] {
    static MADE: OnceLock<Vec<Zone>> = OnceLock::new();
    MADE.get_or_init(|| ZONES.iter().map(|name| Zone::named(name).expect("a known zone")).collect())
}

fn patterns() -> &'static [Pattern] {
    static MADE: OnceLock<Vec<Pattern>> = OnceLock::new();
    MADE.get_or_init(|| PATTERNS.iter().map(|source| Pattern::compile(source).expect("a sound pattern")).collect())
}
