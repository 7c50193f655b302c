//! `millrace outputs`: names, URLs and ARNs of the stacks of an environment, flat in one file.
//!
//! Each is there with its preset before its name (`filesBucketName`). Under its own name (`bucketName`) it is there too
//! unless two stacks mean different things by it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use engine::pipeline::preset::Preset;
use infra::{names::capitals, preset_name};

use super::stack::Stack;
use super::{Place, Target, existing};
use crate::complain::Hint;
use crate::synth::unwritable;
use crate::table;

/// Arguments of `millrace outputs`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  millrace outputs --env acme-dev --json | jq -r .apiEndpoint")]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
}

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let place = &arguments.place;
    let target = place.target()?;
    let stacks = existing(&target, &target.presets)?;
    let stacks: Vec<(Preset, Stack)> = stacks.into_iter().filter(|(_, stack)| !stack.is_empty()).collect();
    if stacks.is_empty() {
        let names: Vec<String> = target.presets.iter().map(|preset| target.stack_name(*preset)).collect();
        let what = format!("none of the stacks {} is in {}", names.join(", "), target.program.region());
        return Err(Hint::new(what, "check --env, --region and --profile, or make them with `millrace deploy`").into());
    }
    let flat = flat(&stacks);
    write(&place.out, &flat)?;
    let mut stdout = anstream::stdout().lock();
    if place.json {
        serde_json::to_writer_pretty(&mut stdout, &flat)?;
        writeln!(stdout)?;
    } else {
        let rows: Vec<_> = flat.iter().map(|(name, value)| vec![name.as_str().into(), value.as_str().into()]).collect();
        table::print(&mut stdout, &["name", "value"], &rows)?;
        told(&place.out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the outputs of all stacks of the environment, whichever of them were changed; takes the file away when there
/// is none any more.
pub(super) fn refresh(target: &Target, out: &Path) -> Result<BTreeMap<String, String>> {
    let stacks = existing(target, &Preset::ALL)?;
    let flat = flat(&stacks);
    if flat.is_empty() {
        match fs::remove_file(out) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unwritable(error)),
            _ => return Ok(flat),
        }
    }
    write(out, &flat)?;
    told(out)?;
    Ok(flat)
}

fn told(out: &Path) -> std::io::Result<()> {
    writeln!(anstream::stderr(), "wrote {}", out.display())
}

fn flat(stacks: &[(Preset, Stack)]) -> BTreeMap<String, String> {
    let mut plain: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut flat = BTreeMap::new();
    for (preset, stack) in stacks {
        for (name, value) in stack.outputs() {
            flat.insert(preset_name(*preset).to_owned() + &capitals(&name), value.clone());
            plain.entry(name).or_default().insert(value);
        }
    }
    for (name, values) in plain {
        if let [value] = values.into_iter().collect::<Vec<_>>().as_slice() {
            flat.insert(name, value.clone());
        }
    }
    flat
}

fn write(out: &Path, flat: &BTreeMap<String, String>) -> Result<()> {
    let told = || format!("--out {}", out.display());
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(unwritable).with_context(told)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(unwritable).with_context(told)?;
    serde_json::to_writer_pretty(&mut file, flat)?;
    writeln!(file)?;
    file.persist(out).map_err(|error| unwritable(error.error)).with_context(told)?;
    Ok(())
}
