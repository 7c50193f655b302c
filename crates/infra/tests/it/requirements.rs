//! The map of requirements: none is missing, and the page says what is.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use infra::requirements::{of, page};
use pipeline::preset::Preset;

use crate::settings;
use crate::snapshots::{check, root};

/// The sections of the documents: the name that ids have, how many requirements there are, and the heading.
const SECTIONS: &[(&str, usize, &str)] = &[
    ("000/storage", 4, "Storage"),
    ("000/compute", 4, "Compute"),
    ("000/queuing", 5, "Message Queuing"),
    ("000/database", 5, "Database"),
    ("000/api", 4, "API"),
    ("000/monitoring", 4, "Monitoring"),
    ("000/security", 7, "Security"),
    ("000/naming", 2, "Resource Naming"),
    ("000/cost", 5, "Cost Optimization"),
    ("000/errors", 3, "Error Handling"),
    ("000/tags", 3, "Tags"),
    ("001/storage", 4, "S3 Storage"),
    ("001/functions", 5, "Lambda Functions"),
    ("001/messages", 4, "Message Processing"),
    ("001/data", 4, "Data Storage"),
    ("001/api", 4, "API Gateway"),
    ("001/monitoring", 3, "Monitoring and Logging"),
    ("001/organization", 3, "Resource Organization"),
    ("001/technical", 11, "Technical Requirements"),
    ("001/constraints", 12, "Constraints"),
    ("001/success", 8, "Success Criteria"),
    ("001/deliver", 12, "What to deliver"),
    ("002/overview", 9, "Architecture Overview"),
    ("002/outputs", 3, "Deploy to AWS"),
    ("002/bucket", 4, "S3 Bucket"),
    ("002/table", 4, "DynamoDB Table"),
    ("002/functions", 15, "Lambda Functions"),
    ("002/queue", 4, "SQS Queues"),
    ("002/api", 4, "API Gateway"),
    ("002/logs", 4, "CloudWatch"),
    ("002/rights", 4, "IAM Policies"),
    ("002/dead", 2, "Dead Letter Queues"),
    ("002/security", 6, "Security Considerations"),
    ("002/governance", 4, "Compliance and Governance"),
    // what 003 says beyond 001 is in its code, so this list is ours
    ("003/stack", 10, ""),
    ("004/components", 13, "Components"),
    ("004/features", 9, "Features"),
    ("004/monitoring", 4, "Monitoring"),
    ("004/security", 5, "Security"),
    ("004/cost", 4, "Cost Optimization"),
    ("millrace/files", 5, ""),
    ("millrace/market", 7, ""),
    ("millrace/transactions", 10, ""),
];

#[test]
fn every_requirement_has_its_line() {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for requirement in Preset::ALL.into_iter().flat_map(of) {
        let (section, place) = requirement.id.rsplit_once('/').unwrap();
        let count = found.entry(section.to_owned()).or_default();
        *count += 1;
        assert_eq!(place, count.to_string(), "{}: requirements of a section are in order", requirement.id);
    }
    let wanted: BTreeMap<String, usize> =
        SECTIONS.iter().map(|(name, count, _)| ((*name).to_owned(), *count)).collect();
    assert_eq!(found, wanted);
}

/// The folder of the documents, where it is to be had.
fn documents() -> Option<PathBuf> {
    let named = std::env::var_os("MILLRACE_SEEDS").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| root().join("../shared/seeds"));
    folder.is_dir().then_some(folder)
}

#[expect(clippy::print_stderr, reason = "says that a test was skipped, as those without the corpus do")]
#[test]
fn the_documents_have_as_many_requirements_as_the_map() {
    let Some(folder) = documents() else {
        eprintln!("skipped: the documents are not here; MILLRACE_SEEDS names their folder");
        return;
    };
    let files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    for (name, count, heading) in SECTIONS.iter().filter(|(_, _, heading)| !heading.is_empty()) {
        let (document, _) = name.split_once('/').unwrap();
        let is_it = |path: &&PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(document);
        let text = fs::read_to_string(files.iter().find(is_it).unwrap()).unwrap();
        assert_eq!(points(&text, heading), *count, "{name}: `{heading}`");
    }
}

/// How many points there are under a heading, or under a numbered one in bold, outside of code.
fn points(text: &str, heading: &str) -> usize {
    let (mut in_code, mut within, mut count) = (false, false, 0);
    for line in text.lines() {
        let trimmed = line.trim_start();
        in_code ^= trimmed.starts_with("```");
        if in_code {
            continue;
        }
        let after_number = trimmed.split_once(". ").filter(|(number, _)| number.parse::<u32>().is_ok());
        let bold = after_number.and_then(|(_, rest)| rest.strip_prefix("**")?.strip_suffix("**"));
        if let Some(title) = trimmed.strip_prefix('#').map(|rest| rest.trim_start_matches('#').trim()).or(bold) {
            within = title == heading;
        } else if within && (trimmed.starts_with("- ") || after_number.is_some()) {
            count += 1;
        }
    }
    count
}

#[test]
fn the_page_says_what_the_templates_are() {
    check(&root().join("docs/aws-requirements.md"), &page(&settings("dev").environment));
}
