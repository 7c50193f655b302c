//! How the records lie in a JSON file, told by its first bytes.

use memchr::memchr2;

use super::text;
use super::values::{Inside, Scanned};

/// How records follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One value per line (NDJSON); also lines that are no JSON at all.
    Lines,
    /// One array whose elements are the records.
    Array,
    /// One or more values with any white space between and inside them, such as one pretty-printed object.
    Value,
}

/// Tells the layout by the front of a file, its BOM dropped; the more of it the surer.
///
/// A `[` may open one array of records or the first of many lines that are arrays, a `{` the first of many lines or a
/// value over many lines: the end of the first line decides. A first line that is broken does not hide that there are
/// lines, so that it costs one row and not the file.
pub fn detect(first: &[u8]) -> Layout {
    let start = text::skip_space(first, 0);
    match first.get(start) {
        Some(b'[') => detect_array(&first[start..]),
        Some(b'{') => detect_object(&first[start..]),
        _ => Layout::Lines,
    }
}

fn detect_array(first: &[u8]) -> Layout {
    let line_end = memchr2(b'\n', b'\r', first);
    let line = &first[..line_end.unwrap_or(first.len())];
    let value_end = value_end(line);
    // Elements that are no records: then the line is one.
    let holds_scalars = !matches!(line.get(text::skip_space(line, 1)), None | Some(b'{' | b'[' | b']'));
    let Some(value_end) = value_end else {
        return if line_end.is_none() && holds_scalars { Layout::Lines } else { Layout::Array };
    };
    let next = text::skip_space(first, value_end);
    match first.get(next) {
        None if holds_scalars => Layout::Lines,
        Some(b'[' | b'{') if next >= line.len() => Layout::Lines,
        _ => Layout::Array,
    }
}

fn detect_object(first: &[u8]) -> Layout {
    let Some(line_end) = memchr2(b'\n', b'\r', first) else {
        return match value_end(first) {
            Some(end) if text::skip_space(first, end) < first.len() => Layout::Value,
            _ => Layout::Lines,
        };
    };
    let line = &first[..line_end];
    if let Some(end) = value_end(line) {
        return if line.get(text::skip_space(line, end)) == Some(&b'{') { Layout::Value } else { Layout::Lines };
    }
    // In a value over many lines, a line that opens an object comes after one that asks for a value.
    let asks_for_value = matches!(line.trim_ascii_end().last(), Some(b'{' | b'[' | b',' | b':'));
    let next = first.get(text::skip_space(first, line_end));
    if next == Some(&b'{') && !asks_for_value { Layout::Lines } else { Layout::Value }
}

/// Whether `record` is one object or array with white space around it and nothing else, as far as brackets and strings
/// tell.
pub(crate) fn is_closed(record: &[u8]) -> bool {
    let record = record.trim_ascii();
    matches!(record.first(), Some(b'{' | b'[')) && value_end(record) == Some(record.len())
}

/// Where the object or array at the front of `bytes` ends, as far as brackets and strings tell.
fn value_end(bytes: &[u8]) -> Option<usize> {
    let mut inside = Inside::open(*bytes.first()?);
    match inside.scan(bytes, 1) {
        Scanned::End(end) => Some(end),
        Scanned::More => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_told_by_content() {
        use Layout::{Array, Lines, Value};
        let check = |text: &str, expected| assert_eq!(detect(text.as_bytes()), expected, "{text}");
        check("", Lines);
        check("hello", Lines);
        check("1626993367.875267: {\"a\":1}\n", Lines);

        check("{\"a\":1}\n{\"a\":2}\n", Lines);
        check("\n\r\n {\"a\":1} \r\n{\"a\":2}\r\n", Lines);
        check("{\"a\":1}", Lines);
        check("{\"a\":\"}\\\"{\"}\r{", Lines);
        check("{\"a\":\"a first line that goes on behind what is seen of", Lines);
        check("{\"a\":1}garbage\n{\"a\":2}\n", Lines);
        check("{\"a\":1\n{\"a\":2}\n", Lines);
        check("{\"a\":\"open\n{\"a\":2}\n", Lines);
        check("{\n  \"a\": 1\n}\n", Value);
        check("{\"a\": [\n{\"b\":1}]}", Value);
        check("{ \"a\": 1,\n  \"b\": 2 }", Value);
        check("{\"a\":1} {\"a\":2}\n", Value);
        check("{\"a\":1}{\"a\":2}", Value);

        check("[{\"a\":1},{\"a\":2}]", Array);
        check("[\n  {\"a\":1}\n]\n", Array);
        check("[[1,2],[3,4]]\n", Array);
        check("[]", Array);
        check("[", Array);
        check("[{\"a\":1}]\ngarbage", Array);
        check("[1,2]\n[3,4]\n", Lines);
        check("[1,2]\r[3,4]", Lines);
        check("[1,2]\n{\"a\":1}\n", Lines);
        check("[1,\"]\"]\n", Lines);
        check("[{\"a\":1}]\n\n[{\"a\":2}]\n", Lines);
        check("[1609459200,\"1.0\",", Lines);
        check("[[1609459200,\"1.0\"],[", Array);
        check("[\n1,\n2]", Array);
    }
}
