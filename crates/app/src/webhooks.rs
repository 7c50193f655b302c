//! `millrace webhooks`: those that are declared, and an event to try them with.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use engine::runtime::now;
use rows::time::rfc3339;
use serde_json::json;

use crate::complain::Hint;
use crate::data::Place;
use crate::serve::webhook::{self, Answer, Webhook, agent};
use crate::table;

/// Arguments of `millrace webhooks`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the webhooks of the settings.
    List {
        /// Print one JSON object per webhook.
        #[arg(long)]
        json: bool,
    },
    /// Send an event `test` to webhooks, signed as all events are, and say what they answered.
    Test {
        /// Only to these.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Print one JSON object per webhook.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let written = crate::data::config(&arguments.place)?.serve.webhook;
    let webhooks = crate::serve::settings::webhooks(&written)?;
    let (mut out, mut code) = (anstream::stdout(), ExitCode::SUCCESS);
    match &arguments.command {
        Command::List { json: true } => {
            for webhook::Written { name, url, events, .. } in &written {
                writeln!(out, "{}", json!({ "name": name, "url": url, "events": events }))?;
            }
        }
        Command::List { json: false } => {
            let row = |of: &webhook::Written| -> Vec<table::Cell> {
                vec![of.name.as_str().into(), of.url.as_str().into(), of.events.join(" ").into()]
            };
            let rows: Vec<Vec<table::Cell>> = written.iter().map(row).collect();
            table::print(&mut out, &["webhook", "address", "events"], &rows)?;
        }
        Command::Test { names, json } => {
            for webhook in chosen(&webhooks, names)? {
                let answer = test(webhook);
                let (taken, said) = match &answer {
                    Answer::Taken(status) => (true, format!("taken, answered {status}")),
                    Answer::Refused(why) => (false, why.clone()),
                };
                let line = if *json {
                    json!({ "name": webhook.name, "taken": taken, "answer": said }).to_string()
                } else {
                    format!("{}: {said}", webhook.name)
                };
                writeln!(out, "{line}")?;
                if !taken {
                    code = ExitCode::FAILURE;
                }
            }
        }
    }
    Ok(code)
}

fn chosen<'w>(webhooks: &'w [Webhook], names: &[String]) -> Result<Vec<&'w Webhook>> {
    if webhooks.is_empty() {
        let hint = "write [[serve.webhook]] with name, url and secret into millrace.toml";
        return Err(Hint::new("no webhook is declared", hint).into());
    }
    if names.is_empty() {
        return Ok(webhooks.iter().collect());
    }
    let known: Vec<&str> = webhooks.iter().map(|webhook| webhook.name.as_str()).collect();
    let find = |name: &String| {
        webhooks.iter().find(|webhook| webhook.name == *name).ok_or_else(|| {
            Hint::new(format!("there is no webhook `{name}`"), format!("declared are: {}", known.join(", "))).into()
        })
    };
    names.iter().map(find).collect()
}

fn test(webhook: &Webhook) -> Answer {
    let at = now();
    let time = rfc3339(i64::try_from(at).unwrap_or(i64::MAX).saturating_mul(1_000_000));
    let id = format!("evt_test_{at}");
    let body = json!({ "id": id, "type": "test", "timestamp": time, "data": { "webhook": webhook.name } });
    webhook.send(&agent(), &id, at / 1000, &body.to_string())
}
