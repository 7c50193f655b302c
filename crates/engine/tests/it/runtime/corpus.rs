//! Real files through the engine: it answers what the pipeline answers in memory, to which the functions on AWS are
//! held too (`sim` in the tests of `lambda`).

use std::num::NonZeroU32;

use pipeline::object::ReceiptId;
use pipeline::preset::Preset;
use pipeline::query::At;
use pipeline::receipt::{Outcome, Status};
use tempfile::tempdir;
use testkit::sim;

use super::world::World;

#[test]
fn the_corpus_is_answered_as_in_memory() {
    let Some(corpus) = sim::World::of_corpus() else { return };
    is_answered_as_in_memory(&corpus);
}

#[test]
fn files_that_share_ids_are_answered_as_in_memory() {
    let mut files = sim::World::of_late_files();
    // a copy of market that comes to count takes more than the one tick here
    files.uploads.retain(|upload| upload.preset != Preset::Market);
    is_answered_as_in_memory(&files);
}

fn is_answered_as_in_memory(corpus: &sim::World) {
    let expected = sim::answers_in_memory(corpus);
    let folder = tempdir().unwrap();
    let mut world = World::with(folder.path(), corpus.feeds.clone());
    // windows are aggregated when all is there, as over there
    world.engine.tick_every(NonZeroU32::new(1_000_000).unwrap());
    world.start();
    let put = |upload: &sim::Upload| {
        let bucket = format!("{}-dev", sim::bucket(upload.preset));
        let placed = world.engine.put(&bucket, &upload.key, &mut upload.bytes.as_slice()).unwrap();
        placed.receipt.expect("a feed takes it")
    };
    let receipts: Vec<ReceiptId> = corpus.uploads.iter().map(put).collect();
    world.until("all rows are there", |world| {
        receipts.iter().zip(&corpus.uploads).all(|(id, upload)| {
            let receipt = world.receipt(id);
            let waits = upload.preset == Preset::Market && receipt.status() >= Status::Processed;
            waits || receipt.outcome() != Outcome::InProgress
        })
    });
    world.engine.tick().unwrap();
    world.until("all files are at their end", |world| {
        receipts.iter().all(|id| world.receipt(id).outcome() != Outcome::InProgress)
    });
    let ports = world.engine.ports();
    let told = sim::answers(corpus, &receipts, At { objects: &ports, ledger: &ports, now: sim::END });
    let differences = sim::answers_differ(&expected, &told);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    world.is_well();
}
