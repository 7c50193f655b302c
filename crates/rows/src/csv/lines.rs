//! Counting lines as an editor does.

use memchr::{memchr, memchr_iter};

/// How many line ends `bytes` has: LF, CRLF as one, and lone CR. A CRLF cut in two counts twice.
pub fn count_lines(bytes: &[u8]) -> u64 {
    let newlines = memchr_iter(b'\n', bytes).count();
    let Some(first) = memchr(b'\r', bytes) else {
        return newlines as u64;
    };
    let lone =
        memchr_iter(b'\r', &bytes[first..]).filter(|offset| bytes.get(first + offset + 1) != Some(&b'\n')).count();
    (newlines + lone) as u64
}
