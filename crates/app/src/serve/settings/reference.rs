//! The page about the settings (docs/settings.md): from the command line, which knows each with its words, and from the
//! values that are in force when nothing is said.

use clap::{Arg, CommandFactory};
use engine::pipeline::feed::{OnPoison, Written as Feed};

use super::{Flags, Settings, Written};
use crate::serve::notify::webhook::Written as Webhook;

const HEAD: &str = "# Settings

What `millrace serve` is told: in `millrace.toml` (or the file of `--config`), overridden by the environment, overridden by
the command line. `millrace serve --print-config` prints what is in force. A mistake in the file is told with its line.
This page is `millrace serve --print-settings`; a test compares it.

";

const FEEDS: &str = "
## Feeds

Each `[[feed]]` of the file declares one; the first that fits takes a file. Without any, each preset has one that is called
after it and takes every key. They have neither flags nor variables.

| key of `[[feed]]` | without it | what it is |
|---|---|---|
| `name` | must be there | its name: 1 to 128 visible characters |
| `preset` | must be there | `files`, `market` or `transactions` |
| `keys` | `\"*\"` | keys of its objects; `*` stands for any text |
| `contract` | the header decides | a built-in contract, or a TOML file beside the settings |
| `interval` | `\"1m\"` | the shortest bars that can be asked for |
| `zone` | UTC | in which zone hours and days begin |
| `settle` | `\"1m\"` | for how long after its end, or after its first file, a window is open |
| `on_poison` | `\"skip_and_mark\"` | files behind one that cannot be worked on go on, or wait (`\"park\"`) |
";

const WEBHOOKS: &str = "
## Webhooks

Each `[[serve.webhook]]` declares one; what they hear is in [serve.md](serve.md).

| key of `[[serve.webhook]]` | without it | what it is |
|---|---|---|
| `name` | must be there | its name |
| `url` | must be there | where events are posted to |
| `secret` | `secret_env` must be there | what events are signed with: `whsec_` and at least 24 bytes in base64 |
| `secret_env` | `secret` must be there | the variable of the environment that has the secret |
| `events` | `[\"*\"]` | events it wants to hear; `*` is all, `file.*` those that begin so |
";

/// The settings when nothing is said.
fn standard() -> Option<Settings> {
    let flags = Flags {
        http: None,
        s3: None,
        access: None,
        tls_certificate: None,
        tls_key: None,
        hosts: Vec::new(),
        cors: Vec::new(),
        log: None,
        log_days: None,
        otlp: None,
        upload_bytes_max: None,
        ingest_bytes_max: None,
        ingest_records_max: None,
        piece_seconds: None,
        own_buckets: None,
        aggregate_seconds: None,
        limits: Default::default(),
        alarms: Default::default(),
    };
    Settings::new(Written::default(), "dev".to_owned(), &flags).ok()
}

/// Where a setting stands in the file.
fn key_of(argument: &Arg) -> Option<String> {
    let (id, variable) = (argument.get_id().as_str(), argument.get_env()?.to_str()?);
    let name = variable.strip_prefix("MILLRACE_")?.to_lowercase();
    let key = match name.split_once('_') {
        Some((table @ ("limits" | "alarms" | "tls"), rest)) => format!("serve.{table}.{rest}"),
        _ => format!("serve.{id}"),
    };
    (!["data", "config"].contains(&id)).then_some(key)
}

/// The whole page.
pub(crate) fn page() -> String {
    let command = crate::Cli::command();
    let arguments = command.find_subcommand("serve").into_iter().flat_map(clap::Command::get_arguments);
    let told = standard().map(|settings| settings.to_toml()).unwrap_or_default();
    let mut page = HEAD.to_owned();
    page.push_str("| key | without it | variable | flag | what it is |\n|---|---|---|---|---|\n");
    page.push_str("| `environment` | `\"dev\"` | `ENVIRONMENT_SUFFIX`, when it is not in the file | - | what the names of buckets end in |\n");
    for argument in arguments {
        let Some(variable) = argument.get_env() else { continue };
        let key = key_of(argument);
        let standard = match &key {
            Some(key) => value_of(&told, key),
            None => argument.get_default_values().first().map(|value| value.to_string_lossy().into_owned()),
        };
        let code = |text: String| format!("`{text}`");
        let cells = [
            key.map_or_else(|| "-".to_owned(), code),
            standard.map_or_else(|| "-".to_owned(), code),
            code(variable.to_string_lossy().into_owned()),
            argument.get_long().map_or_else(|| "-".to_owned(), |flag| format!("`--{flag}`")),
            about(argument),
        ];
        page.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    page + FEEDS + WEBHOOKS
}

/// What a setting is, with the words it may have.
fn about(argument: &Arg) -> String {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let words = argument.get_possible_values();
    let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.get_name())).collect();
    let words = if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) };
    format!("{}{words}", help.trim_end_matches('.').replace('|', "\\|"))
}

/// The value of a key in settings as they would be written; none when it is not set.
fn value_of(told: &str, key: &str) -> Option<String> {
    let (table, name) = key.rsplit_once('.')?;
    let section = told.split("\n[").find(|section| section.starts_with(&format!("{table}]")))?;
    section.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = ")).map(str::to_owned)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Webhooks as they would be written, but for what nobody should read.
pub(crate) fn webhooks(webhooks: &[Webhook]) -> String {
    let mut page = String::new();
    for Webhook { name, url, secret, secret_env, events, .. } in webhooks {
        page.push_str(&format!("\n[[serve.webhook]]\nname = {}\nurl = {}\n", quoted(name), quoted(url)));
        page.push_str(if secret.is_some() { "# secret = \"whsec_…\" is not shown\n" } else { "" });
        page.extend(secret_env.as_ref().map(|name| format!("secret_env = {}\n", quoted(name))));
        let events: Vec<String> = events.iter().map(|event| quoted(event)).collect();
        page.push_str(&format!("events = [{}]\n", events.join(", ")));
    }
    page
}

/// Feeds as they would be written.
pub(crate) fn feeds(feeds: &[Feed]) -> String {
    let mut page = String::new();
    for feed in feeds {
        let preset = crate::serve::metrics::preset_word(feed.preset);
        let poison = if feed.on_poison == OnPoison::Park { "park" } else { "skip_and_mark" };
        page.push_str(&format!("\n[[feed]]\nname = {}\npreset = \"{preset}\"\n", quoted(&feed.name)));
        page.push_str(&format!("keys = {}\n", quoted(&feed.keys)));
        for (name, value) in [("contract", &feed.contract), ("zone", &feed.zone)] {
            page.extend(value.as_ref().map(|value| format!("{name} = {}\n", quoted(value))));
        }
        page.push_str(&format!("interval = {}\nsettle = {}\n", quoted(&feed.interval), quoted(&feed.settle)));
        page.push_str(&format!("on_poison = \"{poison}\"\n"));
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_the_program_prints() {
        let told = include_str!("../../../../../docs/settings.md");
        assert!(told == page(), "write it anew: millrace serve --print-settings > docs/settings.md");
    }

    #[test]
    fn every_key_is_on_the_page_and_has_a_variable() {
        let page = page();
        let told = standard().unwrap().to_toml();
        let mut table = String::new();
        for line in told.lines() {
            if let Some(name) = line.strip_prefix('[') {
                table = format!("{}.", name.trim_end_matches(']'));
            } else if let Some((name, _)) = line.trim_start_matches("# ").split_once(" = ") {
                let name = if name == "tls" { "tls.certificate" } else { name };
                assert!(page.contains(&format!("| `{table}{name}` |")), "{table}{name} is not on the page");
            }
        }
        let feed = include_str!("../../../../pipeline/src/feed.rs");
        let webhook = include_str!("../notify/webhook.rs");
        for source in [feed, webhook] {
            let fields = source.split(" struct Written {").nth(1).and_then(|rest| rest.split("\n}").next()).unwrap();
            let fields = fields.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':'));
            for (name, _) in fields {
                assert!(page.contains(&format!("\n| `{name}` |")), "{name} is not on the page");
            }
        }
    }

    #[test]
    fn what_is_printed_can_be_read() {
        let told = standard().unwrap().to_toml();
        let read = rows::settings::read::<serde_json::Value>(&told).unwrap();
        assert_eq!(read["serve"]["limits"]["status_per_second"], 1000);
        let written: Written = serde_json::from_value(read["serve"].clone()).unwrap();
        assert_eq!(written.log_days, Some(7));
    }
}
