//! Objects that a stage writes while the row engine holds the other end.

use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::object::ObjectVersion;
use crate::ports::{self, Objects, Writing};

const BUFFER_BYTES: usize = 32 * 1024;

/// An object on its way, which the row engine writes and the stage then finishes or drops.
#[derive(Clone)]
pub(super) struct Output(Arc<Mutex<Option<Open>>>);

struct Open {
    writing: BufWriter<Box<dyn Writing>>,
    bytes: u64,
}

impl Output {
    pub fn create(objects: &dyn Objects, bucket: &str, key: &str) -> Result<Self, ports::Error> {
        let writing = BufWriter::with_capacity(BUFFER_BYTES, objects.create(bucket, key)?);
        Ok(Self(Arc::new(Mutex::new(Some(Open { writing, bytes: 0 })))))
    }

    /// The end that is written to.
    pub fn sink(&self) -> Box<dyn Write + Send> {
        Box::new(self.clone())
    }

    /// Makes it an object; none if nothing was written.
    pub fn finish(self) -> Result<Option<ObjectVersion>, ports::Error> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Open { writing, bytes }) = open.filter(|open| open.bytes > 0) else { return Ok(None) };
        let writing = writing.into_inner().map_err(|error| ports::Error::Unavailable {
            what: format!("write the last of {bytes} bytes of an output"),
            cause: error.into_error().into(),
        })?;
        writing.finish().map(Some)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = open.as_mut().ok_or_else(|| io::Error::other("an output was written to after its end"))?;
        let written = open.writing.write(bytes)?;
        open.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
