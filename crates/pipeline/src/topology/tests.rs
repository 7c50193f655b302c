//! The topologies as they are, and broken on purpose.

use super::*;

/// The faults of a topology after something was done to it.
fn broken(preset: Preset, by: impl FnOnce(&mut Topology)) -> Vec<Fault> {
    let mut topology = Topology::of(preset);
    by(&mut topology);
    topology.check()
}

#[test]
fn the_three_presets_may_start() {
    for preset in Preset::ALL {
        assert_eq!(Topology::of(preset).check(), [], "{preset:?}");
    }
}

#[test]
fn queues_nobody_fills_or_reads_are_refused() {
    let name = "validator-to-processor";
    assert_eq!(broken(Preset::Files, |t| t.functions[0].sends.clear()), [Fault::Unfilled(name)]);
    let unread = broken(Preset::Files, |t| t.functions[1].triggers.clear());
    assert!(unread.contains(&Fault::Unread(name)), "{unread:?}");
    assert!(unread.contains(&Fault::Uncalled("data-processor")), "{unread:?}");
    let spare = |t: &mut Topology| t.queues.push(Queue { name: "spare", ..t.queues[2].clone() });
    assert_eq!(broken(Preset::Files, spare), [Fault::Unfilled("spare")]);
}

#[test]
fn missing_dead_letters_are_refused() {
    let gone = broken(Preset::Files, |t| t.queues.retain(|queue| queue.name != "processor-dlq"));
    assert_eq!(gone, [Fault::NoDeadLetters("validator-to-processor")]);
    for preset in Preset::ALL {
        let name = Topology::of(preset).functions[0].name;
        let faults = broken(preset, |t| t.functions[0].dead_letters = None);
        assert!(faults.contains(&Fault::NoDeadLetters(name)), "{preset:?}: {faults:?}");
    }
    let faults = broken(Preset::Files, |t| t.queues[3].fifo = false);
    assert_eq!(faults, [Fault::UnfitDeadLetters("validator-to-processor", "processor-dlq")]);
    let faults = broken(Preset::Files, |t| t.queues[2].fifo = true);
    assert_eq!(faults, [Fault::UnfitDeadLetters("file-validator", "validator-dlq")]);
}

#[test]
fn sends_that_lead_nowhere_are_refused() {
    let to = |via| broken(Preset::Files, |t| t.functions[1].sends = vec![(Stage::Aggregate, via)]);
    assert!(to(Via::Queue("none")).contains(&Fault::Undeclared("data-processor", "none")));
    let astray = Fault::Astray("data-processor", Stage::Aggregate);
    assert!(to(Via::Queue("validator-to-processor")).contains(&astray));
    assert!(to(Via::Workflow).contains(&astray));
}

#[test]
fn what_is_named_and_not_declared_is_refused() {
    let none = Fault::Undeclared("DataAggregator", "aggregate");
    assert_eq!(broken(Preset::Market, |t| t.schedules.clear()), [none]);
    assert_eq!(broken(Preset::Market, |t| t.routes.clear()), [Fault::Undeclared("DataIngestion", "/ingest")]);
    let renamed = broken(Preset::Market, |t| t.functions[2].name = "Other");
    assert_eq!(renamed, [Fault::Undeclared("alarm", "DataAggregator")]);
    let unread = broken(Preset::Files, |t| t.functions[3].triggers.truncate(1));
    assert_eq!(unread, [Fault::Uncalled("/status/{proxy+}")]);
}

#[test]
fn figures_that_cannot_work_are_refused() {
    let impatient = Fault::Impatient("data-processor", "validator-to-processor");
    assert_eq!(broken(Preset::Files, |t| t.queues[0].visibility_seconds = 299), [impatient]);
    assert_eq!(broken(Preset::Market, |t| t.schedules[0].every_seconds = 0), [Fault::Zero("aggregate")]);
    let twice = |t: &mut Topology| t.queues.push(t.queues[0].clone());
    assert_eq!(broken(Preset::Files, twice), [Fault::Twice("validator-to-processor")]);
    let second = |t: &mut Topology| t.functions[3].stage = Some(Stage::Validate);
    assert_eq!(broken(Preset::Files, second), [Fault::Stage(Stage::Validate)]);
}

#[test]
fn every_fault_says_what_it_is_about() {
    let fault = Fault::Unread("q");
    assert_eq!(fault.to_string(), "queue `q` is read by nobody; remove it or give it a function");
}
