//! `millrace.toml`: the feeds, and what the buckets are called.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use engine::pipeline::feed::{Fault, Feeds, Written};
use rows::contract::Contract;
use serde::Deserialize;

use crate::complain::{self, Hint};
use crate::serve::settings;

/// The settings.
pub(crate) struct Config {
    pub feeds: Feeds,
    pub environment: String,
    /// The feeds as they are written.
    pub written: Vec<Written>,
    /// What the service is told.
    pub serve: settings::Written,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    environment: Option<String>,
    #[serde(default)]
    feed: Vec<Written>,
    #[serde(default)]
    serve: settings::Written,
}

const NAME: &str = "millrace.toml";
const ENVIRONMENT: &str = "dev";

/// Why the feeds are of no use.
enum Wrong {
    Feed(Fault),
    /// Of this name.
    Contract(String, anyhow::Error),
}

impl From<Fault> for Wrong {
    fn from(fault: Fault) -> Self {
        Self::Feed(fault)
    }
}

/// Reads the settings of a file, or `millrace.toml` if it is here, or takes the defaults.
pub(super) fn read(path: Option<&Path>) -> Result<Config> {
    let here = PathBuf::from(NAME);
    let path = match path {
        Some(path) => path,
        None if here.exists() => &here,
        None => return defaults(),
    };
    let told = || format!("settings {}", path.display());
    let text = std::fs::read_to_string(path).map_err(complain::unreadable).with_context(told)?;
    let mut file: File = rows::settings::read(&text).map_err(Hint::from).with_context(told)?;
    let lines = |head, field, value: &str| rows::settings::lines_of(&text, head, field, value);
    let at = |line: Option<&usize>| line.map_or_else(told, |line| format!("{}, line {line}", told()));
    for place in 0..file.serve.webhook.len() {
        let (before, from) = file.serve.webhook.split_at_mut(place);
        let Some(webhook) = from.first_mut() else { continue };
        let same = before.iter().filter(|other| other.name == webhook.name).count();
        webhook.line = lines("[[serve.webhook]]", "name", &webhook.name).get(same).copied();
    }
    let beside = path.parent().unwrap_or(Path::new(""));
    let written = file.feed.clone();
    let found = |name: &str| contract(name, beside).map_err(|error| Wrong::Contract(name.to_owned(), error));
    let feeds = Feeds::new(file.feed, found).map_err(|wrong| match wrong {
        Wrong::Feed(fault) => {
            let same = written.iter().take(fault.place).filter(|other| other.name == fault.feed).count();
            let line = at(lines("[[feed]]", "name", &fault.feed).get(same));
            anyhow::Error::from(Hint::new(fault.to_string(), fault.hint)).context(line)
        }
        // the first that names it is read first
        Wrong::Contract(name, error) => error.context(at(lines("[[feed]]", "contract", &name).first())),
    });
    let environment = environment(file.environment);
    Ok(Config { feeds: feeds?, environment, written, serve: file.serve })
}

fn defaults() -> Result<Config> {
    let (feeds, serve) = (Feeds::default(), settings::Written::default());
    Ok(Config { feeds, environment: environment(None), written: Vec::new(), serve })
}

/// What is written, else what the environment of the process says, as the templates do.
fn environment(written: Option<String>) -> String {
    let of_process = || std::env::var("ENVIRONMENT_SUFFIX").ok().filter(|suffix| !suffix.is_empty());
    written.or_else(of_process).unwrap_or_else(|| ENVIRONMENT.to_owned())
}

/// A built-in contract, or a file beside the settings.
fn contract(name: &str, beside: &Path) -> Result<Contract> {
    let is_file = name.contains(['/', '\\']) || name.ends_with(".toml");
    let name = if is_file { beside.join(name).display().to_string() } else { name.to_owned() };
    crate::check::contract(&name)
}
