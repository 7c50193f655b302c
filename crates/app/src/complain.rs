//! How an error that stops a command is told: what, where, why, and what to do next.

use std::process::ExitCode;
use std::{fmt, io};

use anstyle::{AnsiColor, Style};

/// An error with a next step for the user.
#[derive(Debug)]
pub(crate) struct Hint {
    message: String,
    hint: String,
}

impl Hint {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    /// What is wrong, and what to do.
    pub(crate) fn into_parts(self) -> (String, String) {
        (self.message, self.hint)
    }
}

impl From<rows::Refusal> for Hint {
    fn from(refusal: rows::Refusal) -> Self {
        Self { message: refusal.message, hint: refusal.hint }
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hint {}

/// Why a file cannot be read, and what to do: the words of the system say only the first.
pub(crate) fn unreadable(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => Hint::new("no such file", "check the path").into(),
        io::ErrorKind::IsADirectory => Hint::new("is a folder", "name the files in it").into(),
        io::ErrorKind::PermissionDenied => Hint::new("may not be read", "check who may read it").into(),
        io::ErrorKind::InvalidData => Hint::new("is no UTF-8 text", "save it as UTF-8").into(),
        _ => error.into(),
    }
}

const RED: Style = AnsiColor::Red.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default();

/// Tells the error and answers the exit code of a command that could not. A reader of our output that has gone away
/// is no error.
pub(crate) fn about(error: &anyhow::Error) -> ExitCode {
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if error.chain().filter_map(|cause| cause.downcast_ref()).any(gone) {
        return ExitCode::SUCCESS;
    }
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    // the adapters of the engine name an error and then its cause, which may be said in the same words
    let mut told: Vec<&str> = Vec::new();
    causes.iter().for_each(|cause| {
        if told.last() != Some(&cause.as_str()) {
            told.push(cause)
        }
    });
    let _ = write(&mut anstream::stderr(), error, &told);
    ExitCode::FAILURE
}

fn write(to: &mut dyn io::Write, error: &anyhow::Error, told: &[&str]) -> io::Result<()> {
    writeln!(to, "{RED}error{RED:#}: {}", told.join(": "))?;
    let own = error.chain().find_map(|cause| cause.downcast_ref::<Hint>()).map(|hint| hint.hint.as_str());
    match own.or_else(|| crate::data::hint(error)).filter(|hint| !hint.is_empty()) {
        Some(hint) => writeln!(to, "  {CYAN}hint{CYAN:#}: {hint}"),
        None => Ok(()),
    }
}

/// The same for a process that asked another one.
pub(crate) fn tell(to: &mut dyn io::Write, error: &anyhow::Error) -> io::Result<()> {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    let causes: Vec<&str> = causes.iter().map(String::as_str).collect();
    write(to, error, &causes)
}
