//! The leaves of JSON: white space, strings, numbers and literals, checked to the letter of RFC 8259.
//!
//! All functions take the input and a position and answer the position behind what they read.
//! Bytes above 0x7f are taken as they come inside strings: whether a row is UTF-8 is checked once, elsewhere.

use super::fault::Stop;

type Result<T> = std::result::Result<T, Stop>;

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES << 7;

/// The first position at or after `at` that is no white space.
#[inline]
pub(super) fn skip_space(input: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = input.get(at) {
        at += 1;
    }
    at
}

/// The first position at or after `at` with a quote, a backslash or a control character; the end if there is none.
#[inline]
pub(super) fn plain_end(input: &[u8], mut at: usize) -> usize {
    // Eight bytes at a time. A borrow may set bits above a true hit, never below: the lowest set bit is right.
    while let Some(bytes) = input.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*bytes);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        let hits = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let hits = hits & HIGHS;
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while input.get(at).is_some_and(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        at += 1;
    }
    at
}

/// A string from behind its opening quote: the position of the closing quote, and whether there are escapes before it.
#[inline]
pub(super) fn string(input: &[u8], mut at: usize) -> Result<(usize, bool)> {
    let mut escaped = false;
    loop {
        at = plain_end(input, at);
        match input.get(at) {
            Some(b'"') => return Ok((at, escaped)),
            Some(b'\\') => {
                escaped = true;
                at = escape(input, at)?.0;
            }
            _ => return Err(Stop::Invalid(at)),
        }
    }
}

/// Appends string content that `string` has accepted, with its escapes replaced.
pub(super) fn unescape(content: &[u8], into: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(plain) = content.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        into.extend_from_slice(&content[at..at + plain]);
        at += plain;
        match escape(content, at) {
            Ok((next, character)) => {
                into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                at = next;
            }
            Err(_) => break,
        }
    }
    into.extend_from_slice(content.get(at..).unwrap_or_default());
}

/// The escape whose backslash is at `at`. Half of a surrogate pair is no character.
fn escape(input: &[u8], at: usize) -> Result<(usize, char)> {
    let character = match input.get(at + 1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode_escape(input, at),
        _ => return Err(Stop::Invalid(at)),
    };
    Ok((at + 2, character))
}

fn unicode_escape(input: &[u8], at: usize) -> Result<(usize, char)> {
    let invalid = Stop::Invalid(at);
    let first = four_hex(input, at + 2).ok_or(invalid)?;
    if let Some(character) = char::from_u32(first) {
        return Ok((at + 6, character));
    }
    let is_pair = first < 0xdc00 && input.get(at + 6) == Some(&b'\\') && input.get(at + 7) == Some(&b'u');
    let second = if is_pair { four_hex(input, at + 8) } else { None };
    let second = second.filter(|second| (0xdc00..0xe000).contains(second)).ok_or(invalid)?;
    let character = char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or(invalid)?;
    Ok((at + 12, character))
}

fn four_hex(input: &[u8], at: usize) -> Option<u32> {
    let digits = input.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))
}

/// A number that begins at `at`. What follows it is the caller's business.
#[inline]
pub(super) fn number(input: &[u8], mut at: usize) -> Result<usize> {
    if input.get(at) == Some(&b'-') {
        at += 1;
    }
    at = match input.get(at) {
        Some(b'0') => at + 1,
        _ => digits(input, at)?,
    };
    if input.get(at) == Some(&b'.') {
        at = digits(input, at + 1)?;
    }
    if let Some(b'e' | b'E') = input.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = input.get(at) {
            at += 1;
        }
        at = digits(input, at)?;
    }
    Ok(at)
}

/// One digit or more.
#[inline]
fn digits(input: &[u8], start: usize) -> Result<usize> {
    let mut at = start;
    while input.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    if at == start { Err(Stop::Invalid(at)) } else { Ok(at) }
}

/// `true`, `false` or `null` at `at`.
pub(super) fn literal(input: &[u8], at: usize) -> Result<usize> {
    let rest = input.get(at..).unwrap_or_default();
    let word: &[u8] = match rest.first() {
        Some(b't') => b"true",
        Some(b'f') => b"false",
        _ => b"null",
    };
    let same = rest.iter().zip(word).take_while(|(have, want)| have == want).count();
    if same == word.len() { Ok(at + same) } else { Err(Stop::Invalid(at + same)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_follow_the_grammar() {
        for good in ["0", "-0", "10", "-1.50", "1e5", "1E+05", "0.0e-0", "123456789012345678901234567890.1"] {
            assert_eq!(number(good.as_bytes(), 0), Ok(good.len()), "{good}");
        }
        for (bad, stops_at) in [("", 0), ("-", 1), (".5", 0), ("1.", 2), ("1.e5", 2), ("1e", 2), ("1e+", 3), ("+1", 0)]
        {
            assert_eq!(number(bad.as_bytes(), 0), Err(Stop::Invalid(stops_at)), "{bad}");
        }
        assert_eq!(number(b"01", 0), Ok(1), "the caller then finds a digit where a comma must be");
    }

    #[test]
    fn escapes_are_replaced() {
        let check = |content: &str, expected: &str| {
            let quoted = format!("{content}\"");
            assert_eq!(string(quoted.as_bytes(), 0), Ok((content.len(), content.contains('\\'))), "{content}");
            let mut out = Vec::new();
            unescape(content.as_bytes(), &mut out);
            assert_eq!(std::str::from_utf8(&out), Ok(expected));
        };
        check("", "");
        check("plain é", "plain é");
        check(r#"a\"b\\c\/d\b\f\n\r\t"#, "a\"b\\c/d\u{8}\u{c}\n\r\t");
        check(r"\u0041\u00e9\u20AC", "Aé€");
        check(r"\ud83d\ude00!", "😀!");
        check(r"\u0000", "\0");
    }

    #[test]
    fn broken_strings_are_refused_where_they_break() {
        let check =
            |content: &str, offset| assert_eq!(string(content.as_bytes(), 0), Err(Stop::Invalid(offset)), "{content}");
        check("abc", 3);
        check("ab\ncdefghijklmnop\"", 2);
        check("abcdefghij\u{1f}\"", 10);
        check(r#"a\x41""#, 1);
        check(r#"\u12g4""#, 0);
        check(r#"\ud800""#, 0);
        check(r#"\ud800\n""#, 0);
        check(r#"\ud800\u0041""#, 0);
        check(r#"\udc00\ud800""#, 0);
        check(r"\", 0);
        check(r"\u00", 0);
    }

    #[test]
    fn literals_are_lower_case_words() {
        assert_eq!(literal(b"true", 0), Ok(4));
        assert_eq!(literal(b"[false]", 1), Ok(6));
        assert_eq!(literal(b"null", 0), Ok(4));
        assert_eq!(literal(b"nul", 0), Err(Stop::Invalid(3)));
        assert_eq!(literal(b"True", 0), Err(Stop::Invalid(0)));
        assert_eq!(literal(b"NaN", 0), Err(Stop::Invalid(0)));
    }

    proptest! {
        #[test]
        fn plain_end_agrees_with_a_plain_loop(bytes in prop::collection::vec(prop_oneof![
            8 => any::<u8>(), 1 => Just(b'"'), 1 => Just(b'\\'), 1 => Just(0x1f), 8 => 0x20..=0xffu8], 0..80),
            at in 0..90usize) {
            let plain = |&byte: &u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
            let expected = (at..bytes.len()).find(|&position| !plain(&bytes[position])).unwrap_or(bytes.len().max(at));
            prop_assert_eq!(plain_end(&bytes, at), expected);
        }
    }
}
