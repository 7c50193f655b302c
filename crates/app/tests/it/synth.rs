//! `millrace synth`, as it is typed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::tempdir;

use super::{stderr, stdout};

fn synth(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    command.arg("synth").args(words).current_dir(folder).env_remove("ENVIRONMENT_SUFFIX");
    command
}

fn run(folder: &Path, words: &[&str]) -> Output {
    synth(folder, words).output().unwrap()
}

#[test]
fn templates_are_written_the_same_each_time() {
    let folder = tempdir().unwrap();
    let output = run(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "", "templates are files");
    let told = stderr(&output);
    for preset in ["files", "market", "transactions"] {
        let path = format!("cfn/{preset}.template.json");
        assert!(told.contains(&format!("wrote {path} with ")), "{told}");
        let text = fs::read_to_string(folder.path().join(path)).unwrap();
        let snapshot = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/tests/snapshots");
        let snapshot = fs::read_to_string(snapshot.join(format!("{preset}.template.json"))).unwrap();
        assert!(text == snapshot, "{preset} is not the snapshot of environment dev");
    }
}

#[test]
fn one_preset_of_another_environment() {
    let folder = tempdir().unwrap();
    let words = ["--preset", "market", "--env", "acme-7", "--arch", "x86_64", "--out", "a/b", "--json"];
    let output = run(folder.path(), &words);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["environment"], "acme-7");
    assert_eq!(summary["templates"][0]["path"], "a/b/market.template.json");
    assert_eq!(summary["templates"].as_array().unwrap().len(), 1);
    let text = fs::read(folder.path().join("a/b/market.template.json")).unwrap();
    assert_eq!(summary["templates"][0]["bytes"], text.len());
    let template: Value = serde_json::from_slice(&text).unwrap();
    let function = &template["Resources"]["DataProcessorFunction"]["Properties"];
    assert_eq!(function["FunctionName"], "DataProcessor-acme-7");
    assert_eq!(function["Architectures"][0], "x86_64");
}

#[test]
fn the_environment_comes_from_the_process_unless_it_is_named() {
    let folder = tempdir().unwrap();
    let output = synth(folder.path(), &["--json"]).env("ENVIRONMENT_SUFFIX", "pr-9").output().unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["environment"], "pr-9");
    let output = synth(folder.path(), &[]).env("ENVIRONMENT_SUFFIX", "No_Good").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("$ENVIRONMENT_SUFFIX: the name of the environment has `N`"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn what_cannot_be_is_said() {
    let folder = tempdir().unwrap();
    let long = "a".repeat(31);
    for (name, said) in [
        ("Dev", "the name of the environment has `D`"),
        (&long, "has 31 characters, and names of buckets and roles have room for 30"),
        ("9", "must begin with a letter"),
    ] {
        let output = run(folder.path(), &["--env", name]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(stderr(&output).contains(said), "{name}: {}", stderr(&output));
    }
    assert_eq!(run(folder.path(), &["--preset", "other"]).status.code(), Some(2));
    fs::write(folder.path().join("taken"), "").unwrap();
    let output = run(folder.path(), &["--out", "taken"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("folder taken: is a file, not a folder"), "{}", stderr(&output));
}
