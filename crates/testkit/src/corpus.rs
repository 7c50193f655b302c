//! The corpus of real files with known answers: where it is, and each of its files with the contract it is under.
//!
//! How a mapping of the manifest becomes a contract is one file of the tests of `rows`, where it was written first.
//! `rows` depends on none of our crates, not even in tests, so this crate takes the file as it lies there.

use std::path::{Path, PathBuf};

use serde_json::Value;

#[path = "../../rows/tests/it/corpus/mapping.rs"]
#[expect(clippy::unwrap_used, reason = "a manifest of another form fails the test that reads it")]
mod mapping;

/// One mapping of the manifest with the file it is for.
#[derive(Debug, Clone)]
pub struct Case {
    /// Which mapping.
    pub id: String,
    /// The name of the file within the corpus.
    pub file: String,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// `trades`, `bars` or `transactions`.
    pub schema: String,
    /// The contract in TOML that reads the file as the mapping says.
    pub contract: String,
    /// What the reference implementation computed.
    pub expected: Value,
}

/// The folder that `MILLRACE_CORPUS` names, else `../shared/data` beside the project. None, with a line on stderr, if
/// it is not there.
pub fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("MILLRACE_CORPUS") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
    };
    if folder.is_dir() {
        return Some(folder);
    }
    #[expect(clippy::print_stderr, reason = "a test that did not run says so")]
    {
        eprintln!("skipped: there is no folder {}", folder.display());
    }
    None
}

/// Every mapping, in the order of the manifest; nothing if there is no corpus.
pub fn cases() -> Vec<Case> {
    let Some(folder) = folder() else { return Vec::new() };
    let manifest = read_json(&folder, "manifest.json");
    let text = |value: &Value| value.as_str().expect("the manifest has a text here").to_owned();
    let mut cases = Vec::new();
    for file in manifest["files"].as_array().expect("the manifest lists files") {
        for mapping in file["mappings"].as_array().into_iter().flatten() {
            let (id, file) = (text(&mapping["id"]), text(&file["file"]));
            let bytes = read(&folder, &file);
            let contract = mapping::contract_text(&id, mapping, &bytes);
            let expected = read_json(&folder, &format!("expected/{id}.json"));
            cases.push(Case { id, file, bytes, schema: text(&mapping["schema"]), contract, expected });
        }
    }
    assert!(!cases.is_empty(), "the manifest has no mappings");
    cases
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name} of the corpus: {error}"))
}

fn read_json(folder: &Path, name: &str) -> Value {
    serde_json::from_slice(&read(folder, name)).unwrap_or_else(|error| panic!("{name} of the corpus: {error}"))
}
