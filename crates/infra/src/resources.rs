//! The types of resources that we use, with the properties that we use. What is the same for all of ours (encryption,
//! versions, no public access) is no property here: it is always so.

pub mod alarms;
pub mod api;
pub mod buckets;
pub mod events;
pub mod functions;
pub mod logs;
pub mod queues;
pub mod roles;
pub mod tables;
pub mod topics;
pub mod workflows;

use crate::json::Json;
use crate::reference::Text;

/// Tags, in order.
#[derive(Debug, Clone, Default)]
pub struct Tags(pub Vec<(&'static str, Text)>);

impl From<Tags> for Json {
    fn from(tags: Tags) -> Self {
        Self::list(tags.0.into_iter().map(|(key, value)| Self::object([("Key", key.into()), ("Value", value.into())])))
    }
}
