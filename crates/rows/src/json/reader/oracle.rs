//! What a reader must answer, worked out with serde_json, one step after the other and without any haste.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::limits::JSON_DEPTH_MAX;

enum Tree {
    Null,
    /// Numbers, words and strings.
    Text(String),
    Array(String, Vec<Tree>),
    Object(String, Vec<(String, Tree)>),
}

/// The fields of an object, repeated keys included.
struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Fields;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// The values at `paths`, or the code of the fault.
pub(super) fn read(record: &[u8], paths: &[&str]) -> Result<Vec<Vec<u8>>, &'static str> {
    let raw: Box<RawValue> = serde_json::from_slice(record).map_err(|_| "invalid_json")?;
    let tree = tree(raw.get())?;
    if depth(&tree) > JSON_DEPTH_MAX {
        return Err("json_too_deep");
    }
    if has_repeated_key(&tree) {
        return Err("duplicate_key");
    }
    if matches!(tree, Tree::Null | Tree::Text(_)) {
        return Err("not_a_record");
    }
    Ok(paths.iter().map(|path| text(find(&tree, path)).into_bytes()).collect())
}

fn tree(raw: &str) -> Result<Tree, &'static str> {
    let invalid = |_| "invalid_json";
    Ok(match raw.as_bytes()[0] {
        b'{' => {
            let Fields(fields) = serde_json::from_str(raw).map_err(invalid)?;
            let fields = fields.into_iter().map(|(key, value)| Ok((key, tree(value.get())?)));
            Tree::Object(raw.to_owned(), fields.collect::<Result<_, &'static str>>()?)
        }
        b'[' => {
            let items: Vec<Box<RawValue>> = serde_json::from_str(raw).map_err(invalid)?;
            Tree::Array(raw.to_owned(), items.iter().map(|item| tree(item.get())).collect::<Result<_, _>>()?)
        }
        b'"' => Tree::Text(serde_json::from_str(raw).map_err(invalid)?),
        b'n' => Tree::Null,
        _ => Tree::Text(raw.to_owned()),
    })
}

fn depth(tree: &Tree) -> usize {
    match tree {
        Tree::Null | Tree::Text(_) => 0,
        Tree::Array(_, items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Tree::Object(_, fields) => 1 + fields.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
    }
}

fn has_repeated_key(tree: &Tree) -> bool {
    match tree {
        Tree::Null | Tree::Text(_) => false,
        Tree::Array(_, items) => items.iter().any(has_repeated_key),
        Tree::Object(_, fields) => fields.iter().enumerate().any(|(index, (key, value))| {
            has_repeated_key(value) || fields[..index].iter().any(|(earlier, _)| earlier == key)
        }),
    }
}

fn find<'a>(tree: &'a Tree, path: &str) -> Option<&'a Tree> {
    child(tree, path, true).or_else(|| path.split('.').try_fold(tree, |tree, part| child(tree, part, false)))
}

fn child<'a>(tree: &'a Tree, part: &str, is_whole_path: bool) -> Option<&'a Tree> {
    match tree {
        Tree::Object(_, fields) => fields.iter().find(|(key, _)| key == part).map(|(_, value)| value),
        Tree::Array(_, items) if !is_whole_path => items.get(part.parse::<usize>().ok()?),
        _ => None,
    }
}

fn text(tree: Option<&Tree>) -> String {
    match tree {
        None | Some(Tree::Null) => String::new(),
        Some(Tree::Text(text) | Tree::Array(text, _) | Tree::Object(text, _)) => text.clone(),
    }
}
