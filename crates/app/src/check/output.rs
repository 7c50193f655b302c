//! Files that a check writes: rejects, bars, totals. Each appears complete or not at all.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rows::check::{BarLine, Checked, TotalKey, TotalLine};
use rows::time;
use rows::{Error, csv};
use tempfile::NamedTempFile;

use crate::complain::Hint;

/// A file in the making, beside the place it will have.
pub(crate) struct Output {
    target: Target,
    place: PathBuf,
}

enum Target {
    /// `-`: standard output, as it comes.
    Stdout,
    /// Something that is no plain file (a pipe, /dev/null): written as it comes.
    Direct(File),
    Temporary(NamedTempFile),
}

const BUFFER_BYTES: usize = 256 * 1024;

impl Output {
    /// The output at `place`, or of `input` in the folder `place` when there are several inputs.
    pub(crate) fn create(place: &Path, input: &Path, what: &str, several: bool) -> Result<Self> {
        if place == Path::new("-") {
            return Ok(Self { target: Target::Stdout, place: place.into() });
        }
        if several {
            std::fs::create_dir_all(place).with_context(|| format!("folder {}", place.display()))?;
        }
        let place = place_of(place, input, what, several);
        let told = || format!("{what} file {}", place.display());
        if place.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            let file = File::options().write(true).open(&place).with_context(told)?;
            return Ok(Self { target: Target::Direct(file), place });
        }
        let folder = match place.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        if !folder.is_dir() {
            let hint = format!("create the folder {} first", folder.display());
            return Err(Hint::new(format!("{}: no such folder", told()), hint).into());
        }
        let file = tempfile::Builder::new().prefix(".millrace-").tempfile_in(folder).with_context(told)?;
        Ok(Self { target: Target::Temporary(file), place })
    }

    /// Where bytes go; `keep` makes them stay.
    pub(crate) fn sink(&mut self) -> Result<Box<dyn Write + Send>> {
        Ok(match &self.target {
            Target::Stdout => Box::new(BufWriter::with_capacity(BUFFER_BYTES, std::io::stdout())),
            Target::Direct(file) => Box::new(BufWriter::with_capacity(BUFFER_BYTES, file.try_clone()?)),
            Target::Temporary(file) => Box::new(BufWriter::with_capacity(BUFFER_BYTES, file.reopen()?)),
        })
    }

    /// Puts the file in its place.
    pub(crate) fn keep(self) -> Result<()> {
        let Target::Temporary(file) = self.target else { return Ok(()) };
        let told = || format!("writing {}", self.place.display());
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(permissions).with_context(told)?;
        file.persist(&self.place).map_err(|error| error.error).with_context(told)?;
        Ok(())
    }
}

/// Where the output at `place` is: in it, under the name of the input, when it is a folder.
fn place_of(place: &Path, input: &Path, what: &str, several: bool) -> PathBuf {
    if !several && !place.is_dir() {
        return place.to_path_buf();
    }
    let name = input.file_name().map_or("stdin".into(), |name| name.to_string_lossy());
    place.join(format!("{name}.{what}"))
}

/// Refuses outputs that would replace a file that is checked, or each other.
pub(crate) fn keep_apart(inputs: &[PathBuf], outputs: &[(&str, &Option<PathBuf>)]) -> Result<()> {
    let is_file = |path: &Path| path != Path::new("-") && path.metadata().map_or(true, |metadata| metadata.is_file());
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let checked: Vec<PathBuf> = inputs.iter().filter(|input| is_file(input)).map(|input| real(input)).collect();
    let mut taken: Vec<(PathBuf, String)> = Vec::new();
    for (what, place) in outputs {
        let Some(place) = place else { continue };
        for input in inputs {
            let place = place_of(place, input, what, inputs.len() > 1);
            let own = format!("the {what} of {}", input.display());
            let hint = "name another place";
            if !is_file(&place) {
                continue;
            }
            if checked.contains(&real(&place)) {
                return Err(
                    Hint::new(format!("{own} would replace {}, which is checked", place.display()), hint).into()
                );
            }
            if let Some((_, other)) = taken.iter().find(|(known, _)| *known == place) {
                let message = format!("{own} and {other} would both be {}", place.display());
                return Err(Hint::new(message, "check files of one name one by one, or name places apart").into());
            }
            taken.push((place, own));
        }
    }
    Ok(())
}

/// Writes the bars and puts the file in its place.
pub(crate) fn write_bars(checked: &mut Checked, threads: usize, mut output: Output) -> Result<()> {
    let mut sink = output.sink()?;
    sink.write_all(b"symbol,start,open,high,low,close,volume,trades,notional,vwap\n")?;
    let from_trades = checked.kind() == Some(rows::contract::Kind::Trades);
    let line = |symbol: &[u8], start: i64, bar: &BarLine, text: &mut Vec<u8>| {
        csv::write_field(symbol, b',', text);
        text.push(b',');
        time::write_rfc3339(start, text);
        text.push(b',');
        // Bars do not say how many trades they were made of, nor at what prices.
        bar.write_csv(from_trades, text);
        text.push(b'\n');
    };
    checked.print_bars(threads, line, &mut |text| sink.write_all(text).map_err(Error::Io)).map_err(stopped)?;
    sink.flush()?;
    drop(sink);
    output.keep()
}

/// Writes the totals and puts the file in its place.
pub(crate) fn write_totals(checked: &mut Checked, threads: usize, mut output: Output) -> Result<()> {
    let mut sink = output.sink()?;
    sink.write_all(b"currency,status,merchant,day,count,sum,min,max\n")?;
    let line = |key: TotalKey<'_>, total: &TotalLine, text: &mut Vec<u8>| {
        text.extend_from_slice(key.currency.as_bytes());
        text.push(b',');
        text.extend_from_slice(key.status.as_bytes());
        text.push(b',');
        csv::write_field(key.merchant, b',', text);
        text.push(b',');
        time::write_day(key.day, text);
        text.push(b',');
        total.write_csv(text);
        text.push(b'\n');
    };
    checked.print_totals(threads, line, &mut |text| sink.write_all(text).map_err(Error::Io)).map_err(stopped)?;
    sink.flush()?;
    drop(sink);
    output.keep()
}

fn stopped(error: Error) -> anyhow::Error {
    match error {
        Error::Io(error) => error.into(),
        Error::Refused(refusal) => Hint::from(refusal).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_replace_neither_inputs_nor_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a.csv"), "a").unwrap();
        std::fs::create_dir(path("in")).unwrap();
        std::fs::write(path("in/a.csv"), "a").unwrap();
        let told = |inputs: &[&str], rejects: &str, bars: &str| {
            let inputs: Vec<PathBuf> = inputs.iter().map(|name| path(name)).collect();
            let result = keep_apart(&inputs, &[("rejects", &Some(path(rejects))), ("bars", &Some(path(bars)))]);
            result.err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(told(&["a.csv"], "r.csv", "b.csv"), "");
        assert_eq!(told(&["a.csv"], "in", "in"), "", "two names in one folder");
        assert!(told(&["a.csv"], "a.csv", "b.csv").contains("which is checked"));
        assert!(told(&["a.csv"], "in/../a.csv", "b.csv").contains("which is checked"));
        assert!(told(&["a.csv"], "r.csv", "r.csv").contains("would both be"));
        assert!(told(&["a.csv", "in/a.csv"], "out", "out").contains("would both be"));
        assert_eq!(told(&["nothere.csv"], "r.csv", "b.csv"), "");
    }
}
