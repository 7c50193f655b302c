//! A stack in the making: one function for each kind of thing, in the order in which one reads a template.

mod alarms;
mod api;
mod events;
mod functions;
mod outputs;
mod parameters;
mod rights;
mod stores;
mod workflow;

use pipeline::preset::Preset;
use pipeline::topology::{self, Topology};

use crate::json::Json;
use crate::names::{capitals, logical_id, named, queue_id};
use crate::reference::{Handle, Text};
use crate::resources::Tags;
use crate::resources::functions::Function;
use crate::resources::logs::LogGroup;
use crate::resources::queues::Queue;
use crate::resources::roles::Role;
use crate::resources::tables::Table;
use crate::settings::{Environment, Settings};
use crate::template::Template;

/// The template of a preset.
pub fn synth(preset: Preset, settings: &Settings) -> Json {
    let topology = Topology::of(preset);
    let environment = settings.environment.as_str();
    let words = format!("Millrace, preset {}, environment {environment}", preset_name(preset));
    let mut stack = Stack { topology, settings, template: Template::new(words) };
    parameters::add(&mut stack);
    stores::add(&mut stack);
    events::add_bus(&mut stack);
    events::add_topic(&mut stack);
    functions::add(&mut stack);
    functions::add_triggers(&mut stack);
    workflow::add(&mut stack);
    events::add_anew_calls(&mut stack);
    events::add_schedules(&mut stack);
    api::add(&mut stack);
    alarms::add(&mut stack);
    outputs::add(&mut stack);
    stack.template.into_json()
}

/// The name of the file that the template of a preset is written to.
pub fn file_name(preset: Preset) -> String {
    format!("{}.template.json", preset_name(preset))
}

/// The name of the stack of a preset in an environment.
pub fn stack_name(preset: Preset, environment: &Environment) -> String {
    format!("millrace-{}", named(preset_name(preset), environment))
}

/// The name of a preset, in lowercase.
pub fn preset_name(preset: Preset) -> &'static str {
    match preset {
        Preset::Files => "files",
        Preset::Market => "market",
        Preset::Transactions => "transactions",
    }
}

struct Stack<'a> {
    topology: &'a Topology,
    settings: &'a Settings,
    template: Template,
}

impl<'a> Stack<'a> {
    /// The name of a thing in this environment.
    fn named(&self, name: &str) -> String {
        named(name, &self.settings.environment)
    }

    fn table(&self, table: &topology::Table) -> Handle<Table> {
        Handle::new(logical_id(table.name, "Table"))
    }

    /// The queue of this name, which the check of the topology says there is.
    fn queue(&self, name: &str) -> Handle<Queue> {
        let declared = self.topology.queues.iter().find(|queue| queue.name == name);
        Handle::new(declared.map_or_else(|| capitals(name), queue_id))
    }

    fn function(&self, name: &str) -> Handle<Function> {
        Handle::new(logical_id(name, "Function"))
    }

    fn role(&self, name: &str) -> Handle<Role> {
        Handle::new(logical_id(name, "Role"))
    }

    fn logs(&self, name: &str) -> Handle<LogGroup> {
        Handle::new(logical_id(name, "LogGroup"))
    }

    /// The tags of everything. Where the topology leaves a value open it is the environment, or told when the stack is
    /// made.
    fn tags(&self) -> Tags {
        let tag = |(key, value): &(&'static str, Option<&'static str>)| match (*key, *value) {
            (key, Some(value)) => (key, Text::from(value)),
            ("Environment", None) => ("Environment", Text::from(self.settings.environment.as_str())),
            (key, None) => (key, Text::parameter(key)),
        };
        Tags(self.topology.tags.iter().map(tag).collect())
    }

    fn functions(&self) -> &'a [topology::Function] {
        &self.topology.functions
    }

    /// Adds a log group that keeps its lines for as long as the topology says.
    fn add_logs(&mut self, handle: &Handle<LogGroup>, name: impl Into<Text>) {
        let group = LogGroup { name: name.into(), days: self.topology.log_days, tags: self.tags() };
        self.template.add(handle, group);
    }
}
