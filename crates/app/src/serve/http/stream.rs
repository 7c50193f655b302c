//! Answers that are written while they are made: of any length, in bounded memory.

use std::io::{self, Write};
use std::time::Duration;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use super::problem::Problem;
use crate::limits::{ANSWER_PIECE_SECONDS_MAX, STREAMS_MAX};

/// Bytes that are sent at once.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces that may wait for the client.
const PIECES_WAITING_MAX: usize = 4;

static STREAMS: Semaphore = Semaphore::const_new(STREAMS_MAX);

type Piece = Result<Bytes, Problem>;

/// What is written goes to the client.
pub(super) struct Writer {
    pieces: mpsc::Sender<Piece>,
    held: Vec<u8>,
    handle: Handle,
}

impl Writer {
    fn send(&mut self, piece: Piece) -> io::Result<()> {
        let patience = Duration::from_secs(ANSWER_PIECE_SECONDS_MAX);
        let sent = self.handle.block_on(async { tokio::time::timeout(patience, self.pieces.send(piece)).await });
        match sent {
            Ok(Ok(())) => Ok(()),
            _ => Err(io::Error::from(io::ErrorKind::BrokenPipe)),
        }
    }

    fn send_held(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() { Ok(()) } else { self.send(Ok(held.into())) }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= PIECE_BYTES {
            self.send_held()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Answers with what `write` writes. What goes wrong before the first piece is a problem as any; later, the connection is
/// broken off, so that nobody takes a part for the whole.
pub(super) async fn answer(
    content_type: &'static str,
    write: impl FnOnce(&mut Writer) -> Result<(), Problem> + Send + 'static,
) -> Response {
    let Ok(place) = STREAMS.try_acquire() else {
        let detail = format!("{STREAMS_MAX} long answers are being written");
        let busy = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail).hint("ask again in a moment");
        return ([(header::RETRY_AFTER, "1")], busy).into_response();
    };
    let (pieces, mut come) = mpsc::channel(PIECES_WAITING_MAX);
    let mut writer = Writer { pieces, held: Vec::new(), handle: Handle::current() };
    tokio::task::spawn_blocking(move || {
        let _place = place;
        // who does not listen any more need not hear what went wrong
        let _ = match write(&mut writer) {
            // a piece without bytes is the end: without it, whoever wrote did not get there
            Ok(()) => writer.send_held().and_then(|()| writer.send(Ok(Bytes::new()))),
            Err(problem) => writer.send(Err(problem)),
        };
    });
    let first = match come.recv().await {
        Some(Err(problem)) => return problem.into_response(),
        first => first,
    };
    let all = futures_util::stream::unfold(Some((first, come)), |state| async move {
        let (piece, mut come) = state?;
        match piece {
            Some(Ok(bytes)) if bytes.is_empty() => None,
            Some(Ok(bytes)) => {
                let next = come.recv().await;
                Some((Ok(bytes), Some((next, come))))
            }
            _ => Some((Err(io::Error::other("the answer could not be written to its end")), None)),
        }
    });
    ([(header::CONTENT_TYPE, content_type)], Body::from_stream(all)).into_response()
}

/// The client is gone, or too slow.
pub(super) fn gone(error: io::Error) -> Problem {
    Problem::unavailable(&error)
}
