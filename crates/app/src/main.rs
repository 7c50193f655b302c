//! The `millrace` binary: the command line around the row engine and the pipeline.
//!
//! Data goes to standard output, everything else to standard error. Exit codes: 0 all good, 1 could not, 2 usage,
//! 3 some rows or files were rejected, or a contract or its golden files failed.

mod check;
mod cloud;
mod complain;
mod data;
mod estimate;
mod feed;
mod limits;
mod scratch;
mod serve;
mod size;
mod synth;
mod table;
mod upload;
mod webhooks;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// The allocator of musl, which the static program of the image is made with, has its threads wait for each other.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Validates the files that partners send, row by row, and adds them up exactly.
#[derive(Debug, Parser)]
#[command(name = "millrace", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 all good, 1 could not, 2 usage, 3 some rows or files were rejected";

#[derive(Debug, Subcommand)]
enum Command {
    /// Check files against a contract and add them up; nothing is stored.
    Check(check::Arguments),
    #[command(flatten)]
    Data(data::Ask),
    /// Send files to a running service.
    Upload(upload::Arguments),
    /// List the webhooks, and try them.
    Webhooks(webhooks::Arguments),
    /// Propose, look over and test contracts.
    Feed(feed::Arguments),
    /// Write the CloudFormation templates of an environment.
    Synth(synth::Arguments),
    /// Make or change the stacks of an environment on AWS.
    Deploy(cloud::DeployArguments),
    /// Tell names, URLs and ARNs of the stacks of an environment.
    Outputs(cloud::OutputsArguments),
    /// Delete the stacks of an environment, and the files in their buckets if you say so.
    Destroy(cloud::DestroyArguments),
    /// Estimate what a month on AWS would cost.
    Estimate(estimate::Arguments),
    /// Print the completions of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| from_variable(error).exit());
    let result = match cli.command {
        Command::Check(arguments) => check::run(arguments),
        Command::Data(ask) => data::run(ask),
        Command::Upload(arguments) => upload::run(&arguments),
        Command::Webhooks(arguments) => webhooks::run(&arguments),
        Command::Feed(arguments) => feed::run(arguments),
        Command::Synth(arguments) => synth::run(arguments),
        Command::Deploy(arguments) => cloud::deploy(arguments),
        Command::Outputs(arguments) => cloud::outputs(arguments),
        Command::Destroy(arguments) => cloud::destroy(arguments),
        Command::Estimate(arguments) => estimate::run(arguments),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "millrace", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    match result {
        Ok(code) => code,
        Err(error) => complain::about(&error),
    }
}

/// A mistake about a value, which names the variable when the value comes from there and not from a flag.
fn from_variable(mut error: clap::Error) -> clap::Error {
    use clap::error::{ContextKind, ContextValue};
    let text = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let (Some(told), Some(value)) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue)) else {
        return error;
    };
    let flag = told.split([' ', '=']).next().unwrap_or_default().to_owned();
    // words need not be text
    let is_flag = |word: std::ffi::OsString| {
        let rest = word.as_encoded_bytes().strip_prefix(flag.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"="))
    };
    if std::env::args_os().any(is_flag) {
        return error;
    }
    let command = Cli::command();
    let mut arguments = command.get_subcommands().flat_map(clap::Command::get_arguments);
    let is_it = |argument: &&clap::Arg| {
        argument.get_long().is_some_and(|long| flag == format!("--{long}"))
            && argument.get_env().and_then(std::env::var_os).is_some_and(|set| set.to_string_lossy().contains(&value))
    };
    if let Some(variable) = arguments.find(is_it).and_then(clap::Arg::get_env) {
        let variable = format!("the variable {}", variable.to_string_lossy());
        error.insert(ContextKind::InvalidArg, ContextValue::String(variable));
    }
    error
}

/// What another process asked for, as if it had been typed here.
fn parse_ask(words: &[String]) -> Result<data::Ask, String> {
    let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
    match cli.command {
        Command::Data(ask) => Ok(ask),
        _ => Err("only commands on a data folder can be asked of the process that has it".to_owned()),
    }
}
