//! Snapshots: each template whole. `./just snap` accepts what is made now; read the diff.

use std::fs;
use std::path::{Path, PathBuf};

use infra::{file_name, synth};
use pipeline::preset::Preset;

use crate::settings;

/// Compares a text with the file that holds what it was, or makes it the new one.
pub(crate) fn check(path: &Path, text: &str) {
    // the variable by which `./just snap` asks for it
    if std::env::var_os("INSTA_UPDATE").is_some_and(|update| update == "always") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        return;
    }
    let before = fs::read_to_string(path).unwrap_or_default();
    let line = before.lines().zip(text.lines()).position(|(before, now)| before != now);
    let line = line.unwrap_or_else(|| before.lines().count().min(text.lines().count())) + 1;
    assert!(before == text, "{}:{line} is not what is made now; `./just snap` accepts it", path.display());
}

/// From the root of the project.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

#[test]
fn templates_are_what_they_were() {
    for preset in Preset::ALL {
        let text = synth(preset, &settings("dev")).to_string() + "\n";
        check(&root().join("crates/infra/tests/snapshots").join(file_name(preset)), &text);
    }
}
