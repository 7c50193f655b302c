//! JSON as templates need it: objects keep the order in which they were written, so that a template reads from top to
//! bottom and is the same byte for byte each time.

use std::fmt::{self, Write};

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number; templates have no others.
    Number(i64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object, in order; no key twice.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// An object of these fields.
    pub fn object<const N: usize>(fields: [(&str, Json); N]) -> Self {
        Self::Object(fields.map(|(key, value)| (key.to_owned(), value)).into())
    }

    /// A list of these values.
    pub fn list<V: Into<Json>>(values: impl IntoIterator<Item = V>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }

    /// The field of an object.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.fields().iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// What is at a path of keys and positions, such as `Rules.0.Status`.
    pub fn at(&self, path: &str) -> Option<&Json> {
        path.split('.').try_fold(self, |value, step| match value {
            Self::List(values) => values.get(step.parse::<usize>().ok()?),
            _ => value.get(step),
        })
    }

    /// The same, to change it.
    pub fn at_mut(&mut self, path: &str) -> Option<&mut Json> {
        path.split('.').try_fold(self, |value, step| match value {
            Self::List(values) => values.get_mut(step.parse::<usize>().ok()?),
            Self::Object(fields) => fields.iter_mut().find(|(name, _)| name == step).map(|(_, value)| value),
            _ => None,
        })
    }

    /// Takes a field out of an object, or a value out of a list; nothing if there is none.
    pub fn remove(&mut self, step: &str) -> Option<Json> {
        match self {
            Self::List(values) => {
                let at = step.parse::<usize>().ok().filter(|at| *at < values.len())?;
                Some(values.remove(at))
            }
            Self::Object(fields) => {
                let at = fields.iter().position(|(name, _)| name == step)?;
                Some(fields.remove(at).1)
            }
            _ => None,
        }
    }

    /// The fields of an object; none of anything else.
    pub fn fields(&self) -> &[(String, Json)] {
        if let Self::Object(fields) = self { fields } else { &[] }
    }

    /// The values of a list; of anything else that one value, as policies allow.
    pub fn values(&self) -> &[Json] {
        if let Self::List(values) = self { values } else { std::slice::from_ref(self) }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// Sets a field of an object, in the place where it was or at the end; anything else becomes an object.
    pub fn set(&mut self, key: &str, value: Json) {
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(Vec::new());
        }
        let Self::Object(fields) = self else { return };
        match fields.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => fields.push((key.to_owned(), value)),
        }
    }

    /// On one line, as policies within texts and formats of logs want it.
    pub fn compact(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, None).expect("writing to a text cannot fail");
        text
    }

    fn write(&self, to: &mut String, depth: Option<usize>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(to, "{value}"),
            Self::Number(value) => write!(to, "{value}"),
            Self::Text(text) => quote(to, text),
            Self::List(values) => group(to, depth, ['[', ']'], values, |to, value, depth| value.write(to, depth)),
            Self::Object(fields) => group(to, depth, ['{', '}'], fields, |to, (key, value), depth| {
                quote(to, key)?;
                to.push_str(if depth.is_some() { ": " } else { ":" });
                value.write(to, depth)
            }),
        }
    }
}

fn group<T>(
    to: &mut String,
    depth: Option<usize>,
    [open, close]: [char; 2],
    items: &[T],
    each: impl Fn(&mut String, &T, Option<usize>) -> fmt::Result,
) -> fmt::Result {
    let inner = depth.map(|depth| depth + 1);
    let break_line = |to: &mut String, depth: Option<usize>| {
        if let Some(depth) = depth {
            to.push('\n');
            to.extend(std::iter::repeat_n("  ", depth));
        }
    };
    to.push(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            to.push(',');
        }
        break_line(to, inner);
        each(to, item, inner)?;
    }
    if !items.is_empty() {
        break_line(to, depth);
    }
    to.push(close);
    Ok(())
}

fn quote(to: &mut String, text: &str) -> fmt::Result {
    to.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => to.extend(['\\', c]),
            '\n' => to.push_str("\\n"),
            c if c < ' ' => write!(to, "\\u{:04x}", c as u32)?,
            c => to.push(c),
        }
    }
    to.push('"');
    Ok(())
}

/// Over several lines, indented by two spaces.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text, Some(0))?;
        f.write_str(&text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Json {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<V: Into<Json>> From<Vec<V>> for Json {
    fn from(values: Vec<V>) -> Self {
        Self::list(values)
    }
}

/// An object in the making: what is not there leaves no trace.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, Json)>);

impl Fields {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this field.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.0.push((key.to_owned(), value.into()));
        self
    }

    /// With this field, if there is a value.
    #[must_use]
    pub fn maybe<V: Into<Json>>(self, key: &str, value: Option<V>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }
}

impl From<Fields> for Json {
    fn from(fields: Fields) -> Self {
        Self::Object(fields.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Json {
        Fields::new()
            .with("b", "\"quoted\" \\ \u{1} line\nbreak é")
            .with("a", vec![Json::from(1), Json::Bool(true), Json::List(Vec::new())])
            .maybe("none", None::<&str>)
            .with("c", Json::object([]))
            .into()
    }

    #[test]
    fn others_read_what_is_written() {
        for text in [sample().compact(), sample().to_string()] {
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read["b"], "\"quoted\" \\ \u{1} line\nbreak é");
            assert_eq!(read["a"], serde_json::json!([1, true, []]));
        }
        assert!(sample().to_string().starts_with("{\n  \"b\": "), "order is kept");
    }

    #[test]
    fn paths_lead_to_values() {
        assert_eq!(sample().at("a.1"), Some(&Json::Bool(true)));
        assert_eq!(sample().at("a.9"), None);
        assert_eq!(sample().at("c.d"), None);
    }

    #[test]
    fn a_field_is_set_in_its_place() {
        let mut json = sample();
        json.set("b", Json::from(7));
        json.set("z", Json::from(8));
        let keys: Vec<&str> = json.fields().iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["b", "a", "c", "z"]);
        assert_eq!(json.get("b"), Some(&Json::Number(7)));
    }
}
