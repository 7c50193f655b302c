//! Time: the rule against written cases, the hot paths against the rule, buckets against the calendar and the zones.

use proptest::prelude::*;

use super::TimeFault::{Invalid, Missing, OutOfRange, WithoutOffset};
use super::*;

fn zone(name: &str) -> Zone {
    Zone::named(name).unwrap_or_else(|| panic!("zone {name}"))
}

fn iso(space: bool, date_only: bool, naive_zone: Option<&str>) -> Reading {
    Reading { format: Format::Iso { space, date_only }, naive_zone: naive_zone.map(zone) }
}

fn strict() -> Reading {
    iso(false, false, None)
}

fn check(reading: &Reading, text: &str, expected: Result<&str, TimeFault>) {
    let read = reading.parse(text.as_bytes()).map(rfc3339);
    assert_eq!(read, expected.map(str::to_owned), "{text:?} in {reading:?}");
}

fn at(text: &str) -> i64 {
    strict().parse(text.as_bytes()).unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
}

#[test]
fn iso_times() {
    for (text, expected) in [
        ("2021-07-22T22:31:00Z", Ok("2021-07-22T22:31:00Z")),
        ("2021-07-22T22:31:00.120Z", Ok("2021-07-22T22:31:00.12Z")),
        ("2021-07-22T22:31:00.123456789+05:30", Ok("2021-07-22T17:01:00.123456789Z")),
        ("2021-07-22T22:31-0300", Ok("2021-07-23T01:31:00Z")),
        ("2021-07-22T22:31+09", Ok("2021-07-22T13:31:00Z")),
        ("2020-02-29T00:00:00Z", Ok("2020-02-29T00:00:00Z")),
        ("1900-01-01T00:00:00Z", Ok("1900-01-01T00:00:00Z")),
        ("2099-12-31T23:59:59.999999999Z", Ok("2099-12-31T23:59:59.999999999Z")),
        ("", Err(Missing)),
        ("2021-07-22", Err(Invalid)),
        ("2021-07-22 22:31:00Z", Err(Invalid)),
        ("2021-07-22T22:31:00", Err(WithoutOffset)),
        ("2021-02-29T22:31:00", Err(Invalid)),
        ("2021-02-29T22:31:00Z", Err(Invalid)),
        ("2021-07-22T24:00:00Z", Err(Invalid)),
        ("2021-07-22T23:59:60Z", Err(Invalid)),
        ("0000-07-22T22:31:00Z", Err(Invalid)),
        ("2021-07-22T22:31:00.Z", Err(Invalid)),
        ("2021-07-22T22:31:00.1234567890Z", Err(Invalid)),
        ("2021-07-22T22:31:00+24:00", Err(Invalid)),
        ("2021-07-22T22:31:00+05:60", Err(Invalid)),
        ("2021-07-22T22:31:00+5", Err(Invalid)),
        ("2021-07-22T22:31:00z", Err(Invalid)),
        ("2021-07-22t22:31:00Z", Err(Invalid)),
        ("2021-07-22T22Z", Err(Invalid)),
        ("2021-07-22T22:31:00Z ", Err(Invalid)),
        ("1900-01-01T00:00:00+00:01", Err(OutOfRange)),
        ("1899-12-31T23:59:59.999999999Z", Err(OutOfRange)),
        ("2100-01-01T00:00:00Z", Err(OutOfRange)),
        ("2099-12-31T23:59:00-00:01", Err(OutOfRange)),
        ("9999-12-31T23:59:00Z", Err(OutOfRange)),
    ] {
        check(&strict(), text, expected);
    }
}

#[test]
fn local_times() {
    let kolkata = iso(true, true, Some("Asia/Kolkata"));
    check(&kolkata, "2021-07-22 05:30:00", Ok("2021-07-22T00:00:00Z"));
    check(&kolkata, "2021-07-22", Ok("2021-07-21T18:30:00Z"));
    check(&kolkata, "2021-07-22 05:30:00Z", Ok("2021-07-22T05:30:00Z"));
    let london = iso(true, false, Some("Europe/London"));
    check(&london, "2021-03-28 01:30:00", Ok("2021-03-28T01:30:00Z"));
    check(&london, "2021-10-31 01:30:00", Ok("2021-10-31T00:30:00Z"));
    check(&london, "0001-01-01 00:00:00", Err(OutOfRange));
    check(&london, "9999-12-31 23:59:59", Err(OutOfRange));
    check(&iso(false, true, Some("+05:30")), "2021-07-22", Ok("2021-07-21T18:30:00Z"));
}

#[test]
fn zones() {
    for name in ["", "Nowhere", "+24:00", "+1", "+05:3", "+é", "Etc/Unknown", "../UTC"] {
        assert_eq!(Zone::named(name), None, "{name:?}");
    }
    assert_eq!(zone("Z").name(), "UTC");
    assert_eq!(zone("-0330").to_instant(0), Some(12_600));
    assert_eq!(zone("America/New_York").to_instant(i64::MAX), None);
    assert_eq!(zone("America/New_York").to_instant(i64::MIN), None);
    assert_eq!(midnight("2026-01-01", &zone("America/New_York")), Some(at("2026-01-01T05:00:00Z")));
    for wrong in ["2026-02-30", "2026-1-1", "", "2026/01/01", "９999-01-01", "9999-01-01"] {
        assert_eq!(midnight(wrong, &Zone::utc()), None, "{wrong:?}");
    }
}

#[test]
fn counts() {
    let epoch = |unit| Reading { format: Format::Epoch(unit), naive_zone: None };
    check(&epoch(Unit::S), "1626993060", Ok("2021-07-22T22:31:00Z"));
    check(&epoch(Unit::S), "1626993060.5", Ok("2021-07-22T22:31:00.5Z"));
    check(&epoch(Unit::Ms), "1626993060123.4567899", Ok("2021-07-22T22:31:00.123456789Z"));
    check(&epoch(Unit::Us), "1626993060123456", Ok("2021-07-22T22:31:00.123456Z"));
    check(&epoch(Unit::Ns), "-1.5", Ok("1969-12-31T23:59:59.999999998Z"));
    check(&epoch(Unit::Ns), "-1.0", Ok("1969-12-31T23:59:59.999999999Z"));
    check(&epoch(Unit::S), "-0.0000000001", Ok("1969-12-31T23:59:59.999999999Z"));
    check(&epoch(Unit::S), "4102444800", Err(OutOfRange));
    check(&epoch(Unit::S), "4102444799.9999999999", Ok("2099-12-31T23:59:59.999999999Z"));
    check(&epoch(Unit::S), &"9".repeat(10_000), Err(OutOfRange));
    check(&epoch(Unit::S), &format!("-{}", "9".repeat(10_000)), Err(OutOfRange));
    check(&epoch(Unit::S), &format!("{}1", "0".repeat(10_000)), Ok("1970-01-01T00:00:01Z"));
    check(&epoch(Unit::S), "", Err(Missing));
    for wrong in ["-", ".", "1.", ".1", "+1", "1e3", "1 ", "--1", "1.2.3"] {
        check(&epoch(Unit::Ms), wrong, Err(Invalid));
    }
    let since = Reading {
        format: Format::SinceMidnight { unit: Unit::Ms, midnight: at("2026-01-01T00:00:00Z") },
        naive_zone: None,
    };
    check(&since, "60000", Ok("2026-01-01T00:01:00Z"));
    check(&since, "0.0000019", Ok("2026-01-01T00:00:00.000000001Z"));
    check(&since, "-1", Err(Invalid));
    let hours = Reading { format: Format::HoursSince { origin: at("2026-01-01T00:00:00Z") }, naive_zone: None };
    check(&hours, "25", Ok("2026-01-02T01:00:00Z"));
    check(&hours, "1.5", Err(Invalid));
    check(&hours, "-1", Err(Invalid));
    check(&hours, &"9".repeat(100), Err(OutOfRange));
}

fn pattern(source: &str, naive_zone: Option<&str>) -> Reading {
    Reading { format: Format::Pattern(Pattern::compile(source).expect("a pattern")), naive_zone: naive_zone.map(zone) }
}

#[test]
fn patterns() {
    for (source, text, expected) in [
        ("%Y/%m/%d %H:%M:%S", "2021/7/22 2:31:00", Ok("2021-07-22T02:31:00Z")),
        ("%d-%b-%y", "22-JUL-21", Ok("2021-07-22T00:00:00Z")),
        ("%d-%b-%y", "22-jul-69", Ok("1969-07-22T00:00:00Z")),
        ("%m/%d/%Y %I:%M:%S %p", "7/22/2021 12:05:00 am", Ok("2021-07-22T00:05:00Z")),
        ("%m/%d/%Y %I:%M %p", "7/22/2021 12:05 PM", Ok("2021-07-22T12:05:00Z")),
        ("%m/%d/%Y %I", "7/22/2021 12", Ok("2021-07-22T00:00:00Z")),
        ("%A, %d %B %Y", "Monday, 22 July 2021", Ok("2021-07-22T00:00:00Z")),
        ("%a %b %d %H:%M:%S %Y", "Thu Jul  2 22:31:00 2021", Ok("2021-07-02T22:31:00Z")),
        ("%a %b%d %Y", "Thu Jul 2 2021", Ok("2021-07-02T00:00:00Z")),
        ("%Y-%m-%dT%H:%M:%S.%f%z", "2021-07-22t22:31:00.5+05:30", Ok("2021-07-22T17:01:00.5Z")),
        ("%Y%m%d%z", "20210722Z", Ok("2021-07-22T00:00:00Z")),
        ("%Y%m%d%z", "20210722z", Err(Invalid)),
        ("%Y%m%d %z", "20210722 +053015", Ok("2021-07-21T18:29:45Z")),
        ("%Y%m%d %z", "20210722 +05:30:15.5", Ok("2021-07-21T18:29:44Z")),
        ("%Y%m%d %z", "20210722 +05:3015", Err(Invalid)),
        ("%Y%m%d %z", "20210722 +2400", Err(Invalid)),
        ("%z%Y", "+05302021", Ok("2020-12-31T18:30:00Z")),
        ("%Y %Z", "2021 gmt", Ok("2021-01-01T00:00:00Z")),
        ("%Y %j", "2021 60", Ok("2021-03-01T00:00:00Z")),
        ("%Y %j", "2021 366", Ok("2022-01-01T00:00:00Z")),
        ("%Y %j", "9999 366", Err(Invalid)),
        // Only a shorter day leaves four digits for the year.
        ("%m%d%Y", "1122023", Ok("2023-11-02T00:00:00Z")),
        ("%H%M", "123", Ok("1900-01-01T12:03:00Z")),
        ("100%% %Y", "100% 2021", Ok("2021-01-01T00:00:00Z")),
        ("%Y  ж", "2021\u{2003}\u{1f}Ж", Ok("2021-01-01T00:00:00Z")),
        ("%Y", "2021 ", Err(Invalid)),
        ("%Y %m", "202107", Err(Invalid)),
        ("%d.%m.%Y", "31.02.2021", Err(Invalid)),
        ("%d.%m.%Y", "00.02.2021", Err(Invalid)),
        ("%H:%M:%S", "23:59:60", Err(Invalid)),
        ("%Y", "0000", Err(Invalid)),
        ("%Y", "0001", Err(OutOfRange)),
        ("%S.%f", "1.1234567", Err(Invalid)),
        ("%d %b", "29 Feb", Err(Invalid)),
        ("%p", "x", Err(Invalid)),
        ("", "", Err(Missing)),
    ] {
        check(&pattern(source, None), text, expected);
    }
    check(&pattern("%d.%m.%Y", Some("Europe/Berlin")), "22.07.2021", Ok("2021-07-21T22:00:00Z"));
    check(&pattern("%d.%m.%Y %z", Some("Europe/Berlin")), "22.07.2021 +0000", Ok("2021-07-22T00:00:00Z"));
    check(&pattern("%H", Some("Europe/Berlin")), "0", Err(OutOfRange));
    for wrong in ["%", "%q", "% Y", "%Y%", "%Y %Y", "%-d", "%é", &"x".repeat(257)] {
        assert!(Pattern::compile(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn shown() {
    let mut text = Vec::new();
    for day in [0, -1, 18_830, i32::MIN, i32::MAX] {
        write_day(day, &mut text);
        text.push(b' ');
    }
    assert_eq!(text, b"1970-01-01 1969-12-31 2021-07-22 -5877641-06-23 5881580-07-11 ");
    assert_eq!(rfc3339(i64::MIN), "1677-09-21T00:12:43.145224192Z");
    assert_eq!(rfc3339(i64::MAX), "2262-04-11T23:47:16.854775807Z");
    assert_eq!((day_of(-1), day_of(0), day_of(DAY)), (-1, 0, 1));
}

#[test]
fn intervals_are_named() {
    for interval in Interval::ALL {
        assert_eq!(interval.to_string().parse(), Ok(interval));
    }
    assert!("2h".parse::<Interval>().is_err());
}

#[test]
fn buckets() {
    for (interval, name, instant, start) in [
        ("1s", "UTC", "1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z"),
        ("5m", "Asia/Kolkata", "2021-07-22T22:34:59.9Z", "2021-07-22T22:30:00Z"),
        ("15m", "UTC", "2021-07-22T22:59:59Z", "2021-07-22T22:45:00Z"),
        ("1h", "Asia/Kolkata", "2021-07-22T22:31:00Z", "2021-07-22T22:30:00Z"),
        ("1h", "Asia/Kolkata", "2021-07-22T22:29:00Z", "2021-07-22T21:30:00Z"),
        ("1d", "America/New_York", "2021-03-15T03:59:59Z", "2021-03-14T05:00:00Z"),
        ("1d", "America/New_York", "2021-11-08T04:59:59Z", "2021-11-07T04:00:00Z"),
        ("1d", "America/New_York", "2021-11-08T05:00:00Z", "2021-11-08T05:00:00Z"),
        // The clock shows the hour from one to two twice, and each is an hour.
        ("1h", "America/New_York", "2021-11-07T05:30:00Z", "2021-11-07T05:00:00Z"),
        ("1h", "America/New_York", "2021-11-07T06:30:00Z", "2021-11-07T06:00:00Z"),
        // At two the clock goes back to half past one.
        ("1h", "Australia/Lord_Howe", "2021-04-03T14:59:00Z", "2021-04-03T14:00:00Z"),
        ("1h", "Australia/Lord_Howe", "2021-04-03T15:10:00Z", "2021-04-03T15:00:00Z"),
        // There was no midnight: the clock went from twelve to one.
        ("1d", "America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z"),
        // Midnight came twice, and the minute after the first of them belongs to the new day.
        ("1d", "America/Toronto", "2000-10-29T12:00:00Z", "2000-10-29T04:00:00Z"),
        ("1d", "+05:30", "2021-07-22T18:29:59Z", "2021-07-21T18:30:00Z"),
        ("1mo", "Europe/Berlin", "2021-03-31T22:00:00Z", "2021-03-31T22:00:00Z"),
        ("1mo", "Europe/Berlin", "2021-03-31T21:59:59Z", "2021-02-28T23:00:00Z"),
        ("1mo", "UTC", "1969-12-31T00:00:00Z", "1969-12-01T00:00:00Z"),
    ] {
        let mut buckets = Buckets::new(interval.parse().expect("an interval"), zone(name));
        for _ in 0..2 {
            assert_eq!(rfc3339(buckets.start_of(at(instant))), start, "{interval} {name} {instant}");
        }
    }
}

/// A legal time in one of many notations, some of them not legal after all.
fn texts() -> impl Strategy<Value = String> {
    let known = "(1900|1970|2021|2024|2099)-(0[0-9]|1[0-3])-(0[0-9]|[12][0-9]|3[0-2])T([01][0-9]|2[0-4]):[0-6][0-9]\
        :[0-6][0-9](\\.[0-9]{0,10})?(Z|[+-][0-2][0-9]:[0-6][0-9])";
    prop_oneof![known, "[-0-9TZ:.+ \u{0}]{17,32}", "2021-07-22T22:31:00[-0-9TZ:.+x]{0,12}"]
}

#[test]
fn a_minute_is_remembered_with_the_offset_of_its_date() {
    let berlin = || IsoCache::new(false, Some(zone("Europe/Berlin")));
    let (winter, summer) = (b"2021-01-22T22:31:07", b"2021-07-22T22:31:07");
    let mut cache = berlin();
    assert_eq!(cache.quick(winter), Some(at("2021-01-22T21:31:07Z")));
    // The date is read, and then the clock is none: what is remembered of the minute before still holds.
    assert_eq!(cache.quick(b"2021-07-22T24:31:07"), None);
    assert_eq!(cache.quick(winter), Some(at("2021-01-22T21:31:07Z")));
    assert_eq!(cache.quick(b"2021-01-22T22:31:08.5"), Some(at("2021-01-22T21:31:08.5Z")));
    assert_eq!(cache.quick(summer), Some(at("2021-07-22T20:31:07Z")));
    assert_eq!(cache.quick(winter), Some(at("2021-01-22T21:31:07Z")));
    // What a new cache remembers is a minute as well, but no offset.
    assert_eq!(berlin().quick(b"1970-01-01T00:00:59Z"), Some(59 * SECOND));
    assert_eq!(berlin().quick(b"1970-01-01T00:00:59"), None);
    for wrong in ["60", "6:", "0:", "/0", "0/", " 1", "1 ", "a0"] {
        assert_eq!(cache.quick(format!("2021-01-22T22:31:{wrong}Z").as_bytes()), None, "{wrong}");
    }
    assert_eq!(cache.quick(b"2021-01-22T22:31.07Z"), None);
    assert_eq!(cache.quick(b"2021-01-22T22:31:59Z"), Some(at("2021-01-22T22:31:59Z")));
}

proptest! {
    #[test]
    fn iso_hot_path_agrees_with_the_rule(texts in proptest::collection::vec(texts(), 1..8)) {
        let mut cache = IsoCache::default();
        for text in &texts {
            if let Some(instant) = cache.quick(text.as_bytes()) {
                prop_assert_eq!(strict().parse(text.as_bytes()), Ok(instant), "{}", text);
            }
        }
    }

    #[test]
    fn iso_hot_path_takes_what_it_should(instant in FIRST + 3 * DAY..END - 3 * DAY, places in 0u32..10, next in 0i64..DAY) {
        let mut cache = IsoCache::default();
        for instant in [instant, instant / SECOND * SECOND + next % SECOND] {
            let step = 10i64.pow(9 - places);
            let instant = instant.div_euclid(step) * step;
            let text = rfc3339(instant);
            prop_assert_eq!(cache.quick(text.as_bytes()), Some(instant));
            let local = text.replace('Z', "+05:30");
            prop_assert_eq!(cache.quick(local.as_bytes()), Some(instant - 19_800 * SECOND));
            prop_assert_eq!(strict().parse(text.as_bytes()), Ok(instant));
        }
    }

    #[test]
    fn iso_hot_path_agrees_on_local_times(wall in FIRST..END, near in -3i64..4, which in 0usize..5, places in 0u32..10) {
        let name = ["Europe/London", "America/Sao_Paulo", "Pacific/Apia", "+05:30", "America/Toronto"][which];
        // Around the days on which some of these clocks were set, and anywhere.
        let wall_near = at("2011-12-30T00:00:00Z") + near * DAY / 2 + wall % DAY;
        let wall_spring = at("2018-11-04T00:00:00Z") + near * DAY / 2 + wall % DAY;
        let reading = iso(true, false, Some(name));
        let mut cache = IsoCache::new(true, Some(zone(name)));
        for wall in [wall, wall_near, wall_spring] {
            let step = 10i64.pow(9 - places);
            let text = rfc3339(wall.div_euclid(step) * step).replace('T', " ").replace('Z', "");
            let rule = reading.parse(text.as_bytes());
            if let Some(instant) = cache.quick(text.as_bytes()) {
                prop_assert_eq!(rule, Ok(instant), "{} in {}", text, name);
            }
            prop_assert_eq!(IsoCache::new(false, Some(zone(name))).quick(text.as_bytes()), None);
            prop_assert_eq!(IsoCache::new(true, None).quick(text.as_bytes()), None);
        }
        let summer = iso(true, false, Some(name)).parse(b"2021-07-22 22:31:00.5");
        prop_assert_eq!(cache.quick(b"2021-07-22 22:31:00.5"), summer.ok());
    }

    #[test]
    fn epoch_hot_path_agrees_with_the_rule(text in "[0-9]{1,20}|-?[0-9.x]{1,20}|[0-9]{7,18}") {
        for unit in [Unit::S, Unit::Ms, Unit::Us, Unit::Ns] {
            let rule = Reading { format: Format::Epoch(unit), naive_zone: None }.parse(text.as_bytes());
            let plain = text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit());
            prop_assert_eq!(quick_epoch(text.as_bytes(), unit), rule.ok().filter(|_| plain), "{:?}", text);
        }
    }

    #[test]
    fn any_bytes_are_answered(text: Vec<u8>, source: String, name: String) {
        let mut cache = IsoCache::default();
        let _ = (cache.quick(&text), quick_epoch(&text, Unit::Ns), Zone::named(&name), midnight(&name, &Zone::utc()));
        let mut formats = vec![
            Format::Iso { space: true, date_only: true },
            Format::Epoch(Unit::Us),
            Format::SinceMidnight { unit: Unit::Ms, midnight: i64::MAX },
            Format::HoursSince { origin: i64::MIN },
        ];
        formats.extend(Pattern::compile(&source).ok().map(Format::Pattern));
        formats.extend(Pattern::compile("%d %z%f%j").ok().map(Format::Pattern));
        for format in formats {
            let _ = Reading { format, naive_zone: Some(zone("Europe/Berlin")) }.parse(&text);
        }
        for (interval, extreme) in Interval::ALL.into_iter().zip([i64::MIN, i64::MAX].into_iter().cycle()) {
            let _ = Buckets::new(interval, zone("America/New_York")).start_of(extreme);
            let _ = Buckets::new(interval, zone("+05:30")).start_of(!extreme);
        }
    }

    #[test]
    fn dates_go_there_and_back(day in -800_000i64..3_000_000) {
        let (year, month, number) = calendar::date(day);
        prop_assert_eq!(calendar::days(year, month, number), day);
        prop_assert!((1..=12).contains(&month) && (1..=31).contains(&number));
    }

    #[test]
    fn buckets_hold_what_falls_into_them(instants in proptest::collection::vec(2 * FIRST..2 * END, 1..20), near: i32, which in 0usize..6) {
        let name = ["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "-09:30", "Africa/Monrovia"][which];
        for interval in Interval::ALL {
            let mut buckets = Buckets::new(interval, zone(name));
            for instant in instants.iter().flat_map(|&instant| [instant, instant.saturating_add(i64::from(near))]) {
                let start = buckets.start_of(instant);
                prop_assert!(start <= instant, "{} {}", interval, instant);
                prop_assert!(instant.saturating_sub(start) <= 32 * DAY);
                prop_assert_eq!(Buckets::new(interval, zone(name)).start_of(instant), start);
                prop_assert_eq!(buckets.start_of(start), start);
            }
        }
    }
}
