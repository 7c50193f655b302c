//! Which property of which resource meets which requirement, and the page that tells it.
//!
//! The requirements are in `requirements/*.txt`, one file for each preset: a line with an id and what is wanted, below it
//! indented lines with what meets it. The id is the document, its section, and the place in the section; `millrace` is what
//! the design asks beyond the documents. A line of evidence is
//!
//! - `Resource path = value`: a property of one resource. Steps of a path are keys, places in a list, or `Key:Value` for
//!   the one in a list whose key has that value; a dot within a key is written `_`.
//! - `every Type path = value`: a property of every resource of a type, or of all with `*`.
//! - `Outputs path = value`.
//! - `! words`: where else it is met, or what was decided instead.
//!
//! The value `*` is any, and `-` is none.

use std::fmt::Write;

use pipeline::preset::Preset;

use crate::json::Json;
use crate::stack::preset_name;
use crate::wiring::plain;
use crate::{Environment, Settings, synth};

/// A requirement and what meets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The document, the section, and the place in it.
    pub id: String,
    /// What is wanted.
    pub wanted: String,
    /// What meets it in the template.
    pub evidence: Vec<Evidence>,
    /// What else is to be said.
    pub notes: Vec<String>,
}

/// A property that must be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Of one resource, of every resource of a type (`every …`), or of the outputs.
    pub of: String,
    /// Which property.
    pub path: String,
    /// What it must be.
    pub value: String,
}

/// A requirement that a template does not meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// Which.
    pub id: String,
    /// The evidence that does not hold.
    pub evidence: String,
    /// What is there instead.
    pub found: String,
}

/// The requirements of a preset.
///
/// # Panics
///
/// If the text of them cannot be read, which a test would have said.
pub fn of(preset: Preset) -> Vec<Requirement> {
    parse(match preset {
        Preset::Files => include_str!("requirements/files.txt"),
        Preset::Market => include_str!("requirements/market.txt"),
        Preset::Transactions => include_str!("requirements/transactions.txt"),
    })
}

fn parse(text: &str) -> Vec<Requirement> {
    let mut requirements: Vec<Requirement> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let Some(inside) = line.strip_prefix("  ") else {
            let (id, wanted) = line.split_once(": ").unwrap_or_else(|| panic!("`{line}` has no words"));
            let (id, wanted) = (id.to_owned(), wanted.to_owned());
            requirements.push(Requirement { id, wanted, evidence: Vec::new(), notes: Vec::new() });
            continue;
        };
        let last = requirements.last_mut().unwrap_or_else(|| panic!("`{line}` belongs to no requirement"));
        if let Some(note) = inside.strip_prefix("! ") {
            last.notes.push(note.to_owned());
            continue;
        }
        let (what, value) = inside.split_once(" = ").unwrap_or_else(|| panic!("`{line}` has no value"));
        let (of, path) = what.rsplit_once(' ').unwrap_or_else(|| panic!("`{line}` has no path"));
        last.evidence.push(Evidence { of: of.to_owned(), path: path.to_owned(), value: value.to_owned() });
    }
    requirements
}

impl Evidence {
    /// What is found in a template: for each thing that it is about, its name and the value.
    fn look(&self, template: &Json) -> Vec<(String, Option<String>)> {
        let value = |at: Option<&Json>| at.and_then(|at| find(at, &self.path)).map(plain);
        if self.of == "Outputs" {
            return vec![("Outputs".to_owned(), value(template.get("Outputs")))];
        }
        let kind = self.of.strip_prefix("every ");
        let resources = template.get("Resources").map(Json::fields).unwrap_or_default().iter();
        let about = resources.filter(|(id, entry)| match kind {
            Some("*") => true,
            Some(kind) => entry.get("Type").and_then(Json::text) == Some(kind),
            None => *id == self.of,
        });
        about
            .map(|(id, entry)| {
                let is_policy = self.path == "DeletionPolicy" || self.path == "UpdateReplacePolicy";
                let at = if is_policy { Some(entry) } else { entry.get("Properties") };
                (id.clone(), value(at))
            })
            .collect()
    }

    fn holds(&self, found: Option<&str>) -> bool {
        match (self.value.as_str(), found) {
            ("-", found) => found.is_none(),
            // a value that is `*` itself is any too
            ("*", found) => found.is_some(),
            (value, found) => found == Some(value),
        }
    }
}

/// What is at a path, as the evidence writes paths.
fn find<'a>(value: &'a Json, path: &str) -> Option<&'a Json> {
    path.split('.').try_fold(value, |value, step| match value {
        Json::List(values) => match step.parse::<usize>() {
            Ok(at) => values.get(at),
            Err(_) => {
                let (key, wanted) = step.split_once(':')?;
                values.iter().find(|value| value.get(key).and_then(Json::text) == Some(wanted))
            }
        },
        _ => value.get(step).or_else(|| {
            let fields = value.fields().iter();
            fields.filter(|(key, _)| key.replace('.', "_") == step).map(|(_, value)| value).next()
        }),
    })
}

/// The requirements that a template does not meet, and those that nothing is said about.
pub fn unmet(requirements: &[Requirement], template: &Json) -> Vec<Unmet> {
    let mut unmet = Vec::new();
    for requirement in requirements {
        let told = |evidence: String, found: String| Unmet { id: requirement.id.clone(), evidence, found };
        if requirement.evidence.is_empty() && requirement.notes.is_empty() {
            unmet.push(told("anything".to_owned(), "nothing".to_owned()));
        }
        for evidence in &requirement.evidence {
            let Evidence { of, path, value } = evidence;
            let found = evidence.look(template);
            if found.is_empty() {
                unmet.push(told(format!("{of} {path} = {value}"), "no such resource".to_owned()));
            }
            for (id, found) in found {
                if !evidence.holds(found.as_deref()) {
                    let found = found.unwrap_or_else(|| "nothing".to_owned());
                    unmet.push(told(format!("{id} {path} = {value}"), found));
                }
            }
        }
    }
    unmet
}

const HEAD: &str = "\
# Requirements on AWS

Every requirement of the documents that Millrace was made from, with the resource and the property that meets it, and the
value that the template of environment `dev` has there. Made by a test from `crates/infra/src/requirements/` and the
templates; do not edit it, `./just snap` writes it anew. Where documents contradict each other, 001 outranks 000, which
outranks 003; `millrace` is what the design asks beyond them. *No such property* is said of what must not be there.
";

/// The page about all presets, as Markdown.
pub fn page(environment: &Environment) -> String {
    let mut page = HEAD.to_owned();
    for preset in Preset::ALL {
        let settings = Settings {
            environment: environment.clone(),
            architecture: Default::default(),
            package: Default::default(),
        };
        let template = synth(preset, &settings);
        let name = preset_name(preset);
        let table = "| id | wanted | resource | property | value |\n|---|---|---|---|---|\n";
        write!(page, "\n## Preset {name}\n\n{table}").expect("writing to a text cannot fail");
        for requirement in of(preset) {
            rows(&mut page, &requirement, &template);
        }
    }
    page
}

/// The rows of one requirement; only the first says which it is.
fn rows(page: &mut String, requirement: &Requirement, template: &Json) {
    let mut head = (requirement.id.as_str(), requirement.wanted.as_str());
    for evidence in &requirement.evidence {
        let found = evidence.look(template);
        let of = match (evidence.of.strip_prefix("every "), found.len()) {
            (Some("*"), count) => format!("all {count} resources"),
            (Some(kind), count) => format!("every `{kind}` ({count})"),
            (None, _) => format!("`{}`", evidence.of),
        };
        let value = match found.into_iter().next().and_then(|(_, value)| value) {
            Some(value) => format!("`{}`", value.replace('|', "\\|")),
            None => "*no such property*".to_owned(),
        };
        let path = &evidence.path;
        writeln!(page, "| {} | {} | {of} | `{path}` | {value} |", head.0, head.1)
            .expect("writing to a text cannot fail");
        head = ("", "");
    }
    for note in &requirement.notes {
        writeln!(page, "| {} | {} | {note} | | |", head.0, head.1).expect("writing to a text cannot fail");
        head = ("", "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let environment = "dev".parse().unwrap();
        Settings { environment, architecture: Default::default(), package: Default::default() }
    }

    #[test]
    fn the_templates_meet_their_requirements() {
        for preset in Preset::ALL {
            assert_eq!(unmet(&of(preset), &synth(preset, &settings())), [], "{preset:?}");
        }
    }

    #[test]
    fn what_is_not_met_is_told() {
        let template = synth(Preset::Files, &settings());
        for (line, found) in [
            ("  DataProcessorFunction MemorySize = 1024", "512"),
            ("  every AWS::Logs::LogGroup RetentionInDays = 14", "7"),
            ("  NoFunction MemorySize = 512", "no such resource"),
            ("  DataProcessorFunction Timeout = -", "300"),
            ("  DataProcessorFunction VpcConfig = *", "nothing"),
            ("", "nothing"),
        ] {
            let unmet = unmet(&parse(&format!("x/y/1: wanted\n{line}")), &template);
            assert_eq!(unmet.first().map(|unmet| unmet.found.as_str()), Some(found), "{line}");
        }
    }
}
