//! Rules about the project itself: only what a machine checks is a rule.
//!
//! A rule is a function from text to the list of what is wrong; its own tests show that it can fail. Here each
//! rule meets the tree. Notes on a rule are beside it, and CONTRIBUTING.md says what to do when one of them fails.

mod contracts;
mod crates;
mod pages;
mod rust;
mod tree;

use std::fs;

use crates::Manifest;
use tree::{File, Tree};

fn tree() -> Tree {
    Tree::load()
}

/// Fails with everything that is wrong, not with the first of it.
fn expect_none(problems: Vec<String>) {
    assert!(problems.is_empty(), "{} to mend:\n  {}", problems.len(), problems.join("\n  "));
}

/// Applies a rule to every text whose path ends in `suffix`.
fn for_each(suffix: &str, rule: impl Fn(&str, &str) -> Vec<String>) {
    let tree = tree();
    let files: Vec<&File> = tree.ending(suffix).collect();
    assert!(!files.is_empty(), "there is no file that ends in {suffix}: the rule checks nothing");
    expect_none(files.iter().flat_map(|file| rule(&file.path, file.text())).collect());
}

fn manifests() -> Vec<Manifest> {
    let tree = tree();
    let manifests = tree.ending("Cargo.toml").filter(|file| file.path != "Cargo.toml");
    manifests.map(|file| Manifest::parse(&file.path, file.text())).collect()
}

#[test]
fn rust_files_say_what_they_are_for() {
    for_each(".rs", rust::opens_with_its_purpose);
}

#[test]
fn rust_files_are_short() {
    for_each(".rs", rust::is_short);
    let tree = tree();
    expect_none(rust::GENERATED.iter().flat_map(|path| tree.must_have(path, "rust::GENERATED")).collect());
}

#[test]
fn rust_files_have_no_leftovers() {
    for_each(".rs", rust::has_no_leftovers);
}

#[test]
fn rust_files_are_not_called_mod() {
    for_each(".rs", |path, _| rust::is_not_called_mod(path));
}

#[test]
fn unsafe_stays_in_the_scan() {
    for_each(".rs", rust::is_safe);
}

#[test]
fn crates_depend_only_to_the_left() {
    expect_none(manifests().iter().flat_map(crates::arrows).collect());
}

#[test]
fn crates_have_no_features() {
    expect_none(manifests().iter().flat_map(crates::features).collect());
}

#[test]
fn crates_have_one_integration_binary() {
    let tree = tree();
    let paths: Vec<&str> = tree.files.iter().map(|file| file.path.as_str()).collect();
    expect_none(crates::one_integration_binary(&paths));
}

#[test]
fn dependencies_have_one_owner_and_a_reason() {
    let page = crates::DEPENDENCIES_PAGE;
    expect_none(crates::owners(&manifests(), tree().text(page)));
}

#[test]
fn limits_are_told() {
    let tree = tree();
    let sources = pages::LIMITS_SOURCES.map(|path| tree.text(path)).join("\n");
    expect_none(pages::limits_are_told(&sources, tree.text(pages::LIMITS_PAGE)));
}

#[test]
fn contracts_are_told() {
    let tree = tree();
    let page = tree.text(contracts::PAGE);
    expect_none(contracts::keys_are_told(tree.text(contracts::SOURCE), page));
    expect_none(contracts::presets_are_told(tree.text(contracts::BUILT_IN), page));
    expect_none(contracts::examples_are_toml(page));
}

#[test]
fn modules_are_on_the_map() {
    let tree = tree();
    let paths: Vec<&str> = tree.files.iter().map(|file| file.path.as_str()).collect();
    expect_none(pages::modules_are_on_the_map(&paths, tree.text("ARCHITECTURE.md")));
}

#[test]
fn links_between_pages_resolve() {
    let root = tree::root();
    for_each(".md", |path, text| {
        pages::links_resolve(path, text, |target| fs::exists(root.join(target)).unwrap_or(false))
    });
}

#[test]
fn shell_scripts_stop_at_the_first_error() {
    let tree = tree();
    let scripts: Vec<&File> =
        tree.files.iter().filter(|file| pages::is_shell_script(&file.path, file.text())).collect();
    assert!(!scripts.is_empty(), "there is no shell script: the rule checks nothing");
    expect_none(scripts.iter().flat_map(|file| pages::stops_at_the_first_error(&file.path, file.text())).collect());
}

#[test]
fn no_file_is_big() {
    expect_none(tree().files.iter().flat_map(|file| pages::is_small(&file.path, file.bytes)).collect());
}
