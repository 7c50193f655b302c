//! The keys of the objects that are open, to find one that comes twice.
//!
//! Small objects are compared key by key; large ones are sorted once, at their end, so that no input costs the square.

use super::fault::Stop;
use super::text;

/// Up to so many keys, comparing each with each is quickest.
const COMPARED_MAX: usize = 16;

#[derive(Debug, Clone, Copy)]
struct Mark {
    /// Range in the input, or in `decoded` when the key had escapes.
    start: u32,
    end: u32,
    is_decoded: bool,
    /// Offset of the opening quote.
    quote: u32,
}

/// Where an object's keys begin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opened {
    marks: usize,
    decoded: usize,
}

#[derive(Debug, Default)]
pub(super) struct Keys {
    marks: Vec<Mark>,
    decoded: Vec<u8>,
}

impl Keys {
    pub(super) fn clear(&mut self) {
        self.marks.clear();
        self.decoded.clear();
    }

    pub(super) fn open(&self) -> Opened {
        Opened { marks: self.marks.len(), decoded: self.decoded.len() }
    }

    /// The next key of the innermost object: the content of the string whose opening quote is at `quote`.
    /// Answers the key as it reads.
    pub(super) fn push<'a>(
        &'a mut self,
        input: &'a [u8],
        opened: Opened,
        quote: usize,
        end: usize,
        escaped: bool,
    ) -> Result<&'a [u8], Stop> {
        let (start, end) = if escaped {
            let start = self.decoded.len();
            text::unescape(&input[quote + 1..end], &mut self.decoded);
            (start, self.decoded.len())
        } else {
            (quote + 1, end)
        };
        let mark = Mark { start: start as u32, end: end as u32, is_decoded: escaped, quote: quote as u32 };
        let earlier = &self.marks[opened.marks..];
        let key = self.text(input, mark);
        if earlier.len() < COMPARED_MAX && earlier.iter().any(|&other| self.text(input, other) == key) {
            return Err(Stop::DuplicateKey(quote));
        }
        self.marks.push(mark);
        Ok(self.text(input, mark))
    }

    /// The innermost object ends.
    pub(super) fn close(&mut self, input: &[u8], opened: Opened) -> Result<(), Stop> {
        if self.marks.len() - opened.marks > COMPARED_MAX {
            let mut marks = std::mem::take(&mut self.marks);
            marks[opened.marks..]
                .sort_unstable_by(|&a, &b| self.text(input, a).cmp(self.text(input, b)).then(a.quote.cmp(&b.quote)));
            // Of several repeated keys, the one that is repeated first.
            let pairs = marks[opened.marks..].windows(2);
            let repeated = pairs.filter(|pair| self.text(input, pair[0]) == self.text(input, pair[1]));
            let first = repeated.map(|pair| pair[1].quote as usize).min();
            self.marks = marks;
            if let Some(quote) = first {
                return Err(Stop::DuplicateKey(quote));
            }
        }
        self.marks.truncate(opened.marks);
        self.decoded.truncate(opened.decoded);
        Ok(())
    }

    fn text<'a>(&'a self, input: &'a [u8], mark: Mark) -> &'a [u8] {
        let from = if mark.is_decoded { &self.decoded } else { input };
        &from[mark.start as usize..mark.end as usize]
    }
}
