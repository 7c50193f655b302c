//! References with a type: the ARN of a queue where that of a table is wanted does not compile.
//!
//! ```compile_fail,E0308
//! use infra::reference::{Arn, Handle};
//! use infra::resources::{queues::Queue, tables::Table};
//!
//! fn restore(table: Arn<Table>) {}
//! restore(Handle::<Queue>::new("WorkQueue").arn()); // expected `Arn<Table>`, found `Arn<Queue>`
//! ```
//!
//! ```
//! use infra::reference::{Arn, Handle};
//! use infra::resources::tables::Table;
//!
//! fn restore(table: Arn<Table>) {}
//! restore(Handle::<Table>::new("StatusTable").arn());
//! ```
//!
//! What has no ARN of its own has none here:
//!
//! ```compile_fail,E0599
//! use infra::{reference::Handle, resources::queues::QueuePolicy};
//!
//! Handle::<QueuePolicy>::new("WorkQueuePolicy").arn();
//! ```

use std::marker::PhantomData;

use crate::json::Json;

/// A text in a template: plain, or worked out when the stack is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(Json);

impl Text {
    /// With `${Parameter}`, `${Resource.Attribute}` and `${AWS::Region}` replaced when the stack is made.
    pub fn substituted(text: impl Into<String>) -> Self {
        Self(Json::object([("Fn::Sub", Json::Text(text.into()))]))
    }

    /// Any value that becomes a text: the escape hatch for attributes that have no type here.
    pub fn from_json(value: Json) -> Self {
        Self(value)
    }

    /// The value of a parameter, by its name.
    pub fn parameter(name: &str) -> Self {
        Self(reference(name))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<Text> for Json {
    fn from(text: Text) -> Self {
        text.0
    }
}

fn reference(id: &str) -> Json {
    Json::object([("Ref", id.into())])
}

/// A resource of a template, by its logical id.
#[derive(Debug)]
pub struct Handle<R> {
    id: String,
    is: PhantomData<fn() -> R>,
}

/// Resources that have the attribute `Arn`.
pub trait HasArn {
    /// The name of the attribute.
    const ATTRIBUTE: &'static str = "Arn";
}

impl<R> Handle<R> {
    /// The resource with this logical id. That there is one, and only one, is looked at by [`crate::wiring`].
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), is: PhantomData }
    }

    /// The logical id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What `Ref` gives: the URL of a queue, the ARN of a topic, of most others their name or id.
    pub fn reference(&self) -> Ref<R> {
        Ref(reference(&self.id), PhantomData)
    }
}

impl<R: HasArn> Handle<R> {
    /// The ARN.
    pub fn arn(&self) -> Arn<R> {
        let path = Json::list([self.id.as_str(), R::ATTRIBUTE]);
        Arn(Json::object([("Fn::GetAtt", path)]), PhantomData)
    }
}

impl<R> Clone for Handle<R> {
    fn clone(&self) -> Self {
        Self::new(self.id.clone())
    }
}

/// What `Ref` gives of a resource of this type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ref<R>(Json, PhantomData<fn() -> R>);

/// The ARN of a resource of this type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arn<R>(Json, PhantomData<fn() -> R>);

impl<R> Arn<R> {
    /// An ARN put together from the name of the resource: for resources that would else refer to each other in a circle.
    /// `rest` is what stands behind the partition, such as `s3:::name`.
    pub(crate) fn composed(rest: &str) -> Self {
        Self(Text::substituted(format!("arn:${{AWS::Partition}}:{rest}")).0, PhantomData)
    }
}

impl<R> From<Ref<R>> for Text {
    fn from(of: Ref<R>) -> Self {
        Self(of.0)
    }
}

impl<R> From<Arn<R>> for Text {
    fn from(arn: Arn<R>) -> Self {
        Self(arn.0)
    }
}

impl<R> From<Ref<R>> for Json {
    fn from(of: Ref<R>) -> Self {
        of.0
    }
}

impl<R> From<Arn<R>> for Json {
    fn from(arn: Arn<R>) -> Self {
        arn.0
    }
}
