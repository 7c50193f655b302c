//! Instants and days as people give them: `2026-01-31`, or RFC 3339.

use rows::time::{Format, Reading, Zone, rfc3339};

const DAY_NS: i64 = 24 * 60 * 60 * 1_000_000_000;

/// Nanoseconds since 1970: of a day, its beginning in UTC.
pub(crate) fn instant(text: &str) -> Result<i64, String> {
    let reading = Reading { format: Format::Iso { space: true, date_only: true }, naive_zone: Some(Zone::utc()) };
    reading
        .parse(text.as_bytes())
        .map_err(|_| format!("`{text}` is no time such as 2026-01-31 or 2026-01-31T14:30:00Z"))
}

/// Days since 1970.
pub(crate) fn day(text: &str) -> Result<i64, String> {
    instant(text).map(|at| at.div_euclid(DAY_NS))
}

/// A day as `2026-01-31`.
pub(super) fn date(day: i32) -> String {
    rfc3339(i64::from(day).saturating_mul(DAY_NS)).chars().take(10).collect()
}

/// Milliseconds as `2026-01-31 14:30:00`, in UTC.
pub(crate) fn clock(milliseconds: u64) -> String {
    let nanoseconds = i64::try_from(milliseconds / 1000).unwrap_or(0).saturating_mul(1_000_000_000);
    rfc3339(nanoseconds).replace('T', " ").trim_end_matches('Z').to_owned()
}

/// A duration, short: `350 ms`, `1.2 s`, `3 min`.
pub(super) fn span(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        1000..120_000 => format!("{:.1} s", milliseconds as f64 / 1000.0),
        _ => format!("{} min", milliseconds / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_instants() {
        assert_eq!(day("1970-01-02"), Ok(1));
        assert_eq!(instant("1970-01-01T00:00:01Z"), Ok(1_000_000_000));
        assert_eq!(instant("1970-01-01T01:00:00+01:00"), Ok(0));
        assert!(instant("yesterday").unwrap_err().contains("`yesterday`"));
        assert_eq!(date(20_458), "2026-01-05");
        assert_eq!(clock(1_767_225_600_123), "2026-01-01 00:00:00");
        assert_eq!((span(20), span(1500), span(180_000)), ("20 ms".into(), "1.5 s".into(), "3 min".into()));
    }
}
