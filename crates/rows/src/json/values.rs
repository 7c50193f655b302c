//! Where values end in text that is not cut into lines: brackets are counted outside strings, nothing is checked.

use super::text;

/// A value whose end is not seen yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inside {
    kind: Kind,
    /// Brackets that are open.
    depth: usize,
    in_string: bool,
    /// The last byte seen was a backslash in a string: the next one means nothing.
    is_escaped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Brackets,
    Text,
    /// A number or a word. Only what comes next ends it.
    Bare,
}

/// What a scan came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scanned {
    /// The value ends here.
    End(usize),
    /// All bytes belong to it, and it is not at its end.
    More,
}

const OTHER: u8 = 0;
const QUOTE: u8 = 1;
const OPEN: u8 = 2;
const CLOSE: u8 = 3;

static CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    classes[b'"' as usize] = QUOTE;
    classes[b'{' as usize] = OPEN;
    classes[b'[' as usize] = OPEN;
    classes[b'}' as usize] = CLOSE;
    classes[b']' as usize] = CLOSE;
    classes
};

impl Inside {
    /// Whether a value can begin with `byte`. Words are let in whole: the reader says what is wrong with them.
    pub(super) fn can_open(byte: u8) -> bool {
        matches!(byte, b'{' | b'[' | b'"') || is_bare(byte)
    }

    /// A value of which the first byte has been seen.
    pub(super) fn open(byte: u8) -> Self {
        let (kind, depth) = match byte {
            b'{' | b'[' => (Kind::Brackets, 1),
            b'"' => (Kind::Text, 0),
            _ => (Kind::Bare, 0),
        };
        Self { kind, depth, in_string: kind == Kind::Text, is_escaped: false }
    }

    /// Whether the end of the file ends the value, too.
    pub(super) fn is_bare(self) -> bool {
        self.kind == Kind::Bare
    }

    /// Goes on at `at`, just behind the last byte seen.
    pub(super) fn scan(&mut self, bytes: &[u8], mut at: usize) -> Scanned {
        if self.kind == Kind::Bare {
            let rest = bytes.get(at..).unwrap_or_default();
            let length = rest.iter().position(|&byte| !is_bare(byte));
            return length.map_or(Scanned::More, |length| Scanned::End(at + length));
        }
        while at < bytes.len() {
            if self.in_string {
                at = self.scan_string(bytes, at);
                if self.kind == Kind::Text && !self.in_string {
                    return Scanned::End(at);
                }
                continue;
            }
            let byte = bytes[at];
            at += 1;
            match CLASSES[byte as usize] {
                OTHER => {}
                QUOTE => self.in_string = true,
                OPEN => self.depth += 1,
                _ => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Scanned::End(at);
                    }
                }
            }
        }
        Scanned::More
    }

    /// To behind the closing quote, or the end of what is there.
    #[inline]
    fn scan_string(&mut self, bytes: &[u8], mut at: usize) -> usize {
        if self.is_escaped {
            self.is_escaped = false;
            at += 1;
        }
        while let Some(found) = quote_or_backslash(bytes, at) {
            if bytes[found] == b'"' {
                self.in_string = false;
                return found + 1;
            }
            at = found + 2;
        }
        self.is_escaped = at > bytes.len();
        bytes.len()
    }
}

#[inline]
fn quote_or_backslash(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = text::plain_end(bytes, at);
        match *bytes.get(at)? {
            b'"' | b'\\' => return Some(at),
            _ => at += 1, // a control character: the reader will say so
        }
    }
}

fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_found_whatever_was_seen_before() {
        let check = |text: &str, expected: Option<usize>| {
            let bytes = text.as_bytes();
            for split in 1..=bytes.len() {
                let mut inside = Inside::open(bytes[0]);
                let mut scanned = inside.scan(&bytes[..split], 1);
                if scanned == Scanned::More {
                    scanned = inside.scan(bytes, split);
                }
                assert_eq!(scanned, expected.map_or(Scanned::More, Scanned::End), "{text} seen to {split}");
            }
        };
        check(r#"{"a":[1,{"b":"]}\"}"}]} {"#, Some(23));
        check(r#"{"a":"\\"},"#, Some(10));
        check(r#"["a long string, longer than what is looked at byte by byte \" ]"] "#, Some(66));
        check(r#""text\"" "#, Some(8));
        check("-12.5e+3,", Some(8));
        check("null", None);
        check("[[]", None);
        check(r#"{"a":"}"#, None);
    }
}
