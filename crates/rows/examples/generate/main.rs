//! Makes test files of any size, the same for the same arguments, and says exactly what is in them.
//!
//! ```text
//! generate trades|transactions|bars --out FILE [--bytes 1GB | --rows N] [--bad 0.001] [--kinds all|portable]
//!          [--seed 1] [--format csv|ndjson] [--compress gzip] [--symbols 3000] [--groups N]
//!          [--ids unique|repeat] [--sequence] [--shuffle] [--manifest FILE.json]
//! generate samples --out DIRECTORY
//! ```
//!
//! The manifest is counted while writing, from what the generator meant to write and not by reading it back,
//! so it is a second opinion on every count and every sum of the row engine.

mod arguments;
mod bars;
mod exact;
mod faults;
mod manifest;
mod merchants;
mod output;
mod random;
mod samples;
mod schedule;
mod spoil;
mod symbols;
mod text;
mod trades;
mod transactions;

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use arguments::{Request, Schema};
use manifest::Manifest;
use output::Output;

fn main() -> ExitCode {
    match run() {
        Ok(message) => {
            // Nobody may be listening, and the files are complete either way.
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, String> {
    let request = arguments::parse(std::env::args().skip(1))?;
    if request.schema == Schema::Samples {
        return samples::write(&request.out);
    }
    let started = Instant::now();
    let manifest = generate(&request)?;
    let seconds = started.elapsed().as_secs_f64();
    if let Some(path) = &request.manifest {
        std::fs::write(path, manifest.to_json(&request))
            .map_err(|error| format!("the manifest {} could not be written: {error}", path.display()))?;
    }
    let megabytes = manifest.bytes as f64 / 1e6;
    let speed = megabytes / seconds;
    Ok(format!(
        "{}: {megabytes:.1} MB, {} rows ({} good, {} rejected, {} duplicate), {} groups, {speed:.0} MB/s",
        request.out.display(),
        manifest.rows,
        manifest.good,
        manifest.rejected,
        manifest.duplicate,
        manifest.groups
    ))
}

/// Writes the file that `request` asks for and answers what is in it.
fn generate(request: &Request) -> Result<Manifest, String> {
    let problem = |error: std::io::Error| format!("{} could not be written: {error}", request.out.display());
    let mut output = Output::create(&request.out, request.gzip).map_err(problem)?;
    let manifest = match request.schema {
        Schema::Trades => trades::write(request, &mut output),
        Schema::Bars => bars::write(request, &mut output),
        Schema::Transactions => transactions::write(request, &mut output),
        Schema::Samples => return Err("samples are not one file".to_owned()),
    };
    let mut manifest = manifest.map_err(problem)?;
    manifest.bytes = output.finish().map_err(problem)?;
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a small file with many faults; answers its bytes and its manifest.
    fn made(line: &str) -> (Vec<u8>, Manifest) {
        let name = format!("millrace-generate-{}-{}", std::process::id(), line.replace(' ', ""));
        let path = std::env::temp_dir().join(name);
        let words = format!("{line} --bad 0.2 --rows 3000 --out {}", path.display());
        let request = arguments::parse(words.split(' ').map(str::to_owned)).unwrap();
        let manifest = generate(&request).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        (bytes, manifest)
    }

    #[test]
    fn the_manifest_counts_the_file() {
        for schema in ["trades", "transactions", "bars"] {
            for more in ["", " --format ndjson", " --ids repeat --shuffle", " --sequence --groups 500 --kinds portable"]
            {
                let (bytes, manifest) = made(&format!("{schema}{more}"));
                let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
                assert_eq!((manifest.lines, manifest.bytes), (lines, bytes.len() as u64), "{schema}{more}");
                assert_eq!(manifest.rows, 3000);
                assert_eq!(manifest.good + manifest.rejected + manifest.duplicate, 3000);
                assert!((400..900).contains(&manifest.rejected), "{schema}{more}: {}", manifest.rejected);
            }
        }
    }

    #[test]
    fn the_same_arguments_make_the_same_file() {
        let (one, _) = made("transactions --seed 4");
        assert_eq!(one, made("transactions --seed 4").0);
        assert_ne!(one, made("transactions --seed 5").0);
    }
}
