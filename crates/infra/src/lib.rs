//! The CloudFormation templates, one stack for each preset, made from the topology that the pipeline declares.
//!
//! - [`synth`] turns a preset and [`Settings`] into a template: the same byte for byte each time. What is where, every
//!   figure and every right follows from [`pipeline::topology`]; this crate knows only how the cloud wants it said.
//! - [`resources`] are the types of resources with the properties that we use, and [`mod@reference`] what they may refer to: a
//!   queue's ARN where a table's is wanted does not compile.
//! - [`wiring`] reads a finished template and finds what the cloud would only notice at work: a source without its
//!   permission, a right that is missing or too wide.
//! - [`requirements`] says which property of which resource meets which requirement, and writes the page about it.

pub mod json;
pub mod limits;
pub mod names;
pub mod policy;
pub mod reference;
pub mod requirements;
pub mod resources;
pub mod settings;
mod stack;
pub mod template;
pub mod wiring;

pub use settings::{Architecture, Environment, Package, Settings};
pub use stack::{file_name, preset_name, stack_name, synth};
