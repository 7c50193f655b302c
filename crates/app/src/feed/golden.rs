//! Golden files: what the report of a file must hold, compared key by key.

use serde_json::{Map, Value};

/// Keys of a report that a new expectation holds.
const KEPT: [&str; 8] = ["format", "rows", "good", "rejected", "duplicate", "reasons", "outcome", "error"];

/// One place where a report is not what it must be.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Difference {
    /// Where in the report, such as `reasons.invalid_amount`.
    pub path: String,
    /// What must be there.
    pub expected: Value,
    /// What is there; none when there is no such key.
    pub actual: Option<Value>,
}

/// Where `actual` differs from `expected`. Keys that `expected` does not name may be anything, except among the
/// reasons: one that nobody expected is a difference.
pub(super) fn differences(expected: &Value, actual: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", expected, Some(actual), &mut found);
    found
}

fn compare(path: &str, expected: &Value, actual: Option<&Value>, found: &mut Vec<Difference>) {
    match (expected, actual) {
        (Value::Object(expected), Some(Value::Object(actual))) => {
            for (key, value) in expected {
                compare(&inner(path, key), value, actual.get(key), found);
            }
            if matches!(path, "reasons" | "first_reasons") {
                let more = actual.iter().filter(|(key, _)| !expected.contains_key(*key));
                found.extend(more.map(|(key, value)| Difference {
                    path: inner(path, key),
                    expected: Value::from(0),
                    actual: Some(value.clone()),
                }));
            }
        }
        (Value::Array(expected_items), Some(Value::Array(actual_items)))
            if expected_items.len() == actual_items.len() =>
        {
            for (index, (expected, actual)) in expected_items.iter().zip(actual_items).enumerate() {
                compare(&inner(path, &index.to_string()), expected, Some(actual), found);
            }
        }
        (_, Some(actual)) if expected == actual => {}
        (_, actual) => {
            let (expected, actual) = (expected.clone(), actual.cloned());
            found.push(Difference { path: path.to_owned(), expected, actual });
        }
    }
}

fn inner(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// What to expect of a report from now on: the keys that `before` named, or those most worth keeping.
pub(super) fn expectation(before: Option<&Value>, actual: &Value) -> Value {
    match before {
        Some(before) => renewed(before, actual),
        None => {
            let kept = KEPT.iter().filter_map(|key| Some(((*key).to_owned(), actual.get(key)?.clone())));
            let mut kept: Map<String, Value> = kept.filter(|(_, value)| !value.is_null()).collect();
            if let Some(Value::Object(error)) = kept.get_mut("error") {
                // Words may be put better; the code stays.
                error.retain(|key, _| key == "code");
            }
            Value::Object(kept)
        }
    }
}

fn renewed(before: &Value, actual: &Value) -> Value {
    match (before, actual) {
        (Value::Object(before), Value::Object(actual)) => {
            let known = before.iter().filter_map(|(key, value)| {
                let actual = actual.get(key)?;
                let whole = matches!(key.as_str(), "reasons" | "first_reasons");
                Some((key.clone(), if whole { actual.clone() } else { renewed(value, actual) }))
            });
            Value::Object(known.collect())
        }
        (Value::Array(before), Value::Array(actual)) if before.len() == actual.len() => {
            Value::Array(before.iter().zip(actual).map(|(before, actual)| renewed(before, actual)).collect())
        }
        _ => actual.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> Value {
        json!({ "rows": 3, "good": 2, "reasons": { "invalid_amount": 1 }, "rejects": [{ "line": 4, "value": "x" }],
            "error": null, "drift": { "unknown": ["a"] }, "outcome": "completed_with_rejects" })
    }

    #[test]
    fn only_what_is_named_is_compared() {
        assert_eq!(differences(&json!({}), &report()), []);
        assert_eq!(differences(&json!({ "rows": 3, "rejects": [{ "line": 4 }], "error": null }), &report()), []);
        let different = differences(&json!({ "rows": 4, "rejects": [{ "line": 5 }], "gud": 1 }), &report());
        let paths: Vec<&str> = different.iter().map(|difference| difference.path.as_str()).collect();
        assert_eq!(paths, ["gud", "rejects.0.line", "rows"]);
        assert_eq!(different[0].actual, None);
        assert_eq!(different[2].actual, Some(json!(3)));
    }

    #[test]
    fn a_reason_that_nobody_expected_is_a_difference() {
        let different = differences(&json!({ "reasons": {} }), &report());
        assert_eq!(different[0].path, "reasons.invalid_amount");
        assert_eq!(differences(&json!({ "reasons": { "invalid_amount": 1 } }), &report()), []);
    }

    #[test]
    fn an_expectation_keeps_to_its_keys() {
        let new = expectation(None, &report());
        assert_eq!(
            new,
            json!({ "rows": 3, "good": 2, "reasons": { "invalid_amount": 1 }, "outcome": "completed_with_rejects" })
        );
        let renewed = expectation(Some(&json!({ "rows": 9, "gone": 1, "rejects": [{ "line": 1 }] })), &report());
        assert_eq!(renewed, json!({ "rows": 3, "rejects": [{ "line": 4 }] }));
        assert_eq!(differences(&renewed, &report()), []);
    }
}
