//! The door of a data folder: a socket in it, by which the process that has the folder answers others.
//!
//! A question is one line of JSON, the words of a command and the folder they were typed in. The answer is lines of JSON:
//! what goes to standard output, what goes to standard error, and at last the exit code. Only who may read and write the
//! folder's files may come in.

use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use engine::runtime::Engine;
use serde::{Deserialize, Serialize};

use super::Out;
use crate::complain::{self, Hint};

const NAME: &str = "door";

/// Bytes of one question; a longer one is not answered.
const QUESTION_BYTES_MAX: u64 = 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Question {
    words: Vec<String>,
    folder: PathBuf,
    is_watched: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Data(String),
    /// Data that is no text.
    Bytes(Vec<u8>),
    Page(String),
    Notes(String),
    Code(u8),
}

/// The door while it is open; dropped, it is shut.
pub(super) struct Door {
    path: PathBuf,
    shut: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.shut.store(true, Ordering::SeqCst);
        // wakes the thread that waits for somebody to come
        let _ = UnixStream::connect(&self.path);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.path);
    }
}

/// Opens the door. Without it everything works but questions by others, so what fails here is no error.
pub(super) fn open(engine: &Arc<Engine>, folder: &Path) -> Option<Door> {
    let path = folder.join(NAME);
    // what lies there is of a process that is gone: this one has the folder
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path).ok()?;
    fs::set_permissions(&path, Permissions::from_mode(0o600)).ok()?;
    let shut = Arc::new(AtomicBool::new(false));
    let (engine, is_shut) = (engine.clone(), shut.clone());
    let serve = move || {
        let mut visitors: Vec<JoinHandle<()>> = Vec::new();
        for visitor in listener.incoming() {
            if is_shut.load(Ordering::SeqCst) {
                break;
            }
            let Ok(visitor) = visitor else { continue };
            let engine = engine.clone();
            visitors.retain(|thread| !thread.is_finished());
            visitors.push(std::thread::spawn(move || {
                // who asked has gone away: nobody is left to tell
                let _ = answer(&engine, &visitor);
                let _ = visitor.shutdown(Shutdown::Both);
            }));
        }
        visitors.into_iter().for_each(|thread| drop(thread.join()));
    };
    let thread = std::thread::Builder::new().name("millrace-door".to_owned()).spawn(serve).ok()?;
    Some(Door { path, shut, thread: Some(thread) })
}

fn answer(engine: &Arc<Engine>, visitor: &UnixStream) -> Result<()> {
    let mut line = String::new();
    BufReader::new(io::Read::take(visitor, QUESTION_BYTES_MAX)).read_line(&mut line)?;
    let Question { words, folder, is_watched } = serde_json::from_str(&line)?;
    let gone = hang_up_of(visitor)?;
    let shared = Arc::new(Mutex::new(BufWriter::new(visitor.try_clone()?)));
    let (mut data, mut notes) = (Frames::new(&shared, Line::Data), Frames::new(&shared, Line::Notes));
    let mut page = Frames::new(&shared, Line::Page);
    let code = match crate::parse_ask(&words) {
        Err(what) => {
            notes.write_all(what.as_bytes())?;
            2
        }
        Ok(ask) => {
            let mut out = Out { data: &mut data, page: &mut page, notes: &mut notes, folder, is_watched, gone };
            match ask.answer(engine, &mut out) {
                Ok(code) => number(code),
                Err(error) => {
                    complain::tell(out.notes, &error)?;
                    1
                }
            }
        }
    };
    data.flush()?;
    page.flush()?;
    notes.flush()?;
    let mut writer = shared.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(writer, "{}", serde_json::to_string(&Line::Code(code))?)?;
    Ok(writer.flush()?)
}

/// Becomes true when a visitor hangs up, which those who have nothing to say would not notice. Nothing more is asked.
fn hang_up_of(visitor: &UnixStream) -> io::Result<Arc<AtomicBool>> {
    let gone = Arc::new(AtomicBool::new(false));
    let (mut heard, is_gone) = (visitor.try_clone()?, gone.clone());
    std::thread::Builder::new().name("millrace-door".to_owned()).spawn(move || {
        let _ = io::copy(&mut heard, &mut io::sink());
        is_gone.store(true, Ordering::SeqCst);
    })?;
    Ok(gone)
}

/// An exit code keeps its number to itself; these are all there are.
fn number(code: ExitCode) -> u8 {
    (0..=3).find(|number| ExitCode::from(*number) == code).unwrap_or(1)
}

/// Text in lines of JSON.
struct Frames {
    to: Arc<Mutex<BufWriter<UnixStream>>>,
    as_line: fn(String) -> Line,
    held: Vec<u8>,
}

const FRAME_BYTES: usize = 32 * 1024;

impl Frames {
    fn new(to: &Arc<Mutex<BufWriter<UnixStream>>>, as_line: fn(String) -> Line) -> Self {
        Self { to: to.clone(), as_line, held: Vec::new() }
    }

    fn send(&mut self, bytes: usize) -> io::Result<()> {
        // a character that was cut goes with the next frame
        let whole = match std::str::from_utf8(&self.held[..bytes]) {
            Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => error.valid_up_to(),
            _ => bytes,
        };
        let bytes: Vec<u8> = self.held.drain(..whole).collect();
        let line = match String::from_utf8(bytes) {
            Ok(text) => (self.as_line)(text),
            Err(error) => Line::Bytes(error.into_bytes()),
        };
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(to, "{}", serde_json::to_string(&line).map_err(io::Error::from)?)?;
        to.flush()
    }
}

impl Write for Frames {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        let ends_line = bytes.last() == Some(&b'\n') && matches!((self.as_line)(String::new()), Line::Notes(_));
        if self.held.len() >= FRAME_BYTES || ends_line {
            self.send(self.held.len())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.is_empty() { Ok(()) } else { self.send(self.held.len()) }
    }
}

/// Asks the process that has the folder what this one was asked; `taken` is told if nobody opens.
pub(super) fn ask(folder: &Path, out: &mut Out<'_>, taken: anyhow::Error) -> Result<ExitCode> {
    let Ok(stream) = UnixStream::connect(folder.join(NAME)) else { return Err(taken) };
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    let words: Vec<String> = std::env::args().collect();
    let question = Question { words, folder: out.folder.clone(), is_watched: out.is_watched };
    let mut to = &stream;
    writeln!(to, "{}", serde_json::to_string(&question)?)?;
    for line in BufReader::new(&stream).lines() {
        match serde_json::from_str(&line.context("the process that has the data folder")?)? {
            Line::Data(text) => out.data.write_all(text.as_bytes())?,
            Line::Bytes(bytes) => out.data.write_all(&bytes)?,
            Line::Page(text) => out.page.write_all(text.as_bytes())?,
            Line::Notes(text) => out.notes.write_all(text.as_bytes())?,
            Line::Code(code) => return Ok(ExitCode::from(code)),
        }
    }
    let what = "the process that has the data folder went away before it had answered";
    Err(Hint::new(what, "ask again; what it had confirmed is kept").into())
}
