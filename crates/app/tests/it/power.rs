//! A loss of power: of what the program wrote, a disk has what was synced, and of the rest any part or nothing.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::tempdir;

use super::{stderr, stdout};

fn power(arguments: &[&str]) -> Output {
    let folder = tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power/power.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(env!("CARGO_BIN_EXE_millrace")).arg(folder.path().join("work")).args(arguments);
    command.output().expect("python3 runs")
}

#[test]
#[expect(clippy::print_stderr, reason = "who looks is told what was done, or why nothing was")]
fn what_was_answered_is_there_after_a_loss_of_power() {
    let output = power(&["--cuts", "8"]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    eprintln!("{}", stdout(&output).lines().last().unwrap_or_default());
}

/// The check can fail: had files, or the journal, not been synced, it would say so.
#[test]
fn what_is_not_synced_is_missed() {
    for forgotten in ["/objects/", "/store/"] {
        let output = power(&["--cuts", "16", "--forget", forgotten]);
        let skipped = stdout(&output).contains("SKIPPED");
        // that is what `doctor`, or a look for what was answered, comes to
        let missed = !output.status.success() && stderr(&output).contains("AssertionError");
        assert!(skipped || missed, "{forgotten}: {}{}", stdout(&output), stderr(&output));
    }
}
