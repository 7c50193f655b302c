//! `millrace feed`: contracts proposed, looked over and tried on the golden files beside them.

mod golden;
mod infer;
mod lint;
mod test;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use rows::contract::Contract;

use crate::complain::{self, Hint};

/// Arguments of `millrace feed`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Propose a contract for a file that nobody has described; doubts stand in it as comments.
    Infer(infer::Arguments),
    /// Tell everything that is wrong with contracts, and what is doubtful in them.
    Lint(lint::Arguments),
    /// Check the files in X.golden beside X.toml, and compare the reports with what they must be.
    Test(test::Arguments),
}

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Infer(arguments) => infer::run(&arguments),
        Command::Lint(arguments) => lint::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
    }
}

/// The exit code of a command over several contracts.
fn exit_code(could_not: bool, failed: bool) -> ExitCode {
    match (could_not, failed) {
        (true, _) => ExitCode::FAILURE,
        (false, true) => ExitCode::from(3),
        (false, false) => ExitCode::SUCCESS,
    }
}

fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(complain::unreadable).with_context(|| format!("contract {}", path.display()))
}

fn read_contract(path: &Path) -> Result<Contract> {
    let text = read_text(path)?;
    Contract::parse(&text).map_err(Hint::from).with_context(|| format!("contract {}", path.display()))
}
