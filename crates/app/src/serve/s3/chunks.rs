//! Bodies that come in chunks (`aws-chunked`). `s3s` holds a chunk in memory until it is whole, and there are clients that
//! send any body as one: so a large chunk is cut into small ones on its way there. One that is signed cannot be cut.

use std::collections::VecDeque;
use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{AUTHORIZATION, HeaderMap};

use crate::limits::SIGNED_CHUNK_BYTES_MAX;
use crate::serve::access::sigv4::CONTENT_SHA256;

/// Bytes of a chunk as it goes on.
const CHUNK_BYTES: u64 = 128 * 1024;
/// Bytes of the line before a chunk.
const LINE_BYTES_MAX: usize = 1024;

/// Whether `s3s` will read a body as chunks: it does where a signature in the head says so.
pub(super) fn are_in(headers: &HeaderMap) -> bool {
    let declared = headers.get(CONTENT_SHA256).is_some_and(|value| value.as_bytes().starts_with(b"STREAMING-"));
    declared && headers.get(AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"AWS4"))
}

/// A body whose chunks are small.
pub(super) struct Cut<B> {
    body: B,
    at: At,
    /// What goes on next.
    ready: VecDeque<Bytes>,
}

/// Where in the body it is.
enum At {
    /// In the line before a chunk, of which so much is there.
    Line(Vec<u8>),
    /// In a chunk of which so many bytes are to come, so many of them in the one that goes on.
    Chunk { left: u64, of_this: u64 },
    /// Behind a chunk, before the end of its line.
    Behind,
    /// Behind the last chunk.
    End,
}

impl<B> Cut<B> {
    pub fn new(body: B) -> Self {
        Self { body, at: At::Line(Vec::new()), ready: VecDeque::new() }
    }

    /// Takes what came.
    fn take(&mut self, mut bytes: Bytes) -> Result<(), String> {
        while !bytes.is_empty() {
            match &mut self.at {
                At::Line(line) => {
                    let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |place| place + 1);
                    line.extend_from_slice(&bytes.split_to(end));
                    if line.len() > LINE_BYTES_MAX {
                        return Err(format!("the line before a chunk has more than {LINE_BYTES_MAX} bytes"));
                    }
                    if line.ends_with(b"\n") {
                        let line = std::mem::take(line);
                        self.at = self.begin(line)?;
                    }
                }
                At::Chunk { left, of_this } => {
                    if *of_this == 0 {
                        *of_this = (*left).min(CHUNK_BYTES);
                        self.ready.push_back(format!("{of_this:x}\r\n").into());
                    }
                    let now = usize::try_from(*of_this).unwrap_or(usize::MAX).min(bytes.len());
                    self.ready.push_back(bytes.split_to(now));
                    (*left, *of_this) = (*left - now as u64, *of_this - now as u64);
                    if *left == 0 {
                        self.at = At::Behind;
                    } else if *of_this == 0 {
                        self.ready.push_back(Bytes::from_static(b"\r\n"));
                    }
                }
                At::Behind => {
                    let is_end = bytes[0] == b'\n';
                    if !is_end && bytes[0] != b'\r' {
                        return Err("a chunk is longer than it was said to be".to_owned());
                    }
                    self.ready.push_back(bytes.split_to(1));
                    if is_end {
                        self.at = At::Line(Vec::new());
                    }
                }
                At::End => self.ready.push_back(bytes.split_to(bytes.remaining())),
            }
        }
        Ok(())
    }

    /// What comes behind the line before a chunk.
    fn begin(&mut self, line: Vec<u8>) -> Result<At, String> {
        let text = String::from_utf8_lossy(&line);
        let mut parts = text.trim_end().split(';');
        let length = parts.next().unwrap_or_default().trim();
        let left = u64::from_str_radix(length, 16).map_err(|_| format!("{length:?} is not how long a chunk is"))?;
        let is_signed = parts.next().is_some();
        if is_signed && left > SIGNED_CHUNK_BYTES_MAX {
            return Err(format!("a signed chunk has {left} bytes, more than {SIGNED_CHUNK_BYTES_MAX}"));
        }
        if left > CHUNK_BYTES && !is_signed {
            return Ok(At::Chunk { left, of_this: 0 });
        }
        self.ready.push_back(line.into());
        Ok(if left == 0 { At::End } else { At::Chunk { left, of_this: left } })
    }
}

impl<B> Body for Cut<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            let frame = match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error.into()))),
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            let Ok(bytes) = frame.into_data() else { continue };
            if let Err(wrong) = self.take(bytes) {
                return Poll::Ready(Some(Err(wrong.into())));
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};

    use super::*;

    /// What goes on of a body that comes in pieces of so many bytes.
    fn cut(body: &[u8], pieces: usize) -> Result<Vec<u8>, String> {
        let pieces: Vec<_> = body.chunks(pieces).map(|piece| Ok::<_, String>(Bytes::copy_from_slice(piece))).collect();
        let body = axum::body::Body::from_stream(futures_util::stream::iter(pieces));
        let mut pieces = axum::body::Body::new(Cut::new(body)).into_data_stream();
        let mut came = Vec::new();
        while let Some(piece) = pieces.next().now_or_never().expect("nothing is waited for") {
            came.extend_from_slice(&piece.map_err(|error| error.to_string())?);
        }
        Ok(came)
    }

    #[test]
    fn large_chunks_are_cut_and_nothing_else_is_changed() {
        let data: Vec<u8> = (0..700_000_u32).map(|place| place.to_le_bytes()[0]).collect();
        let of = |data: &[u8], more: &str| [format!("{:X}{more}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat();
        let end = b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n".as_slice();
        let signed = [of(&data, ";chunk-signature=00"), of(b"x\r\n", ";chunk-signature=01"), end.to_vec()].concat();
        let small = [of(b"abc", ""), of(&data[..1000], ""), end.to_vec()].concat();
        for whole in [&signed, &small, &end.to_vec(), &Vec::new()] {
            for pieces in [1, 2, 3, 1000, 1 << 20] {
                assert!(cut(whole, pieces).as_ref() == Ok(whole), "by {pieces}");
            }
        }
        let large = [of(&data, ""), of(b"abc", ""), end.to_vec()].concat();
        let parts: Vec<u8> = data
            .chunks(CHUNK_BYTES as usize)
            .flat_map(|part| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat())
            .collect();
        let wanted = [parts, of(b"abc", ""), end.to_vec()].concat();
        for pieces in [1, 7, 65_536, 1 << 20] {
            assert!(cut(&large, pieces).as_ref() == Ok(&wanted), "by {pieces}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        let signed = format!("{:x};chunk-signature=00\r\n", SIGNED_CHUNK_BYTES_MAX + 1);
        for (body, told) in [
            (signed.as_str(), "a signed chunk has"),
            ("xyz\r\n", "is not how long"),
            ("-1\r\n", "is not how long"),
            ("3\r\nabcd\r\n", "longer than"),
            ("ffffffffffffffffff\r\n", "is not how long"),
            (&"1".repeat(2000), "the line before"),
        ] {
            assert!(cut(body.as_bytes(), 10).unwrap_err().contains(told), "{body}");
        }
    }
}
