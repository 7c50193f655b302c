//! Inputs that once broke something, and the seeds of the fuzzer, through the fuzz targets.

use std::fs;
use std::path::Path;

#[path = "../../../../fuzz/src/lib.rs"]
mod targets;

/// Runs `target` over everything kept for it; there must be something.
fn run(name: &str, target: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kept = root.join("tests/regressions").join(name);
    let seeds = root.join("../../fuzz/seeds").join(name);
    let mut inputs = Vec::new();
    for directory in [&kept, &seeds] {
        // A target that never failed keeps nothing.
        let Ok(entries) = fs::read_dir(directory) else { continue };
        inputs.extend(entries.map(|entry| entry.expect("a listed file is there").path()));
    }
    assert!(!inputs.is_empty(), "no inputs in {} and {}", kept.display(), seeds.display());
    inputs.sort();
    for input in inputs {
        let bytes = fs::read(&input).unwrap_or_else(|error| panic!("{}: {error}", input.display()));
        if std::panic::catch_unwind(|| target(&bytes)).is_err() {
            panic!("{} breaks it again; see above", input.display());
        }
    }
}

#[test]
fn contracts() {
    run("contracts", targets::contracts);
}

#[test]
fn csv() {
    run("csv", targets::csv);
}

#[test]
fn decimals() {
    run("decimals", targets::decimals);
}

#[test]
fn json() {
    run("json", targets::json);
}

#[test]
fn parquet() {
    run("parquet", targets::parquet);
}

#[test]
fn timestamps() {
    run("timestamps", targets::timestamps);
}

#[test]
fn unpack() {
    run("unpack", targets::unpack);
}
