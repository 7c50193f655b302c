//! The folder of the large objects: files that appear whole and durable under a name of ours, or not at all.
//!
//! A file is written in `tmp`, synced, renamed to `<2 hex>/<16 hex>`, and the folder is synced; only then is it
//! recorded. Files whose records were never committed go when the folder is opened the next time.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::ahead::Ahead;
use super::clock::{from_text, time_of, to_text};

/// Where files are while they are written.
const UNFINISHED: &str = "tmp";

/// The folder.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    /// Files that are there and not recorded yet.
    placed: Arc<Mutex<HashSet<u64>>>,
    ahead: Ahead,
    /// How many steps from now one fails, and how.
    fault: Mutex<Option<(usize, io::ErrorKind)>>,
}

/// A file while it is written. It is gone when it is dropped.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) file: File,
    pub(super) path: PathBuf,
    number: u64,
    is_moved: bool,
}

/// A file that is there and not recorded yet. It is gone when it is dropped, unless it was kept.
#[derive(Debug)]
pub(super) struct Placed {
    path: PathBuf,
    number: u64,
    is_kept: AtomicBool,
    placed: Arc<Mutex<HashSet<u64>>>,
}

/// What a sweep took away.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Swept {
    pub(super) unfinished: usize,
    pub(super) unnamed: usize,
}

impl Files {
    /// Opens the folder, or makes one.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        make_folder(&folder.join(UNFINISHED))?;
        sync_folder(folder)?;
        // and the folder itself must be there for good
        sync_folder(folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
        let (folder, ahead) = (folder.to_path_buf(), Ahead::start());
        Ok(Self { folder, placed: Arc::default(), ahead, fault: Mutex::new(None) })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Lets the step fail that comes after so many.
    pub(super) fn fail_after(&self, steps: usize, kind: io::ErrorKind) {
        *lock(&self.fault) = Some((steps, kind));
    }

    /// Whether a fault is still to come.
    pub(super) fn fault_waits(&self) -> bool {
        lock(&self.fault).is_some()
    }

    /// Comes before each step that a full or broken disk could refuse.
    pub(super) fn step(&self) -> io::Result<()> {
        let mut fault = lock(&self.fault);
        match fault.take() {
            Some((0, kind)) => Err(kind.into()),
            Some((steps, kind)) => {
                *fault = Some((steps - 1, kind));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Begins a file.
    pub(super) fn create(&self, number: u64) -> io::Result<Unfinished> {
        self.step()?;
        let path = self.folder.join(UNFINISHED).join(to_text(number));
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Unfinished { file, path, number, is_moved: false })
    }

    /// Has what was written of a file brought to the disk meanwhile.
    pub(super) fn sync_ahead(&self, unfinished: &Unfinished) {
        self.ahead.sync(&unfinished.path);
    }

    /// Makes a file durable under its name.
    pub(super) fn place(&self, mut unfinished: Unfinished) -> io::Result<Placed> {
        self.step()?;
        unfinished.file.sync_all()?;
        let path = self.path(unfinished.number);
        let parent = path.parent().unwrap_or(&self.folder);
        self.step()?;
        match fs::create_dir(parent) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            // one that is there may have been made a moment ago, by a thread that has not synced it yet
            Ok(()) | Err(_) => sync_folder(&self.folder)?,
        }
        self.step()?;
        fs::rename(&unfinished.path, &path)?;
        unfinished.is_moved = true;
        lock(&self.placed).insert(unfinished.number);
        let (number, placed) = (unfinished.number, self.placed.clone());
        let placed = Placed { path: path.clone(), number, is_kept: AtomicBool::new(false), placed };
        self.step()?;
        sync_folder(parent)?;
        Ok(placed)
    }

    /// Where a file is.
    pub(super) fn path(&self, number: u64) -> PathBuf {
        // by the millisecond: the numbers within one are mostly the same
        let part = format!("{:02x}", time_of(number) as u8);
        self.folder.join(part).join(to_text(number))
    }

    pub(super) fn read(&self, number: u64) -> io::Result<File> {
        self.step()?;
        File::open(self.path(number))
    }

    /// Takes a file away that no record names any more. Should that fail, it goes when the folder is opened next.
    pub(super) fn remove(&self, number: u64) {
        let _ = fs::remove_file(self.path(number));
    }

    /// Files that are on their way to a record.
    pub(super) fn placed(&self) -> HashSet<u64> {
        lock(&self.placed).clone()
    }

    /// The numbers of all files, and the paths of what is not ours.
    pub(super) fn list(&self) -> io::Result<(Vec<u64>, Vec<PathBuf>)> {
        let (mut numbers, mut strangers) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name == UNFINISHED) {
                continue;
            }
            if !path.is_dir() {
                strangers.push(path);
                continue;
            }
            for entry in fs::read_dir(&path)? {
                let path = entry?.path();
                let number = path.file_name().and_then(|name| from_text(name.to_str()?));
                match number.filter(|number| self.path(*number) == path) {
                    Some(number) => numbers.push(number),
                    None => strangers.push(path),
                }
            }
        }
        Ok((numbers, strangers))
    }

    /// Takes away what is unfinished, and files that `is_named` does not know.
    pub(super) fn sweep(&self, is_named: impl Fn(u64) -> bool) -> io::Result<Swept> {
        let mut swept = Swept::default();
        for entry in fs::read_dir(self.folder.join(UNFINISHED))? {
            let path = entry?.path();
            if path.file_name().and_then(|name| from_text(name.to_str()?)).is_some() {
                fs::remove_file(path)?;
                swept.unfinished += 1;
            }
        }
        for number in self.list()?.0.into_iter().filter(|number| !is_named(*number)) {
            fs::remove_file(self.path(number))?;
            swept.unnamed += 1;
        }
        Ok(swept)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_moved {
            // If it stays, the next start takes it away.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Placed {
    /// It is about to be recorded.
    pub(super) fn keep(&self) {
        self.is_kept.store(true, Ordering::Relaxed);
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        if !self.is_kept.load(Ordering::Relaxed) {
            let _ = fs::remove_file(&self.path);
        }
        lock(&self.placed).remove(&self.number);
    }
}

/// Makes a folder with those above it that are missing, there for good.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|above| !above.exists()).collect();
    fs::create_dir_all(folder)?;
    for made in missing {
        match made.parent() {
            Some(above) if above.as_os_str().is_empty() => sync_folder(Path::new("."))?,
            Some(above) => sync_folder(above)?,
            None => {}
        }
    }
    Ok(())
}

/// A file is only there for good when its folder was synced.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    // elsewhere a folder cannot be opened, and the system sees to it
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
