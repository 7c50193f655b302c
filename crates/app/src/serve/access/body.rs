//! The body of a signed request against the hash that was signed.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use futures_util::{Stream, StreamExt};
use ring::digest::{Context, SHA256};

use crate::limits::SIGNED_BODY_BYTES_MAX;
use engine::pipeline::encoding::hex;

/// Whether a body is known to be short enough to be kept.
pub(super) fn is_short(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    length.is_some_and(|length| length <= SIGNED_BODY_BYTES_MAX)
        || !headers.contains_key(header::TRANSFER_ENCODING) && length.is_none()
}

/// A body that fails at its end when it is not what was signed: who reads it to the end before it acts is safe.
pub(super) fn checked(body: Body, sha256: String) -> Body {
    Body::from_stream(stream(body.into_data_stream().map(|read| read.map_err(std::io::Error::other)), sha256))
}

fn stream(
    bytes: impl Stream<Item = std::io::Result<Bytes>> + Unpin,
    sha256: String,
) -> impl Stream<Item = std::io::Result<Bytes>> {
    let start = Some((bytes, Context::new(&SHA256), sha256));
    futures_util::stream::unfold(start, |state| async move {
        let (mut bytes, mut hash, sha256) = state?;
        match bytes.next().await {
            Some(Ok(piece)) => {
                hash.update(&piece);
                Some((Ok(piece), Some((bytes, hash, sha256))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            None if hex(hash.finish().as_ref()) == sha256 => None,
            None => Some((Err(std::io::Error::other("the body is not what was signed")), None)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::keys::book::sha256;

    #[test]
    fn another_body_fails_at_its_end() {
        let read = |hash: String| {
            let pieces = [Bytes::from_static(b"ab"), Bytes::from_static(b"c")].map(Ok);
            let bytes = Box::pin(stream(futures_util::stream::iter(pieces), hash));
            futures_util::FutureExt::now_or_never(bytes.collect::<Vec<_>>()).unwrap()
        };
        assert!(read(sha256(b"abc")).iter().all(Result::is_ok));
        let other = read(sha256(b"abd"));
        assert!(other[..2].iter().all(Result::is_ok) && other[2].is_err() && other.len() == 3);
    }
}
