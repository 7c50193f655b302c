//! The program as people use it, and the rules of the project.
#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

mod access;
mod client;
mod cloud;
mod conformance;
mod crash;
mod crash_serve;
mod data;
mod estimate;
mod hostile;
mod overload;
mod power;
mod replay;
mod s3;
mod serve_http;
mod server;
mod synth;
mod tidy;
mod upload;
mod webhooks;

use std::path::Path;
use std::process::{Command, Output};

/// The program, on a data folder.
fn millrace(data: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    // the folder of the data is where settings are looked for
    command.args(words).args(["--data", "data"]).current_dir(data);
    command
}

/// Runs it to its end.
fn run(data: &Path, words: &[&str]) -> Output {
    millrace(data, words).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
