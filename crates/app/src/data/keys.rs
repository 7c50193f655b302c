//! `millrace keys`: who may come in by the doors of `serve`, made, listed and revoked.

pub(crate) mod book;

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use clap::{Args, Subcommand};
use engine::runtime::{Engine, now};
use serde_json::json;

use super::{Out, Place, times};
use crate::table::{self, Cell};
use book::{Book, Key, Secrets};

/// Arguments of `millrace keys`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a key, and print its secrets this once.
    Create(Create),
    /// List all keys, revoked ones too; secrets are not known any more.
    List {
        /// Print one JSON object each.
        #[arg(long)]
        json: bool,
    },
    /// Let a key in no more, from now on.
    Revoke {
        /// Its id, as `keys list` shows it.
        id: String,
        /// Print a JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("whose").required(true).args(["partner", "admin"])))]
struct Create {
    /// For a partner: sees and writes only what lies under `NAME/`.
    #[arg(long, value_name = "NAME")]
    partner: Option<String>,
    /// For whoever runs this: sees everything.
    #[arg(long)]
    admin: bool,
    /// What people call it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    name: String,
    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default();

impl Arguments {
    /// Whether it may be the first thing that is done with a folder.
    pub(super) fn makes(&self) -> bool {
        matches!(self.what, What::Create(_))
    }
}

pub(super) fn run(arguments: &Arguments, engine: &Engine, out: &mut Out<'_>) -> Result<ExitCode> {
    let book = Book::new(engine);
    match &arguments.what {
        What::Create(wanted) => {
            let (key, secrets) = book.create(wanted.partner.as_deref(), &wanted.name, now())?;
            created(&key, &secrets, wanted.json, out)?;
        }
        What::List { json } => list(&book.all()?, *json, out)?,
        What::Revoke { id, json } => {
            let key = book.revoke(id, now())?;
            if *json {
                writeln!(out.data, "{}", serde_json::to_string(&key.view())?)?;
            } else {
                writeln!(out.page, "revoked {id}")?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn created(key: &Key, secrets: &Secrets, json: bool, out: &mut Out<'_>) -> Result<()> {
    if json {
        let mut told = key.view();
        told["apiKey"] = json!(secrets.api_key);
        told["secretAccessKey"] = json!(secrets.secret);
        writeln!(out.data, "{told}")?;
        return Ok(());
    }
    let mut line = |what: &str, said: &str| writeln!(out.page, "{DIM}{what:<18}{DIM:#}{said}");
    line("id", &key.id)?;
    line("for", &key.who())?;
    line("api key", &secrets.api_key)?;
    line("access key id", &key.access_key)?;
    line("secret access key", &secrets.secret)?;
    writeln!(out.notes, "keep the secrets now: they are not shown again")?;
    Ok(())
}

fn list(keys: &[Key], json: bool, out: &mut Out<'_>) -> Result<()> {
    if json {
        for key in keys {
            writeln!(out.data, "{}", key.view())?;
        }
        return Ok(());
    }
    if keys.is_empty() {
        writeln!(out.notes, "there are no keys; make one with `millrace keys create`")?;
        return Ok(());
    }
    let row = |key: &Key| -> Vec<Cell> {
        let state = key.revoked_at.map(|at| Cell::styled(format!("revoked {}", times::clock(at)), RED));
        vec![
            key.id.as_str().into(),
            key.who().into(),
            key.name.as_str().into(),
            key.access_key.as_str().into(),
            times::clock(key.created_at).into(),
            state.unwrap_or_else(|| "good".into()),
        ]
    };
    let heading = ["id", "for", "name", "access key id", "made (UTC)", "state"];
    table::print(out.page, &heading, &keys.iter().map(row).collect::<Vec<_>>())?;
    Ok(())
}
