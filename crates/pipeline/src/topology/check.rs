//! The start-up check: a topology in which something would get lost or wait for ever is refused.

use std::collections::BTreeSet;
use std::fmt;

use super::{
    Alarm, Function, Holds, OUTLIVES_SECONDS, Queue, Role, Topology, Trigger, Use, Via, WORKFLOW_SECONDS_MAX, Workflow,
};
use crate::preset::Stage;

/// What is wrong with a topology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A name is declared twice among things of one kind.
    Twice(&'static str),
    /// Nothing sends to this queue, or writes to this table, bus or topic.
    Unfilled(&'static str),
    /// Nothing reads this queue.
    Unread(&'static str),
    /// Something names what is not declared: who, and what.
    Undeclared(&'static str, &'static str),
    /// What this queue or function cannot finish would be lost.
    NoDeadLetters(&'static str),
    /// The queue and its dead letters (named last) do not keep the same order, or one is not for dead letters.
    UnfitDeadLetters(&'static str, &'static str),
    /// A message would be a dead letter before it was tried, or a call never made: a limit of this is 0.
    Zero(&'static str),
    /// The function may still be at a message of the queue when it comes again: function, queue.
    Impatient(&'static str, &'static str),
    /// The stages of this workflow may take longer than all of it.
    Long(&'static str),
    /// This function has not the time that this workflow has for its stage: function, workflow.
    OutOfStep(&'static str, &'static str),
    /// No function does this stage, or several do.
    Stage(Stage),
    /// This function sends to a stage by a way that does not lead there.
    Astray(&'static str, Stage),
    /// Nothing calls this schedule's, route's or function's name.
    Uncalled(&'static str),
    /// This function may end files, and has no right to tell those who wait for them.
    Silent(&'static str),
    /// This function may begin files anew, and has no way to their first stage.
    NoWayBack(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice(name) => write!(f, "`{name}` is declared twice; keep one of the two"),
            Self::Unfilled(queue) => write!(f, "`{queue}` is filled by nobody; remove it or send to it"),
            Self::Unread(queue) => write!(f, "queue `{queue}` is read by nobody; remove it or give it a function"),
            Self::Undeclared(by, name) => write!(f, "`{by}` names `{name}`, which is not declared; declare it"),
            Self::NoDeadLetters(name) => {
                write!(f, "`{name}` has nowhere to put what fails for good; give it a dead-letter queue")
            }
            Self::UnfitDeadLetters(name, dead) => {
                write!(f, "`{dead}` cannot keep the dead letters of `{name}`; take a dead-letter queue of its kind")
            }
            Self::Zero(name) => write!(f, "`{name}` has a limit of 0; make it at least 1"),
            Self::Impatient(function, queue) => {
                write!(f, "`{queue}` gives a message again while `{function}` may be at it; make its visibility longer")
            }
            Self::Long(name) => {
                write!(f, "the stages of `{name}` may take {WORKFLOW_SECONDS_MAX} s or more; give them less time")
            }
            Self::OutOfStep(function, name) => {
                write!(
                    f,
                    "`{function}` needs the time that `{name}` has for its stage and {OUTLIVES_SECONDS} s more; "
                )?;
                write!(f, "with less it dies before it is ended, with more it is at what was given up")
            }
            Self::Stage(stage) => write!(f, "stage {stage:?} needs exactly one function; declare it once"),
            Self::Astray(function, stage) => {
                write!(f, "`{function}` sends to {stage:?} by a way that does not lead there; use its trigger")
            }
            Self::Uncalled(name) => {
                write!(f, "`{name}` leads to nothing or is called by nothing; connect or remove it")
            }
            Self::NoWayBack(name) => {
                write!(
                    f,
                    "`{name}` may begin files anew and sends them nowhere; let it send to their first stage by event"
                )
            }
            Self::Silent(name) => {
                write!(
                    f,
                    "`{name}` may end files and tells nobody; let it use the event bus, or the topic, that there is"
                )
            }
        }
    }
}

impl std::error::Error for Fault {}

impl Topology {
    /// Everything that is wrong with it; empty when it may start.
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = self.names();
        faults.extend(self.queues.iter().flat_map(|queue| self.check_queue(queue)));
        faults.extend(self.functions.iter().flat_map(|function| self.check_function(function)));
        for stage in self.preset.stages() {
            if self.functions.iter().filter(|function| function.stage == Some(stage)).count() != 1 {
                faults.push(Fault::Stage(stage));
            }
        }
        faults.extend(self.check_callers());
        faults.extend(self.check_uses());
        faults
    }

    fn queue(&self, name: &str) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.name == name)
    }

    fn triggers(&self) -> impl Iterator<Item = &Trigger> {
        self.functions.iter().flat_map(|function| &function.triggers)
    }

    fn names(&self) -> Vec<Fault> {
        let twice = |names: Vec<&'static str>| {
            let mut seen = BTreeSet::new();
            names.into_iter().filter(|name| !seen.insert(*name)).map(Fault::Twice).collect::<Vec<_>>()
        };
        let mut faults = twice(self.queues.iter().map(|queue| queue.name).collect());
        faults.extend(twice(self.functions.iter().map(|function| function.name).collect()));
        faults.extend(twice(self.tables.iter().map(|table| table.name).collect()));
        faults
    }

    fn check_queue(&self, queue: &Queue) -> Vec<Fault> {
        let mut faults = Vec::new();
        let name = queue.name;
        let is_read =
            self.triggers().any(|trigger| matches!(trigger, Trigger::Queue { name: read, .. } if *read == name));
        let Role::Work { receives_max, dead_letters } = queue.role else {
            let kept = |other: &Queue| matches!(other.role, Role::Work { dead_letters, .. } if dead_letters == name);
            let given = |function: &Function| function.dead_letters == Some(name);
            if !self.queues.iter().any(kept) && !self.functions.iter().any(given) {
                faults.push(Fault::Unfilled(name));
            }
            return faults;
        };
        if !self.functions.iter().flat_map(|function| &function.sends).any(|(_, via)| *via == Via::Queue(name)) {
            faults.push(Fault::Unfilled(name));
        }
        if !is_read {
            faults.push(Fault::Unread(name));
        }
        if receives_max == 0 || queue.retention_days == 0 {
            faults.push(Fault::Zero(name));
        }
        match self.queue(dead_letters) {
            None => faults.push(Fault::NoDeadLetters(name)),
            Some(dead) if dead.fifo != queue.fifo || dead.role != Role::DeadLetters => {
                faults.push(Fault::UnfitDeadLetters(name, dead_letters));
            }
            Some(_) => {}
        }
        faults
    }

    fn check_function(&self, function: &Function) -> Vec<Fault> {
        let mut faults = Vec::new();
        let name = function.name;
        if function.memory_mb == 0 || function.timeout_seconds == 0 {
            faults.push(Fault::Zero(name));
        }
        if function.triggers.is_empty() {
            faults.push(Fault::Uncalled(name));
        }
        for trigger in &function.triggers {
            faults.extend(self.check_trigger(function, *trigger));
        }
        // two triggers may lack the same
        faults.dedup();
        for (stage, via) in &function.sends {
            let leads_there = |other: &Function| {
                other.stage == Some(*stage)
                    && other.triggers.iter().any(|trigger| match (trigger, via) {
                        (Trigger::Queue { name, .. }, Via::Queue(queue)) => name == queue,
                        (trigger, Via::Workflow) => *trigger == Trigger::Workflow,
                        // it leads to the first stage alone, which a workflow begins with
                        (Trigger::Workflow | Trigger::Anew, Via::Anew) => self.preset.stages()[0] == *stage,
                        _ => false,
                    })
            };
            match via {
                Via::Queue(queue) if self.queue(queue).is_none() => faults.push(Fault::Undeclared(name, queue)),
                _ if !self.functions.iter().any(leads_there) => faults.push(Fault::Astray(name, *stage)),
                _ => {}
            }
        }
        faults
    }

    fn check_trigger(&self, function: &Function, trigger: Trigger) -> Option<Fault> {
        let by = function.name;
        match trigger {
            Trigger::Queue { name, batch_max } => match self.queue(name) {
                None => Some(Fault::Undeclared(by, name)),
                Some(_) if batch_max == 0 => Some(Fault::Zero(by)),
                Some(queue) if queue.visibility_seconds < function.timeout_seconds => Some(Fault::Impatient(by, name)),
                Some(_) => None,
            },
            Trigger::Route(path) => {
                let declared = self.routes.iter().any(|route| route.path == path);
                (!declared).then_some(Fault::Undeclared(by, path))
            }
            Trigger::Schedule(name) if !self.schedules.iter().any(|schedule| schedule.name == name) => {
                Some(Fault::Undeclared(by, name))
            }
            Trigger::ObjectCreated { attempts_max: 0 } => Some(Fault::Zero(by)),
            Trigger::ObjectCreated { .. } | Trigger::Workflow | Trigger::Anew | Trigger::Schedule(_) => {
                let Some(dead) = function.dead_letters else { return Some(Fault::NoDeadLetters(by)) };
                match self.queue(dead) {
                    None => Some(Fault::Undeclared(by, dead)),
                    // what failed outside of a queue has no group, so it cannot go into a FIFO queue
                    Some(queue) if queue.fifo || queue.role != Role::DeadLetters => {
                        Some(Fault::UnfitDeadLetters(by, dead))
                    }
                    Some(_) => None,
                }
            }
        }
    }

    /// Routes and schedules lead somewhere, alarms watch something.
    fn check_callers(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for route in &self.routes {
            if !self.triggers().any(|trigger| *trigger == Trigger::Route(route.path)) {
                faults.push(Fault::Uncalled(route.path));
            }
        }
        for schedule in &self.schedules {
            if !self.triggers().any(|trigger| *trigger == Trigger::Schedule(schedule.name)) {
                faults.push(Fault::Uncalled(schedule.name));
            }
            if schedule.every_seconds == 0 {
                faults.push(Fault::Zero(schedule.name));
            }
        }
        for alarm in &self.alarms {
            let (name, declared) = match alarm {
                Alarm::ErrorsPercent { function, .. } | Alarm::LogMatches { function, .. } => {
                    (*function, self.functions.iter().any(|declared| declared.name == *function))
                }
                Alarm::DeadLetters { queue } => (*queue, self.queue(queue).is_some()),
                Alarm::WorkflowLate => ("a workflow", self.workflow.is_some()),
            };
            if !declared {
                faults.push(Fault::Undeclared("alarm", name));
            }
        }
        faults
    }

    /// What is used is there, and what is there is used: a table, a bus or a topic that nobody writes to, a folder that is
    /// read and never written, a workflow that calls nobody.
    fn check_uses(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let uses = |wanted: Use| self.functions.iter().any(|function| function.uses.contains(&wanted));
        for function in &self.functions {
            for need in &function.uses {
                let missing = match *need {
                    Use::Read(holds) | Use::Write(holds) | Use::Fill(holds) => {
                        self.table(holds).is_none().then_some("a table")
                    }
                    Use::Announce => self.bus.is_none().then_some("an event bus"),
                    Use::Notify => self.topic.is_none().then_some("a topic"),
                    Use::ReadResults(folder) => (!uses(Use::WriteResults(folder))).then_some(folder),
                    Use::ReadFiles | Use::WriteFiles | Use::WriteResults(_) => None,
                };
                faults.extend(missing.map(|what| Fault::Undeclared(function.name, what)));
            }
            if function.triggers.contains(&Trigger::Workflow) && self.workflow.is_none() {
                faults.push(Fault::Undeclared(function.name, "a workflow"));
            }
        }
        faults.extend(
            self.functions.iter().filter(|function| self.is_silent(function)).map(|one| Fault::Silent(one.name)),
        );
        let has_no_way_back = |function: &&Function| {
            let begins = function.stage.is_some_and(|stage| self.preset.may_begin_anew(stage));
            begins && !function.sends.iter().any(|(_, via)| *via == Via::Anew)
        };
        faults.extend(self.functions.iter().filter(has_no_way_back).map(|one| Fault::NoWayBack(one.name)));
        let is_filled = |holds| uses(Use::Write(holds)) || uses(Use::Fill(holds));
        let unused = self.tables.iter().filter(|table| !is_filled(table.holds)).map(|table| table.name);
        faults.extend(unused.map(Fault::Unfilled));
        faults.extend(self.bus.filter(|_| !uses(Use::Announce)).map(Fault::Unfilled));
        faults.extend(self.topic.filter(|_| !uses(Use::Notify)).map(Fault::Unfilled));
        faults.extend(self.workflow.iter().flat_map(|workflow| self.check_workflow(workflow)));
        faults
    }

    fn check_workflow(&self, workflow: &Workflow) -> Vec<Fault> {
        let mut faults = Vec::new();
        let is_called = |function: &&Function| function.triggers.contains(&Trigger::Workflow);
        let called: Vec<&Function> = self.functions.iter().filter(is_called).collect();
        if called.is_empty() {
            faults.push(Fault::Uncalled(workflow.name));
        }
        for (function, seconds) in called.iter().zip(workflow.stage_seconds) {
            if function.timeout_seconds != seconds + OUTLIVES_SECONDS {
                faults.push(Fault::OutOfStep(function.name, workflow.name));
            }
        }
        if workflow.attempts_max == 0 || workflow.stage_seconds.contains(&0) || workflow.failure_seconds == 0 {
            faults.push(Fault::Zero(workflow.name));
        }
        if workflow.stage_seconds.iter().sum::<u32>() + workflow.failure_seconds >= WORKFLOW_SECONDS_MAX {
            faults.push(Fault::Long(workflow.name));
        }
        let tells = |function: &&Function| {
            function.name == workflow.failures_told_by
                && function.triggers.contains(&Trigger::Workflow)
                && function.uses.contains(&Use::Write(Holds::Ledger))
        };
        if !self.functions.iter().any(|function| tells(&function)) {
            faults.push(Fault::Undeclared(workflow.name, workflow.failures_told_by));
        }
        match self.queue(workflow.dead_letters) {
            None => faults.push(Fault::NoDeadLetters(workflow.name)),
            Some(queue) if queue.fifo || queue.role != Role::DeadLetters => {
                faults.push(Fault::UnfitDeadLetters(workflow.name, queue.name));
            }
            Some(_) => {}
        }
        faults
    }

    /// Whether a function commits, and with that may end a file, where somebody is to be told and it tells nobody.
    fn is_silent(&self, function: &Function) -> bool {
        let lacks = |need: Use| !function.uses.contains(&need);
        let tells_too_few = self.bus.is_some() && lacks(Use::Announce) || self.topic.is_some() && lacks(Use::Notify);
        tells_too_few && !lacks(Use::Write(Holds::Ledger))
    }
}
