//! The queues of one machine, made from the topologies: each stage reads one.
//!
//! Where the cloud has an event, a schedule or a workflow in front of a stage, here is a FIFO queue, so the order of a feed
//! holds from its first stage on, and what fails there is a dead letter like any other (docs/decisions/0007-local-queues.md).

use pipeline::feed::{Feeds, OnPoison};
use pipeline::message::{Feed, Message};
use pipeline::ports::Cause;
use pipeline::preset::{Preset, Stage};
use pipeline::topology::{self, Function, Role, Topology, Trigger};

use crate::queues::{self, Kind, OnDead, Queue, Queues, Settings};
use crate::session::Route;

/// A queue that workers read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its name.
    pub name: String,
    /// Where its dead letters are.
    pub dead: String,
    /// The preset.
    pub preset: Preset,
    /// The stage that reads it.
    pub stage: Stage,
    /// Whether it keeps the order of each feed.
    pub is_fifo: bool,
    /// Receives after which a message is a dead letter.
    pub receives_max: u32,
    /// For how long a received message is nobody else's.
    pub visibility_ms: u64,
    /// Whether each step of a message is committed by itself: those of many steps, which others make some of undone all
    /// the time.
    pub is_step_by_step: bool,
}

/// All queues, and who reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What workers read, in the order of presets and stages.
    pub lines: Vec<Line>,
    /// What is on its way to those who want to hear of files.
    pub notifications: Line,
    /// All queues, those of dead letters among them.
    pub queues: Vec<Settings>,
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A topology that would lose messages.
#[derive(Debug)]
pub struct Unfit(pub Preset, pub Vec<topology::Fault>);

impl Plan {
    /// The plan for these feeds: some of them have their files wait behind one that cannot be worked on.
    pub fn new(feeds: &Feeds) -> Result<Self, Unfit> {
        let parked = |preset| {
            let parks = |feed: &&pipeline::feed::Declared| feed.preset == preset && feed.on_poison == OnPoison::Park;
            let mut names: Vec<String> = feeds.iter().filter(parks).map(|feed| feed.name.as_str().to_owned()).collect();
            names.sort_unstable();
            names
        };
        let mut plan = Self { lines: Vec::new(), notifications: notifications(), queues: Vec::new() };
        for preset in Preset::ALL {
            let topology = Topology::of(preset);
            let faults = topology.check();
            if !faults.is_empty() {
                return Err(Unfit(preset, faults));
            }
            for function in &topology.functions {
                if let Some(stage) = function.stage {
                    plan.add(topology, function, stage, &parked(preset));
                }
            }
        }
        let line = &plan.notifications;
        let queue = Settings { visibility_ms: line.visibility_ms, ..Settings::fifo(line.name.as_str()) };
        let queue = queue.redrive(line.dead.as_str(), line.receives_max);
        let dead = queue.dead_letters(line.dead.as_str());
        plan.queues.extend([queue, dead]);
        Ok(plan)
    }

    /// All queues that have dead letters.
    pub fn with_dead_letters(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().chain([&self.notifications])
    }

    fn add(&mut self, topology: &Topology, function: &Function, stage: Stage, parked: &[String]) {
        let line = line(topology, function, stage);
        let on_dead = if parked.is_empty() { OnDead::SkipAndMark } else { OnDead::ParkGroups(parked.to_vec()) };
        let kind = if line.is_fifo { Kind::Fifo { by_content: false, on_dead } } else { Kind::Standard };
        let queue = Settings {
            visibility_ms: line.visibility_ms,
            retention_ms: 4 * DAY_MS,
            ..Settings::new(line.name.as_str(), kind)
        };
        let queue = queue.redrive(line.dead.as_str(), line.receives_max);
        let dead = Settings { retention_ms: 14 * DAY_MS, ..queue.dead_letters(line.dead.as_str()) };
        self.queues.extend([queue, dead]);
        self.lines.push(line);
    }

    /// Where messages go.
    pub fn route(&self, queues: &Queues) -> queues::Result<Route> {
        let mut to: Vec<(Preset, Stage, Queue, bool)> = Vec::new();
        for line in &self.lines {
            to.push((line.preset, line.stage, queues.queue(&line.name)?, line.is_fifo));
        }
        let route = move |message: &Message| -> Result<(Queue, queues::Message), Cause> {
            let of = message.stage();
            let (_, _, queue, is_fifo) =
                to.iter().find(|(preset, stage, ..)| (*preset, *stage) == of).ok_or("no stage reads this message")?;
            let body = message.to_json()?;
            let sent = if *is_fifo {
                queues::Message::of_group(group(message.group()), message.id().as_str(), body)
            } else {
                queues::Message::new(body)
            };
            Ok((*queue, sent))
        };
        Ok(std::sync::Arc::new(route))
    }
}

/// The queue of notifications: those of one receiver in order, each tried ten times.
fn notifications() -> Line {
    Line {
        name: "notifications".to_owned(),
        dead: "notifications-dlq".to_owned(),
        preset: Preset::Transactions,
        stage: Stage::Notify,
        is_fifo: true,
        receives_max: 10,
        visibility_ms: 60_000,
        is_step_by_step: false,
    }
}

fn group(feed: &Feed) -> String {
    feed.as_str().to_owned()
}

fn line(topology: &Topology, function: &Function, stage: Stage) -> Line {
    let queue = function.triggers.iter().find_map(|trigger| match trigger {
        Trigger::Queue { name, .. } => topology.queues.iter().find(|queue| queue.name == *name),
        _ => None,
    });
    let preset = topology.preset;
    if let Some(queue) = queue
        && let Role::Work { receives_max, dead_letters } = queue.role
    {
        return Line {
            name: queue.name.to_owned(),
            dead: dead_letters.to_owned(),
            preset,
            stage,
            is_fifo: queue.fifo,
            receives_max,
            visibility_ms: u64::from(queue.visibility_seconds) * 1000,
            is_step_by_step: false,
        };
    }
    let attempts = function.triggers.iter().find_map(|trigger| match trigger {
        Trigger::ObjectCreated { attempts_max } => Some(*attempts_max),
        _ => None,
    });
    Line {
        name: format!("{}-events", function.name),
        dead: format!("{}-events-dlq", function.name),
        preset,
        stage,
        is_fifo: true,
        receives_max: attempts.unwrap_or(ATTEMPTS_MAX),
        // as for queues: six times as long as the stage may take
        visibility_ms: u64::from(function.timeout_seconds) * 6000,
        // what the clock sets to work goes through everything that came since
        is_step_by_step: function.triggers.iter().any(|trigger| matches!(trigger, Trigger::Schedule(_))),
    }
}

/// Attempts at a stage of a workflow or a schedule, which the topology leaves to who runs it.
const ATTEMPTS_MAX: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_reads_one_queue_and_has_its_own_dead_letters() {
        let plan = Plan::new(&Feeds::default()).unwrap();
        let names: Vec<&str> = plan.lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "file-validator-events",
                "validator-to-processor",
                "processor-to-aggregator",
                "DataIngestion-events",
                "ProcessingQueue",
                "DataAggregator-events",
                "csv-validator-events",
                "data-transformer-events",
                "notification-sender-events",
            ]
        );
        assert!(plan.lines.iter().all(|line| line.receives_max == 3));
        let standard: Vec<&str> =
            plan.lines.iter().filter(|line| !line.is_fifo).map(|line| line.name.as_str()).collect();
        assert_eq!(standard, ["ProcessingQueue"]);
        assert!(queues::check_settings(&plan.queues).is_ok());
    }
}
