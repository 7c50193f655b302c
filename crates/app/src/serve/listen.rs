//! A port, and the connections on it: how many, how long they may take, and how they end.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Context as _, Result};
use hyper::body::Incoming;
use hyper::service::HttpService;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;

use super::access::limits::name_of;
use super::settings::Tls;
use crate::complain::{self, Hint};
use crate::limits::{
    CONNECTIONS_MAX, DRAIN_SECONDS_MAX, HANDSHAKE_SECONDS_MAX, HEAD_BYTES_MAX, HEAD_SECONDS_MAX,
    SOURCE_CONNECTIONS_MAX, STALLED_SECONDS_MAX,
};

/// How many connections, and how long each may dawdle.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    connections: usize,
    /// Of one address; 0 is no limit.
    of_one: u32,
    head: Duration,
    handshake: Duration,
    stalled: Duration,
}

const BOUNDS: Bounds = Bounds {
    connections: CONNECTIONS_MAX,
    of_one: SOURCE_CONNECTIONS_MAX,
    head: Duration::from_secs(HEAD_SECONDS_MAX),
    handshake: Duration::from_secs(HANDSHAKE_SECONDS_MAX),
    stalled: Duration::from_secs(STALLED_SECONDS_MAX),
};

/// Told to end.
#[derive(Clone)]
pub(super) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Told by Ctrl-C or SIGTERM.
    pub fn on_signal() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (told, heard) = watch::channel(false);
        let mut interrupt = signal(SignalKind::interrupt()).context("Ctrl-C")?;
        let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            let _ = told.send(true);
            // kept, so that nobody who listens hears that the sender is gone instead
            told.closed().await;
        });
        Ok(Self(heard))
    }

    /// One that is never told.
    pub fn never() -> Self {
        Self(watch::channel(false).1)
    }

    /// Whether it was told.
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until told.
    pub async fn told(&self) {
        let mut heard = self.0.clone();
        if heard.wait_for(|told| *told).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A port.
pub(super) struct Door {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    bounds: Bounds,
}

impl Door {
    /// Opens a port.
    /// `of_one` is how many connections an address may have, 0 for as many as it likes.
    pub async fn open(name: &str, address: SocketAddr, tls: Option<TlsAcceptor>, of_one: u32) -> Result<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => {
                let message = format!("{address} is taken by another program");
                anyhow::Error::from(Hint::new(message, format!("take another port with --{name}")))
            }
            _ => anyhow::Error::from(error).context(format!("listen on {address}")),
        })?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, tls, bounds: Bounds { of_one, ..BOUNDS } })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until told to stop; requests that are under way then may end.
    pub async fn serve<S>(self, service: S, stop: &Stop)
    where
        S: HttpService<Incoming, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Clone + Send + 'static,
        S::Future: Send,
        S::ResBody: Send + 'static,
        <S::ResBody as hyper::body::Body>::Data: Send,
        <S::ResBody as hyper::body::Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let bounds = self.bounds;
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(bounds.connections));
        let sources: Arc<Sources> = Arc::default();
        loop {
            // who waits for a place hears of the end as well
            let next = async {
                let place = places.clone().acquire_owned().await.ok()?;
                Some((place, self.listener.accept().await))
            };
            let next = tokio::select! {
                next = next => next,
                () = stop.told() => break,
            };
            let Some((place, accepted)) = next else { break };
            let Ok((stream, from)) = accepted else {
                // out of descriptors: those that are open end by and by
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            // one that has too many is told nothing: what it has is what it is to use
            let Some(of_source) = sources.come(from, bounds.of_one) else { continue };
            let _ = stream.set_nodelay(true);
            let (service, tls, watcher) =
                (From { service: service.clone(), from }, self.tls.clone(), graceful.watcher());
            tokio::spawn(async move {
                let Some(stream) = agreed(stream, tls, bounds.handshake).await else { return };
                let mut builder = hyper::server::conn::http1::Builder::new();
                builder
                    .timer(TokioTimer::new())
                    .header_read_timeout(bounds.head)
                    .max_header_size(HEAD_BYTES_MAX)
                    .half_close(true);
                let connection = builder.serve_connection(TokioIo::new(Patient::new(stream, bounds.stalled)), service);
                // a client that goes away is no matter of ours
                let _ = watcher.watch(connection).await;
                drop((place, of_source));
            });
        }
        drop(self.listener);
        let _ = tokio::time::timeout(Duration::from_secs(DRAIN_SECONDS_MAX), graceful.shutdown()).await;
    }
}

/// How many connections each address has that has one.
#[derive(Default)]
struct Sources(Mutex<HashMap<String, u32>>);

/// A connection that is counted until it is dropped.
struct Counted {
    sources: Arc<Sources>,
    name: String,
}

impl Sources {
    /// Counts a connection, if there may be one more.
    fn come(self: &Arc<Self>, from: SocketAddr, most: u32) -> Option<Counted> {
        let name = name_of(from.ip());
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(name.clone()).or_default();
        if most > 0 && *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted { sources: self.clone(), name })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.sources.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.name);
            }
        }
    }
}

/// Tells a request where it came from.
#[derive(Clone)]
struct From<S> {
    service: S,
    from: SocketAddr,
}

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin(pub SocketAddr);

impl<S: HttpService<Incoming> + Clone> hyper::service::Service<hyper::Request<Incoming>> for From<S> {
    type Response = hyper::Response<S::ResBody>;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, mut request: hyper::Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(Origin(self.from));
        let mut service = self.service.clone();
        HttpService::call(&mut service, request)
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that is given up when its client takes nothing for too long.
struct Patient {
    stream: Box<dyn Stream>,
    patience: Duration,
    /// Since the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(stream: Box<dyn Stream>, patience: Duration) -> Self {
        Self { stream, patience, stalled: None }
    }

    /// What a write came to, or the end of patience.
    fn judged<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judged(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.judged(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judged(context, shut)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.judged(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

async fn agreed(stream: TcpStream, tls: Option<TlsAcceptor>, patience: Duration) -> Option<Box<dyn Stream>> {
    let Some(tls) = tls else { return Some(Box::new(stream)) };
    let agreed = tokio::time::timeout(patience, tls.accept(stream)).await.ok()?.ok()?;
    Some(Box::new(agreed))
}

/// What encrypts the connections of a port.
pub(super) fn tls(tls: &Tls) -> Result<TlsAcceptor> {
    let shown = |path: &std::path::Path| format!("tls file {}", path.display());
    let read = |path: &std::path::Path| std::fs::read(path).map_err(complain::unreadable).with_context(|| shown(path));
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(&tls.certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|error| Hint::new(error.to_string(), "give the certificate chain in PEM"))
        .with_context(|| shown(&tls.certificate))?;
    let key = PrivateKeyDer::from_pem_slice(&read(&tls.key)?)
        .map_err(|error| Hint::new(error.to_string(), "give the private key in PEM"))
        .with_context(|| shown(&tls.key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| Hint::new(error.to_string(), "give a certificate and the key that belongs to it"))
        .with_context(|| shown(&tls.certificate))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
