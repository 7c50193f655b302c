//! Letters of keys that XML 1.0 does not have. A key is any text, and one with such a letter can lie here from the command
//! line: listings tell of it as those of AWS do, by a reference (`&#x1;`). `s3s` writes the letter itself, which nobody
//! could read, and a carriage return, which readers take for another letter.

use hyper::body::Body as _;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LAST_MODIFIED};
use s3s::Body;

use super::auth::Answer;
use crate::serve::intake::unspeakable;

/// Writes anew what is told in XML, if it has such letters. The bytes of an object are left as they are.
pub(super) fn refer(response: &mut Answer) {
    let headers = response.headers();
    let is_xml = headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/xml");
    if !is_xml || headers.contains_key(LAST_MODIFIED) {
        return;
    }
    let Some(bytes) = response.body().bytes() else { return };
    let Some(text) = std::str::from_utf8(&bytes).ok().and_then(referring) else { return };
    *response.body_mut() = Body::from(text);
    let length = response.body().size_hint().exact();
    if let Some((length, told)) = length.zip(response.headers_mut().get_mut(CONTENT_LENGTH)) {
        *told = HeaderValue::from(length);
    }
}

/// The text with references; none if it needs none.
fn referring(text: &str) -> Option<String> {
    let is_bare = |letter: &char| *letter == '\r' || unspeakable(letter.encode_utf8(&mut [0; 4])).is_some();
    text.chars().find(is_bare)?;
    let mut written = String::with_capacity(text.len() + 64);
    for letter in text.chars() {
        match is_bare(&letter) {
            true => written.push_str(&format!("&#x{:X};", u32::from(letter))),
            false => written.push(letter),
        }
    }
    Some(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_xml_lacks_are_referred_to() {
        assert_eq!(referring("<Key>a\tb\n\u{e9}\u{fffd}\u{10000}</Key>"), None);
        let written = referring("<Key>\u{1}a\u{1f}\r\u{fffe}</Key>");
        assert_eq!(written.as_deref(), Some("<Key>&#x1;a&#x1F;&#xD;&#xFFFE;</Key>"));
    }
}
