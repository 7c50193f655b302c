//! `millrace serve`: the whole service on one machine, an HTTP API and an S3 door on a data folder.
//!
//! Both doors listen on ports of their own. What comes in through either is durable before it is answered; what becomes
//! of it is the work of the engine, which runs in the same process.

mod access;
mod alarms;
mod http;
mod intake;
mod listen;
mod log;
mod metrics;
mod notify;
mod otlp;
mod s3;
pub(crate) mod settings;
mod state;
mod watch;

pub(crate) use notify::webhook;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use engine::runtime::Engine;

use crate::data::{Out, Place};
use listen::{Door, Stop};
use notify::Notifier;
use settings::{Flags, Settings};
use state::Service;

/// Arguments of `millrace serve`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    flags: Flags,
    /// Print every setting as it is in force, as TOML, and serve nothing.
    #[arg(long)]
    print_config: bool,
    /// Print the page about all settings, and serve nothing.
    #[arg(long, hide = true)]
    print_settings: bool,
}

/// Threads that answer requests; work on files has threads of its own.
const ANSWERING_THREADS: usize = 2;

/// Serves until the process is told to end.
pub(crate) fn run(arguments: &Arguments, engine: &Arc<Engine>, out: &mut Out<'_>) -> Result<ExitCode> {
    let settings = settings(arguments)?;
    engine.tick_every(settings.aggregate_seconds);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(ANSWERING_THREADS)
        .thread_name("millrace-http")
        .enable_all()
        .build()
        .context("threads to answer requests")?;
    let service = Arc::new(Service::new(engine.clone(), settings)?);
    let notifier = Notifier::start(&service).context("threads to notify")?;
    let watch = watch::start(&service, |service, state| notify::tell_alarm(&service.engine, state))
        .context("a thread that looks on")?;
    let served = runtime.block_on(serve(&service, out));
    // what still blocks is cut off: nothing that was not answered is promised
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    drop(notifier);
    drop(watch);
    served?;
    writeln!(out.notes, "stopped; what was answered is kept")?;
    Ok(ExitCode::SUCCESS)
}

/// What comes before a data folder is opened or made: settings that are refused leave none behind. Whether that was all,
/// because only the settings were asked for.
pub(crate) fn begin(arguments: &Arguments, out: &mut dyn std::io::Write) -> Result<bool> {
    if arguments.print_config {
        let config = crate::data::config(&arguments.place)?;
        let hooks = settings::reference::webhooks(&config.serve.webhook);
        let page = settings(arguments)?.to_toml() + &hooks + &settings::reference::feeds(&config.written);
        out.write_all(page.as_bytes())?;
    } else if arguments.print_settings {
        out.write_all(settings::reference::page().as_bytes())?;
    } else {
        let settings = settings(arguments)?;
        settings.allowed()?;
        settings.tls.as_ref().map(listen::tls).transpose()?;
    }
    Ok(arguments.print_config || arguments.print_settings)
}

fn settings(arguments: &Arguments) -> Result<Settings> {
    let config = crate::data::config(&arguments.place)?;
    Settings::new(config.serve, config.environment, &arguments.flags)
}

async fn serve(service: &Arc<Service>, out: &mut Out<'_>) -> Result<()> {
    let settings = &service.settings;
    let tls = settings.tls.as_ref().map(listen::tls).transpose()?;
    let stop = Stop::on_signal()?;
    service.ends_by(&stop);
    let of_one = settings.limits.source_connections;
    let http = Door::open("http", settings.http, tls.clone(), of_one).await?;
    let s3 = Door::open("s3", settings.s3, tls, of_one).await?;
    let scheme = if settings.tls.is_some() { "https" } else { "http" };
    writeln!(out.notes, "HTTP API  {scheme}://{}", http.address())?;
    writeln!(out.notes, "S3        {scheme}://{}", s3.address())?;
    for bucket in service.buckets() {
        writeln!(out.notes, "          s3://{bucket}")?;
    }
    writeln!(out.notes, "access    {}", settings.access.told())?;
    let routes = http::routes(service);
    let objects = s3::door(service)?;
    tokio::join!(http.serve(routes, &stop), s3.serve(objects, &stop));
    Ok(())
}
