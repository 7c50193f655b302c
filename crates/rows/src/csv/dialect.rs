//! Which bytes separate, quote and comment.

use super::grammar::read_field;

/// How one CSV file is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    delimiter: u8,
    quote: Option<u8>,
    comment: Vec<u8>,
}

impl Dialect {
    /// A dialect without comments. None when it could not be read: both bytes must be ASCII, differ, and end no line.
    pub fn new(delimiter: u8, quote: Option<u8>) -> Option<Self> {
        let usable = |byte: u8| byte.is_ascii() && byte != b'\n' && byte != b'\r';
        let sound = usable(delimiter) && quote.is_none_or(|quote| usable(quote) && quote != delimiter);
        sound.then_some(Self { delimiter, quote, comment: Vec::new() })
    }

    /// The same, where a record that starts with `prefix` is a comment up to its line end; empty: there are none.
    /// None when the prefix has a line end in it. Comments make the scan several times slower.
    pub fn with_comment(mut self, prefix: &[u8]) -> Option<Self> {
        if prefix.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            return None;
        }
        self.comment = prefix.to_vec();
        Some(self)
    }

    /// The byte between two fields.
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// The byte around a quoted field, if fields can be quoted.
    pub fn quote(&self) -> Option<u8> {
        self.quote
    }

    /// What a comment starts with; empty when there are none.
    pub fn comment(&self) -> &[u8] {
        &self.comment
    }

    /// A byte that means nothing, to fill a block with.
    pub(super) fn filler(&self) -> u8 {
        let taken = |byte: u8| byte == self.delimiter || Some(byte) == self.quote;
        match (taken(b' '), taken(b'a')) {
            (false, _) => b' ',
            (true, false) => b'a',
            (true, true) => b'b',
        }
    }
}

/// Comma and double quote.
impl Default for Dialect {
    fn default() -> Self {
        Self { delimiter: b',', quote: Some(b'"'), comment: Vec::new() }
    }
}

/// The delimiter of a file that begins with `first`: the one of comma, semicolon, tab and bar that its first record has
/// most often outside double quotes; comma when it has none. One that leaves text after a closing quote comes last.
pub fn sniff_delimiter(first: &[u8]) -> u8 {
    let start = first.iter().position(|byte| !matches!(byte, b'\n' | b'\r')).unwrap_or(first.len());
    let mut best = (b',', (false, 0));
    for delimiter in *b",;\t|" {
        let dialect = Dialect { delimiter, ..Dialect::default() };
        let (mut at, mut count, mut sound) = (start, 0, true);
        loop {
            let field = read_field(first, at, &dialect);
            sound &= field.fault.is_none();
            if first.get(field.end) != Some(&delimiter) {
                break;
            }
            count += 1;
            at = field.end + 1;
        }
        let rank = (sound && count > 0, count);
        if rank > best.1 {
            best = (delimiter, rank);
        }
    }
    best.0
}
