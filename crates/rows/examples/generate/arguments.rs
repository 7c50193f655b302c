//! The command line, by hand: this is a tool for developers, and a parser crate would only serve this one file.

use std::path::PathBuf;

/// Which kind of file to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    Trades,
    Bars,
    Transactions,
    Samples,
}

/// How many rows to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Rows(u64),
    /// Stop after the row that reaches this many bytes, counted before compression.
    Bytes(u64),
}

impl Size {
    /// Which share of the file is done with `rows` rows and `bytes` bytes; `None` when it is complete.
    #[inline]
    pub(crate) fn progress(self, rows: u64, bytes: u64) -> Option<f64> {
        let (done, whole) = match self {
            Size::Rows(whole) => (rows, whole),
            Size::Bytes(whole) => (bytes, whole),
        };
        (done < whole).then(|| done as f64 / whole as f64)
    }
}

/// Everything that decides what the file will hold.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) schema: Schema,
    pub(crate) out: PathBuf,
    pub(crate) manifest: Option<PathBuf>,
    pub(crate) size: Size,
    /// Share of rows with a fault.
    pub(crate) bad: f64,
    /// Only faults that any CSV reader can see (see `faults.rs`).
    pub(crate) portable: bool,
    pub(crate) seed: u64,
    pub(crate) ndjson: bool,
    pub(crate) gzip: bool,
    pub(crate) symbols: usize,
    /// About how many aggregates the file should fill; 0 leaves it to the schema.
    pub(crate) groups: u64,
    /// One row in a hundred repeats the id of an earlier one.
    pub(crate) repeat_ids: bool,
    /// Trades carry a `sequence` column.
    pub(crate) sequence: bool,
    /// Rows come in any order of time.
    pub(crate) shuffle: bool,
}

/// Reads the arguments behind the program's name.
pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Request, String> {
    let usage = "usage: generate trades|transactions|bars|samples --out PATH, then options (see the top of main.rs)";
    let schema = match arguments.next().as_deref() {
        Some("trades") => Schema::Trades,
        Some("bars") => Schema::Bars,
        Some("transactions") => Schema::Transactions,
        Some("samples") => Schema::Samples,
        _ => return Err(usage.to_owned()),
    };
    let mut request = Request {
        schema,
        out: PathBuf::new(),
        manifest: None,
        size: Size::Bytes(10_000_000),
        bad: 0.001,
        portable: false,
        seed: 1,
        ndjson: false,
        gzip: false,
        symbols: 3000,
        groups: 0,
        repeat_ids: false,
        sequence: false,
        shuffle: false,
    };
    while let Some(name) = arguments.next() {
        match name.as_str() {
            "--sequence" => request.sequence = true,
            "--shuffle" => request.shuffle = true,
            _ => {
                let value = arguments.next().ok_or_else(|| format!("{name} needs a value, or is unknown"))?;
                set(&mut request, &name, &value)?;
            }
        }
    }
    if request.out.as_os_str().is_empty() {
        return Err(usage.to_owned());
    }
    Ok(request)
}

fn set(request: &mut Request, name: &str, value: &str) -> Result<(), String> {
    match name {
        "--out" => request.out = PathBuf::from(value),
        "--manifest" => request.manifest = Some(PathBuf::from(value)),
        "--bytes" => request.size = Size::Bytes(bytes(value)?),
        "--rows" => request.size = Size::Rows(number(name, value)?),
        "--seed" => request.seed = number(name, value)?,
        "--groups" => request.groups = number(name, value)?,
        "--symbols" => request.symbols = number::<usize>(name, value)?.clamp(1, 200_000),
        "--bad" => {
            request.bad = number(name, value)?;
            if !(0.0..=1.0).contains(&request.bad) {
                return Err(format!("--bad is a share between 0 and 1, not {value}"));
            }
        }
        "--kinds" => request.portable = one_of(name, value, "all", "portable")?,
        "--format" => request.ndjson = one_of(name, value, "csv", "ndjson")?,
        "--compress" => request.gzip = one_of(name, value, "none", "gzip")?,
        "--ids" => request.repeat_ids = one_of(name, value, "unique", "repeat")?,
        _ => return Err(format!("unknown option {name}")),
    }
    Ok(())
}

/// Whether `value` is the second of the two words an option takes.
fn one_of(name: &str, value: &str, first: &str, second: &str) -> Result<bool, String> {
    if value == first || value == second {
        Ok(value == second)
    } else {
        Err(format!("{name} is {first} or {second}, not {value}"))
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.replace('_', "").parse().map_err(|_| format!("{name} is a number, not {value}"))
}

/// A size such as `1GB`, `250MB`, `64KB` or plain bytes, decimal units.
fn bytes(value: &str) -> Result<u64, String> {
    let digits = value.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match value[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 1.0,
        "KB" | "K" => 1e3,
        "MB" | "M" => 1e6,
        "GB" | "G" => 1e9,
        _ => return Err(format!("--bytes is a size such as 250MB or 1GB, not {value}")),
    };
    Ok((number::<f64>("--bytes", digits)? * unit) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Request, String> {
        parse(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn options_are_read() {
        let request = read("trades --out x.csv --bytes 1.5GB --kinds portable --shuffle --symbols 12").unwrap();
        assert_eq!(request.size, Size::Bytes(1_500_000_000));
        assert!(request.portable && request.shuffle && !request.gzip);
        assert_eq!(request.symbols, 12);
    }

    #[test]
    fn mistakes_are_named() {
        assert!(read("trades").unwrap_err().starts_with("usage"));
        assert!(read("trades --out x --bytes 1PB").unwrap_err().contains("1PB"));
        assert!(read("trades --out x --format parquet").unwrap_err().contains("csv or ndjson"));
        assert!(read("trades --out x --colour red").unwrap_err().contains("--colour"));
    }
}
