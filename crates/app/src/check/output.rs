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
        let place = match several || place.is_dir() {
            true => {
                std::fs::create_dir_all(place).with_context(|| format!("folder {}", place.display()))?;
                let name = input.file_name().map_or("stdin".into(), |name| name.to_string_lossy());
                place.join(format!("{name}.{what}"))
            }
            false => place.to_path_buf(),
        };
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
