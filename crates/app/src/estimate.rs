//! `millrace estimate`: what a month on AWS would cost for given volumes, line by line, with the prices it is made from.

mod model;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use engine::pipeline::preset::Preset;
use infra::preset_name;
use serde::{Deserialize, Serialize};

use crate::complain::{Hint, unreadable};
use crate::size;
use crate::synth::{Arch, Which};
use crate::table;

/// The prices that ship with the program.
const PRICES: &str = include_str!("estimate/prices.json");

/// Arguments of `millrace estimate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The preset; with all, each of the three has these volumes.
    #[arg(long, value_enum, default_value_t = Which::Files)]
    preset: Which,
    /// Files in a month.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    files: u64,
    /// The size of a file.
    #[arg(long, value_name = "SIZE", default_value = "1MB", value_parser = size::parse)]
    file_bytes: u64,
    /// Rows of a file.
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    rows: u64,
    /// Requests to the API in a month: status of files, single records of market, uploads of transactions.
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    requests: u64,
    /// Which month since the beginning: what came before is stored too, where it does not expire.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=120))]
    month: u32,
    /// The processor that functions run on.
    #[arg(long, value_enum, default_value_t)]
    arch: Arch,
    /// A file with other prices and assumptions, in the form that --print-prices shows.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Print the prices and assumptions that ship with Millrace, to change and give with --prices.
    #[arg(long)]
    print_prices: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:\n  millrace estimate --files 50000 --file-bytes 20MB --rows 200000\n  \
                        millrace estimate --preset market --requests 100000000 --month 12 --json\n  \
                        millrace estimate --print-prices > prices.json";

/// Prices, and what is assumed about the work.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct List {
    region: String,
    date: String,
    source: String,
    currency: String,
    prices: BTreeMap<String, f64>,
    assumptions: BTreeMap<String, f64>,
}

/// One line of the bill.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Line {
    preset: Preset,
    service: &'static str,
    what: &'static str,
    quantity: f64,
    price: f64,
    cost: f64,
}

#[derive(Debug, Serialize)]
struct Bill {
    region: String,
    price_date: String,
    price_source: String,
    currency: String,
    month: u32,
    lines: Vec<Line>,
    total: f64,
    not_counted: &'static str,
}

const NOT_COUNTED: &str = "free tier, discounts, tax, support, data that leaves the region";

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let mut stdout = anstream::stdout().lock();
    if arguments.print_prices {
        write!(stdout, "{PRICES}")?;
        return Ok(ExitCode::SUCCESS);
    }
    let list = list(&arguments)?;
    let volumes = model::Volumes {
        files: arguments.files as f64,
        file_bytes: arguments.file_bytes as f64,
        rows: arguments.rows as f64,
        requests: arguments.requests as f64,
        month: f64::from(arguments.month),
        architecture: arguments.arch.architecture(),
    };
    let mut lines = Vec::new();
    for preset in arguments.preset.presets() {
        lines.extend(model::lines(preset, &volumes, &list)?);
    }
    let bill = Bill {
        region: list.region,
        price_date: list.date,
        price_source: list.source,
        currency: list.currency,
        month: arguments.month,
        total: lines.iter().map(|line| line.cost).sum(),
        lines,
        not_counted: NOT_COUNTED,
    };
    if arguments.json {
        serde_json::to_writer_pretty(&mut stdout, &bill)?;
        writeln!(stdout)?;
    } else {
        show(&mut stdout, &bill)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(arguments: &Arguments) -> Result<List> {
    let Some(path) = &arguments.prices else { return Ok(serde_json::from_str(PRICES)?) };
    let told = || format!("--prices {}", path.display());
    let text = std::fs::read_to_string(path).map_err(unreadable).with_context(told)?;
    let list: List = serde_json::from_str(&text)
        .map_err(|error| Hint::new(error.to_string(), "begin with what --print-prices prints"))
        .with_context(told)?;
    let all = list.prices.iter().chain(&list.assumptions);
    if let Some((name, value)) = all.into_iter().find(|(_, value)| !(value.is_finite() && **value >= 0.0)) {
        return Err(Hint::new(format!("{name} is {value}"), "give a number that is not negative")).with_context(told);
    }
    Ok(list)
}

fn show(to: &mut dyn Write, bill: &Bill) -> std::io::Result<()> {
    let row = |line: &Line| {
        vec![
            preset_name(line.preset).into(),
            line.service.into(),
            line.what.into(),
            amount(line.quantity).into(),
            format!("{:.2}", line.cost).into(),
        ]
    };
    let mut rows: Vec<Vec<table::Cell>> = bill.lines.iter().map(row).collect();
    rows.push(vec!["total".into(), "".into(), "".into(), "".into(), format!("{:.2}", bill.total).into()]);
    let cost = format!(">{} a month", bill.currency);
    table::print(to, &["preset", "service", "what", ">quantity", &cost], &rows)?;
    let Bill { region, price_date, price_source, not_counted, month, .. } = bill;
    writeln!(to, "month {month}; prices of {region}, {price_date}: {price_source}")?;
    writeln!(to, "not counted: {not_counted}")
}

/// A quantity: whole if it is large, with its digits if it is small.
fn amount(quantity: f64) -> String {
    if quantity >= 100.0 { size::count(quantity.round() as u64) } else { format!("{quantity:.2}") }
}
