//! Files of many shapes, made by hand, and what is proposed for them; then the files of the corpus by name.

use std::io::Cursor;
use std::path::PathBuf;

use super::*;
use crate::contract::Contract;
use crate::plan::Plan;

fn proposed(file: impl Into<Vec<u8>>) -> Proposal {
    let proposal = propose(Box::new(Cursor::new(file.into())), "sample").unwrap();
    let contract = Contract::parse(&proposal.toml).unwrap_or_else(|error| panic!("{error}\n{}", proposal.toml));
    let faults = Plan::faults(&contract);
    assert!(faults.is_empty(), "{faults:?}\n{}", proposal.toml);
    for doubt in &proposal.doubts {
        let words: Vec<&str> = doubt.split(": ").last().unwrap().split(' ').take(4).collect();
        let one_line = proposal.toml.replace("\n# ", " ");
        assert!(one_line.contains(&words.join(" ")), "{doubt} is not told in\n{}", proposal.toml);
    }
    proposal
}

/// The lines of the proposal that are no comments.
fn lines(file: &str) -> Vec<String> {
    let toml = proposed(file).toml;
    toml.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect()
}

/// Everything is good under the proposal, which has these lines.
fn check(file: &str, expected: &[&str]) {
    let proposal = proposed(file);
    assert!(proposal.rows > 0 && proposal.rows == proposal.good, "{}", proposal.toml);
    for line in expected {
        assert!(proposal.toml.lines().any(|known| known == *line), "{line}\nis not in\n{}", proposal.toml);
    }
}

fn doubts(file: &str, about: &str) -> bool {
    proposed(file).doubts.iter().any(|doubt| doubt.contains(about))
}

mod corpus;

#[test]
fn print_one() {
    let Ok(path) = std::env::var("INFER_FILE") else { return };
    println!("{}", propose(Box::new(std::fs::File::open(path).unwrap()), "x").unwrap().toml);
}
