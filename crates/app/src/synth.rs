//! `millrace synth`: the CloudFormation templates, written into a folder.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use engine::pipeline::preset::Preset;
use infra::json::Json;
use infra::{Architecture, Environment, Package, Settings, file_name, synth, wiring};
use serde::Serialize;

use crate::complain::Hint;

/// Arguments of `millrace synth`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The environment, which all names end with; else $ENVIRONMENT_SUFFIX, else dev.
    ///
    /// Names of buckets are unique among all accounts of the cloud, so take one with something of yours in it.
    #[arg(long, value_name = "NAME")]
    env: Option<Environment>,
    /// The preset to write the template of.
    #[arg(long, value_enum, default_value_t)]
    preset: Which,
    /// The processor that functions run on.
    #[arg(long, value_enum, default_value_t)]
    arch: Arch,
    /// What functions run: a zip in a bucket, or an image of a container.
    #[arg(long, value_enum, default_value_t)]
    package: Pack,
    /// The folder to write to; it is made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "cfn")]
    out: PathBuf,
    /// Print what was written as JSON.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:\n  millrace synth --env acme-dev\n  millrace synth --preset market --out templates";

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    Files,
    Market,
    Transactions,
    #[default]
    All,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum Arch {
    #[default]
    Arm64,
    #[value(name = "x86_64")]
    X86,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Pack {
    #[default]
    Zip,
    Image,
}

impl Which {
    /// The presets that are meant.
    pub(crate) fn presets(self) -> Vec<Preset> {
        match self {
            Self::Files => vec![Preset::Files],
            Self::Market => vec![Preset::Market],
            Self::Transactions => vec![Preset::Transactions],
            Self::All => Preset::ALL.to_vec(),
        }
    }
}

impl Arch {
    /// The same for a template.
    pub(crate) fn architecture(self) -> Architecture {
        match self {
            Self::Arm64 => Architecture::Arm64,
            Self::X86 => Architecture::X86,
        }
    }
}

/// What was written.
#[derive(Debug, Serialize)]
struct Summary {
    environment: String,
    architecture: &'static str,
    templates: Vec<Written>,
}

#[derive(Debug, Serialize)]
struct Written {
    preset: Preset,
    path: PathBuf,
    resources: usize,
    bytes: usize,
}

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let settings = Settings {
        environment: environment(arguments.env)?,
        architecture: arguments.arch.architecture(),
        package: match arguments.package {
            Pack::Zip => Package::Zip,
            Pack::Image => Package::Image,
        },
    };
    let out = &arguments.out;
    let told = || format!("folder {}", out.display());
    fs::create_dir_all(out).map_err(unwritable).with_context(told)?;
    let mut templates = Vec::new();
    for preset in arguments.preset.presets() {
        templates.push(write(out, preset, &settings)?);
    }
    if arguments.json {
        let environment = settings.environment.as_str().to_owned();
        let summary = Summary { environment, architecture: settings.architecture.name(), templates };
        let mut stdout = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut stdout, &summary)?;
        writeln!(stdout)?;
    } else {
        let mut stderr = anstream::stderr();
        for Written { path, resources, .. } in &templates {
            writeln!(stderr, "wrote {} with {resources} resources", path.display())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The environment that was named, in the arguments or in the environment of the process.
pub(crate) fn environment(named: Option<Environment>) -> Result<Environment> {
    if let Some(environment) = named {
        return Ok(environment);
    }
    let name = std::env::var("ENVIRONMENT_SUFFIX").ok().filter(|name| !name.is_empty());
    let name = name.as_deref().unwrap_or("dev");
    let parsed = name.parse::<Environment>();
    parsed.map_err(|error| Hint::new(error.to_string(), "or name another with --env")).context("$ENVIRONMENT_SUFFIX")
}

/// The template of a preset, looked over.
pub(crate) fn checked(preset: Preset, settings: &Settings) -> Result<Json> {
    let template = synth(preset, settings);
    let faults: Vec<String> = wiring::check(&template).iter().map(ToString::to_string).collect();
    if !faults.is_empty() {
        return Err(Hint::new(faults.join("; "), "this is a mistake of Millrace; nothing was written").into());
    }
    Ok(template)
}

fn write(out: &Path, preset: Preset, settings: &Settings) -> Result<Written> {
    let template = checked(preset, settings)?;
    let path = out.join(file_name(preset));
    let text = format!("{template}\n");
    fs::write(&path, &text).map_err(unwritable).with_context(|| format!("template {}", path.display()))?;
    let resources = template.get("Resources").map_or(0, |resources| resources.fields().len());
    Ok(Written { preset, path, resources, bytes: text.len() })
}

/// Why something cannot be written, and what to do.
pub(crate) fn unwritable(error: std::io::Error) -> anyhow::Error {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::PermissionDenied => Hint::new("may not be written", "check who may, or take another --out").into(),
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            Hint::new("is a file, not a folder", "take another --out").into()
        }
        ErrorKind::IsADirectory => Hint::new("is a folder, not a file", "remove it, or take another --out").into(),
        _ => error.into(),
    }
}
