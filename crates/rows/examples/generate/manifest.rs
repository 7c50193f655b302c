//! What a file holds, counted while it is written.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::arguments::{Request, Schema};
use crate::faults::DUPLICATE;

const LINES_LISTED_MAX: usize = 100;

/// The counts of a file. Rows are good, rejected, or refused only because their id came before (`duplicate`).
#[derive(Debug, Default)]
pub(crate) struct Manifest {
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    pub(crate) good: u64,
    pub(crate) rejected: u64,
    pub(crate) duplicate: u64,
    /// Physical lines, header included.
    pub(crate) lines: u64,
    pub(crate) header_lines: u64,
    /// (symbol, minute), or (currency, status, merchant, day).
    pub(crate) groups: u64,
    /// One JSON object per symbol, or per currency and status.
    pub(crate) totals: Vec<String>,
    reasons: BTreeMap<&'static str, u64>,
    first_reasons: BTreeMap<&'static str, u64>,
    bad_lines: Vec<u64>,
}

impl Manifest {
    pub(crate) fn new(ndjson: bool) -> Self {
        let header_lines = u64::from(!ndjson);
        Manifest { header_lines, lines: header_lines, ..Manifest::default() }
    }

    /// Counts a good row that covers `lines` physical lines.
    #[inline]
    pub(crate) fn good(&mut self, lines: u64) {
        self.rows += 1;
        self.good += 1;
        self.lines += lines;
    }

    /// Counts a row with faults, given its text.
    pub(crate) fn bad(&mut self, reasons: &[&'static str], text: &[u8]) {
        self.rows += 1;
        if reasons == [DUPLICATE] {
            self.duplicate += 1;
        } else {
            self.rejected += 1;
        }
        for reason in reasons {
            *self.reasons.entry(reason).or_default() += 1;
        }
        *self.first_reasons.entry(reasons[0]).or_default() += 1;
        if self.bad_lines.len() < LINES_LISTED_MAX {
            self.bad_lines.push(self.lines + 1);
        }
        self.lines += text.iter().filter(|&&byte| byte == b'\n').count() as u64;
    }

    pub(crate) fn to_json(&self, request: &Request) -> String {
        let schema = match request.schema {
            Schema::Trades => "trades",
            Schema::Bars => "bars",
            Schema::Transactions | Schema::Samples => "transactions",
        };
        let format = if request.ndjson { "ndjson" } else { "csv" };
        let mut json = format!("{{\n\"schema\": \"{schema}\",\n\"format\": \"{format}\",\n\"seed\": {}", request.seed);
        for (name, count) in [
            ("bytes", self.bytes),
            ("rows", self.rows),
            ("good", self.good),
            ("rejected", self.rejected),
            ("duplicate", self.duplicate),
            ("lines", self.lines),
            ("header_lines", self.header_lines),
            ("groups", self.groups),
        ] {
            // Writing to a string does not fail.
            let _ = write!(json, ",\n\"{name}\": {count}");
        }
        for (name, counts) in [("reasons", &self.reasons), ("first_reasons", &self.first_reasons)] {
            let members: Vec<String> = counts.iter().map(|(reason, count)| format!("\"{reason}\": {count}")).collect();
            let _ = write!(json, ",\n\"{name}\": {{{}}}", members.join(", "));
        }
        let lines: Vec<String> = self.bad_lines.iter().map(u64::to_string).collect();
        let _ = write!(json, ",\n\"bad_lines\": [{}]", lines.join(", "));
        let _ = write!(json, ",\n\"totals\": [\n{}\n]\n}}\n", self.totals.join(",\n"));
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_add_up() {
        let mut manifest = Manifest::new(false);
        manifest.good(2);
        manifest.bad(&["invalid_price", "missing_timestamp"], b"a,b\n");
        manifest.bad(&[DUPLICATE], b"\"x\ny\"\n");
        manifest.bad(&["invalid_status", DUPLICATE], b"a\n");
        assert_eq!((manifest.rows, manifest.good, manifest.rejected, manifest.duplicate), (4, 1, 2, 1));
        assert_eq!(manifest.bad_lines, [4, 5, 7]);
        assert_eq!(manifest.lines, 7);
        assert_eq!(manifest.first_reasons.values().sum::<u64>(), manifest.rejected + manifest.duplicate);
        assert_eq!(manifest.reasons[DUPLICATE], 2);
    }
}
