//! The topologies as they are, and broken on purpose.

use super::*;

/// The faults of a topology after something was done to it.
fn broken(preset: Preset, by: impl FnOnce(&mut Topology)) -> Vec<Fault> {
    let mut topology = Topology::of(preset).clone();
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
    let unfilled = broken(Preset::Files, |t| t.functions[0].sends.retain(|(_, via)| *via == Via::Anew));
    assert_eq!(unfilled, [Fault::Unfilled(name)]);
    let unread = broken(Preset::Files, |t| t.functions[1].triggers.clear());
    assert!(unread.contains(&Fault::Unread(name)), "{unread:?}");
    assert!(unread.contains(&Fault::Uncalled("data-processor")), "{unread:?}");
    let spare = |t: &mut Topology| t.queues.push(Queue { name: "spare", ..t.queues[2].clone() });
    assert_eq!(broken(Preset::Files, spare), [Fault::Unfilled("spare")]);
}

#[test]
fn missing_dead_letters_are_refused() {
    let gone = broken(Preset::Files, |t| t.queues.retain(|queue| queue.name != "processor-dlq"));
    assert_eq!(gone, [Fault::NoDeadLetters("validator-to-processor"), Fault::Undeclared("alarm", "processor-dlq")]);
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
fn what_is_used_and_what_is_there_are_the_same() {
    let faults = broken(Preset::Files, |t| t.tables.retain(|table| table.holds != Holds::Ledger));
    assert_eq!(faults.len(), 4, "every function of files uses the ledger: {faults:?}");
    assert_eq!(faults[0], Fault::Undeclared("file-validator", "a table"));
    let unwritten = broken(Preset::Market, |t| t.functions[1].uses.retain(|need| *need != Use::Write(Holds::Rows)));
    assert_eq!(unwritten, [Fault::Unfilled("MarketDataState")]);
    let names = ["DataIngestion", "DataProcessor", "DataAggregator"];
    let no_bus = names.map(|name| Fault::Undeclared(name, "an event bus"));
    assert_eq!(broken(Preset::Market, |t| t.bus = None), no_bus);
    let names = ["csv-validator", "data-transformer", "notification-sender"];
    let no_topic = names.map(|name| Fault::Undeclared(name, "a topic"));
    assert_eq!(broken(Preset::Transactions, |t| t.topic = None), no_topic);
    let folder = broken(Preset::Files, |t| t.functions[0].uses.retain(|need| *need != Use::WriteResults("validated")));
    assert_eq!(folder, [Fault::Undeclared("data-processor", "validated")]);
}

#[test]
fn whoever_may_end_a_file_tells_those_who_wait_for_it() {
    for (preset, need, to) in [
        (Preset::Market, Use::Announce, "market-events"),
        (Preset::Transactions, Use::Notify, "transaction-notifications"),
    ] {
        for at in 0..3 {
            let silent = broken(preset, |t| t.functions[at].uses.retain(|used| *used != need));
            assert_eq!(silent, [Fault::Silent(Topology::of(preset).functions[at].name)]);
        }
        let all = broken(preset, |t| t.functions.iter_mut().for_each(|one| one.uses.retain(|used| *used != need)));
        assert!(all.len() == 4 && all.contains(&Fault::Unfilled(to)), "{all:?}");
    }
}

#[test]
fn whoever_may_begin_files_anew_sends_them_to_their_first_stage() {
    let functions = [(Preset::Files, [0, 2]), (Preset::Market, [0, 2]), (Preset::Transactions, [0, 1])];
    for (preset, begin) in functions {
        let topology = Topology::of(preset);
        let first = preset.stages()[0];
        for at in 0..3 {
            let without = broken(preset, |t| t.functions[at].sends.retain(|(_, via)| *via != Via::Anew));
            let name = topology.functions[at].name;
            let expected: Vec<Fault> = begin.contains(&at).then_some(Fault::NoWayBack(name)).into_iter().collect();
            assert_eq!(without, expected, "{name}");
        }
        // who is not called by it, and stages that nothing begins with
        let astray = broken(preset, |t| t.functions[2].sends.push((preset.stages()[1], Via::Anew)));
        assert_eq!(astray, [Fault::Astray(topology.functions[2].name, preset.stages()[1])]);
        if topology.workflow.is_none() {
            let uncalled = broken(preset, |t| t.functions[0].triggers.retain(|trigger| *trigger != Trigger::Anew));
            assert_eq!(uncalled, begin.map(|at| Fault::Astray(topology.functions[at].name, first)));
        }
    }
}

#[test]
fn a_workflow_has_time_and_dead_letters() {
    let with = |by: fn(&mut Workflow)| {
        broken(Preset::Transactions, |t| {
            t.workflow.iter_mut().for_each(by);
            let seconds = t.workflow.map(|workflow| workflow.stage_seconds).into_iter().flatten();
            t.functions.iter_mut().zip(seconds).for_each(|(one, seconds)| one.timeout_seconds = seconds + 1);
        })
    };
    let name = "transaction-processing";
    assert_eq!(with(|workflow| workflow.stage_seconds[0] = 200), [Fault::Long(name)]);
    assert_eq!(with(|workflow| workflow.failure_seconds = 20), [Fault::Long(name)]);
    assert_eq!(with(|workflow| workflow.attempts_max = 0), [Fault::Zero(name)]);
    assert_eq!(with(|workflow| workflow.failure_seconds = 0), [Fault::Zero(name)]);
    assert_eq!(with(|workflow| workflow.failures_told_by = "upload"), [Fault::Undeclared(name, "upload")]);
    assert_eq!(with(|workflow| workflow.dead_letters = "none"), [Fault::NoDeadLetters(name)]);
    for at in 0..3 {
        let function = &Topology::of(Preset::Transactions).functions[at];
        for seconds in [300, function.timeout_seconds + 1, function.timeout_seconds - 1] {
            let untimely = broken(Preset::Transactions, |t| t.functions[at].timeout_seconds = seconds);
            assert_eq!(untimely, [Fault::OutOfStep(function.name, name)]);
        }
    }
    let gone = broken(Preset::Transactions, |t| t.workflow = None);
    assert!(gone.contains(&Fault::Undeclared("csv-validator", "a workflow")), "{gone:?}");
}

#[test]
fn functions_are_told_where_things_are() {
    let names = |preset, at: usize| -> Vec<&str> {
        let topology = Topology::of(preset);
        topology.variables(&topology.functions[at]).into_iter().map(Variable::name).collect()
    };
    let [files, results] = ["MILLRACE_FILES_BUCKET", "MILLRACE_RESULTS_BUCKET"];
    let [ledger, status] = ["MILLRACE_LEDGER_TABLE", "MILLRACE_STATUS_TABLE"];
    let anew = "MILLRACE_ANEW_BUS";
    assert_eq!(names(Preset::Files, 0), [files, results, ledger, status, "MILLRACE_QUEUE_URL", anew]);
    assert_eq!(names(Preset::Files, 3), [ledger, status, "MILLRACE_ALLOWED_ORIGIN"]);
    assert_eq!(names(Preset::Market, 1), [ledger, "MILLRACE_ROWS_TABLE", "MILLRACE_EVENT_BUS"]);
    assert_eq!(names(Preset::Transactions, 2), [ledger, status, "MILLRACE_ROWS_TABLE", "MILLRACE_TOPIC_ARN"]);
}

#[test]
fn figures_that_cannot_work_are_refused() {
    let impatient = Fault::Impatient("data-processor", "validator-to-processor");
    assert_eq!(broken(Preset::Files, |t| t.queues[0].visibility_seconds = 299), [impatient]);
    assert_eq!(broken(Preset::Market, |t| t.schedules[0].every_seconds = 0), [Fault::Zero("aggregate")]);
    let twice = |t: &mut Topology| t.queues.push(t.queues[0].clone());
    assert_eq!(broken(Preset::Files, twice), [Fault::Twice("validator-to-processor")]);
    let second = |t: &mut Topology| t.functions[3].stage = Some(Stage::Validate);
    assert_eq!(broken(Preset::Files, second), [Fault::Stage(Stage::Validate), Fault::NoWayBack("status-query")]);
}

#[test]
fn every_fault_says_what_it_is_about() {
    let fault = Fault::Unread("q");
    assert_eq!(fault.to_string(), "queue `q` is read by nobody; remove it or give it a function");
}
