//! Patterns of keys: text in which `*` stands for any text, slashes too.

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern from its text; every text is one.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole of a key fits. Takes time by the length of the key, whatever the pattern.
    pub fn matches(&self, key: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return self.0 == key };
        let Some(mut left) = key.strip_prefix(first) else { return false };
        let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
        // the leftmost place is always as good as any: a later part then has more room
        for part in middle.split('*').filter(|part| !part.is_empty()) {
            let Some(at) = left.find(part) else { return false };
            left = &left[at + part.len()..];
        }
        left.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, fits, fits_not) in [
            ("*", vec!["", "a", "a/b"], vec![]),
            ("a.csv", vec!["a.csv"], vec!["a.csv2", "b.csv", ""]),
            ("acme/*", vec!["acme/", "acme/x/y"], vec!["acme", "b/acme/x"]),
            ("*.csv", vec![".csv", "a/b.csv"], vec!["a.csv.gz"]),
            ("a*b*c", vec!["abc", "axxbyyc", "abcbc"], vec!["ab", "acb", "xabc"]),
            ("a**c", vec!["ac", "abc"], vec!["a", "c"]),
            ("ab*ba", vec!["abba", "abxba"], vec!["aba", "ab"]),
        ] {
            let pattern = Pattern::new(pattern);
            assert!(fits.iter().all(|key| pattern.matches(key)), "{pattern:?} does not take one of {fits:?}");
            assert!(!fits_not.iter().any(|key| pattern.matches(key)), "{pattern:?} takes one of {fits_not:?}");
        }
    }
}
