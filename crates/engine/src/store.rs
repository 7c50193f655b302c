//! Where everything durable lies: tables of keys and values, changed by atomic commits that are on disk before they are
//! answered. The one file that knows which library does it, and what of that library must be watched.

mod changes;
mod error;
mod fault;
mod mark;
mod memory;
mod room;

use std::any::Any;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::{Bound, ControlFlow};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};

use crate::limits::{JOURNAL_BYTES_MAX, TABLE_MEMORY_BYTES_MAX};
use crate::objects::{make_folder, sync_folder};
pub use changes::{Change, Changes, Table};
pub use error::{Error, Result};
pub use fault::Fault;
use fault::Faults;
use mark::Mark;
use memory::Memory;

/// The format of the folder. A change that an older program would not understand adds one, and a step to
/// [`Disk::migrate`].
const FORMAT: u32 = 2;

/// Keys of [`Table::Meta`] that are the store's own.
const FORMAT_KEY: &[u8] = b"store/format";
const COMMIT_KEY: &[u8] = b"store/commit";
const COMPACTED_KEY: &[u8] = b"store/compacted";

/// Where the library keeps the folders of tables.
const TABLES: &str = "keyspaces";

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Tables of keys and values. Any thread may read; one at a time commits.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    backing: Backing,
    commit: Mutex<u64>,
    faults: Faults,
}

#[derive(Debug)]
enum Backing {
    Disk(RwLock<State>),
    Memory(Memory),
}

/// After a commit that failed, what was committed before can still be read, but nothing is committed before the folder
/// was opened again.
enum State {
    Open(Disk),
    /// A commit failed.
    Broken(Disk, Error),
    /// Opening again failed.
    Shut(Error),
}

struct Disk {
    database: Database,
    tables: Vec<Keyspace>,
    mark: Mutex<Mark>,
}

impl Store {
    /// Opens the store in `folder`, or makes one there. It is this program's alone until the store is dropped.
    pub fn open(folder: &Path) -> Result<Self> {
        let (disk, commit) = Disk::open(folder)?;
        let backing = Backing::Disk(RwLock::new(State::Open(disk)));
        Ok(Self { folder: folder.to_path_buf(), backing, commit: Mutex::new(commit), faults: Faults::default() })
    }

    /// A store that is gone when it is dropped, for tests and simulations.
    pub fn in_memory() -> Self {
        let backing = Backing::Memory(Memory::default());
        Self { folder: PathBuf::from("memory"), backing, commit: Mutex::new(0), faults: Faults::default() }
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes all changes durable, or none. An error means that they were not confirmed: nothing of them can be read
    /// before [`Store::reopen`], which settles whether they were kept.
    pub fn commit(&self, changes: &Changes) -> Result<()> {
        let mut last = lock(&self.commit);
        let number = last.saturating_add(1);
        let result = match self.faults.next() {
            Some(fault) => {
                if fault.kept {
                    self.write(changes, number)?;
                }
                Err(Error::from_io(&self.folder, "commit", fault.kind.into()))
            }
            None => self.write(changes, number),
        };
        match &result {
            Ok(()) => *last = number,
            Err(error) => self.break_off(error),
        }
        result
    }

    fn write(&self, changes: &Changes, number: u64) -> Result<()> {
        match &self.backing {
            Backing::Memory(memory) => {
                memory.apply(changes);
                Ok(())
            }
            Backing::Disk(state) => {
                let state = read(state);
                let disk = state.writable()?;
                disk.commit(changes, Some(number)).map_err(|error| self.told("commit", error))?;
                // A mark that lags behind is allowed; failing a commit that is durable would not be.
                let _ = lock(&disk.mark).set(number);
                Ok(())
            }
        }
    }

    /// No commit may follow one that failed: what the failed one left in the journal is only settled by reading it again.
    fn break_off(&self, error: &Error) {
        if let Backing::Disk(state) = &self.backing {
            let mut state = state.write().unwrap_or_else(PoisonError::into_inner);
            let shut = State::Shut(error.clone());
            *state = match std::mem::replace(&mut *state, shut) {
                State::Open(disk) => State::Broken(disk, error.clone()),
                other => other,
            };
        }
    }

    /// Opens the folder again after a commit failed. Fails with the reason while there is no room to go on.
    pub fn reopen(&self) -> Result<()> {
        let Backing::Disk(state) = &self.backing else { return Ok(()) };
        probe(&self.folder).map_err(|error| Error::from_io(&self.folder, "write to", error))?;
        let mut last = lock(&self.commit);
        let mut state = state.write().unwrap_or_else(PoisonError::into_inner);
        // The old one must be gone before a new one can have the folder.
        *state = State::Shut(Error::Locked { folder: self.folder.clone() });
        match Disk::open(&self.folder) {
            Ok((disk, commit)) => {
                *state = State::Open(disk);
                *last = commit;
                Ok(())
            }
            Err(error) => {
                *state = State::Shut(error.clone());
                Err(error)
            }
        }
    }

    /// The value of a key.
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match &self.backing {
            Backing::Memory(memory) => Ok(memory.get(table, key)),
            Backing::Disk(state) => {
                let state = read(state);
                let disk = state.disk()?;
                // of one moment, as `scan`: the table itself shows what a commit that is not done yet has changed so far
                let value = disk.database.snapshot().get(disk.table(table), key);
                Ok(value.map_err(|error| self.told("read", error))?.map(|value| value.to_vec()))
            }
        }
    }

    /// Shows `see` the pairs of a table between two keys, in the order of the keys, until it breaks off. They are all
    /// from one moment. `see` must not use the store.
    pub fn scan(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        mut see: impl FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        if is_empty(range) {
            return Ok(());
        }
        let state = match &self.backing {
            Backing::Memory(memory) => {
                memory.scan(table, range, see);
                return Ok(());
            }
            Backing::Disk(state) => read(state),
        };
        let disk = state.disk()?;
        for pair in disk.database.snapshot().range::<&[u8], _>(disk.table(table), range) {
            let (key, value) = pair.into_inner().map_err(|error| self.told("read", error))?;
            if see(&key, &value).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// At most `pairs_max` pairs whose keys begin with `prefix`, from the first key behind `after`.
    pub fn page(&self, table: Table, prefix: &[u8], after: Option<&[u8]>, pairs_max: usize) -> Result<Vec<Pair>> {
        let mut pairs = Vec::new();
        if pairs_max == 0 {
            return Ok(pairs);
        }
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        self.scan(table, (from, Bound::Unbounded), |key, value| {
            if !key.starts_with(prefix) {
                return ControlFlow::Break(());
            }
            pairs.push((key.to_vec(), value.to_vec()));
            if pairs.len() < pairs_max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(pairs)
    }

    /// Bytes that a table takes on disk. What is only in the journal is not counted.
    pub fn disk_bytes(&self, table: Table) -> Result<u64> {
        match &self.backing {
            Backing::Memory(_) => Ok(0),
            Backing::Disk(state) => Ok(read(state).disk()?.table(table).disk_space()),
        }
    }

    /// Rewrites a table without what was deleted or overwritten, and lets go of the journals. Blocks; reads and commits
    /// go on meanwhile.
    pub fn compact(&self, table: Table) -> Result<()> {
        let Backing::Disk(state) = &self.backing else { return Ok(()) };
        let state = read(state);
        let disk = state.disk()?;
        for each in &disk.tables {
            each.rotate_memtable().map_err(|error| self.told("compact", error))?;
        }
        disk.wait_for(|table| table.sealed_memtable_count() == 0).map_err(|error| self.told("compact", error))?;
        disk.table(table).major_compact().map_err(|error| self.told("compact", error))?;
        disk.let_go().map_err(|error| self.told("compact", error))
    }

    /// Lets a commit to come fail, for tests and simulations. Several wait in line.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.push(fault);
    }

    fn told(&self, tried: &'static str, error: fjall::Error) -> Error {
        if matches!(error, fjall::Error::Poisoned) {
            // The library only says that something failed before; a look at the disk often says what.
            if let Err(error) = probe(&self.folder) {
                return Error::from_io(&self.folder, tried, error);
            }
        }
        translate(&self.folder, tried, error)
    }
}

impl State {
    /// To read from.
    fn disk(&self) -> Result<&Disk> {
        match self {
            State::Open(disk) | State::Broken(disk, _) => Ok(disk),
            State::Shut(error) => Err(error.clone()),
        }
    }

    /// To commit to.
    fn writable(&self) -> Result<&Disk> {
        match self {
            State::Open(disk) => Ok(disk),
            State::Broken(_, error) | State::Shut(error) => Err(error.clone()),
        }
    }
}

impl Disk {
    /// Opens the folder and checks what is in it; with the number of its last commit.
    fn open(folder: &Path) -> Result<(Self, u64)> {
        let io = |error| Error::from_io(folder, "open", error);
        make_folder(folder).map_err(io)?;
        let database = open_database(folder)?;
        // Only now the folder is ours.
        let (mark, marked) = Mark::open(folder).map_err(io)?;
        let corrupt = |what: String| Error::Corrupt { folder: folder.to_path_buf(), what };
        let open =
            |table: Table| database.keyspace(table.name(), options).map_err(|error| translate(folder, "open", error));
        let is_there = |table: Table| database.keyspace_exists(table.name());
        // The format first: nothing is made in a folder that is newer, and an older one lacks what came later.
        let meta = if is_there(Table::Meta) { Some(open(Table::Meta)?) } else { None };
        let format = meta.as_ref().map_or(Ok(None), |meta| number(folder, meta, FORMAT_KEY))?;
        let format = Self::known(folder, format)?;
        let is_new = database.keyspace_count() == 0;
        for table in Table::ALL {
            if !is_new && marked > 0 && table.since() <= format && !is_there(table) {
                return Err(corrupt(format!("the table {} is gone", table.name())));
            }
        }
        let tables = Table::ALL.into_iter().map(open).collect::<Result<Vec<Keyspace>>>()?;
        // The library syncs what is in the folder of a table, and not that it is there.
        sync_folder(&folder.join(TABLES)).map_err(io)?;
        let disk = Self { database, tables, mark: Mutex::new(mark) };
        let commit = number(folder, disk.table(Table::Meta), COMMIT_KEY)?.unwrap_or(0);
        disk.migrate(folder, format)?;
        if commit < marked {
            let lost = marked - commit;
            return Err(corrupt(format!("the journal ends {lost} commits early, at {commit} instead of {marked}")));
        }
        Ok((disk, commit))
    }

    /// The format of a folder; refuses what is newer. A folder that says nothing is new.
    fn known(folder: &Path, found: Option<u64>) -> Result<u32> {
        let found = found.map_or(FORMAT, |found| u32::try_from(found).unwrap_or(u32::MAX));
        if found > FORMAT {
            return Err(Error::Newer { folder: folder.to_path_buf(), found, known: FORMAT });
        }
        Ok(found)
    }

    /// Brings a folder of this format up to [`FORMAT`], in one commit.
    fn migrate(&self, folder: &Path, format: u32) -> Result<()> {
        let written = number(folder, self.table(Table::Meta), FORMAT_KEY)?;
        if written == Some(u64::from(FORMAT)) {
            return Ok(());
        }
        let mut changes = Changes::new();
        // From 1 to 2 there is nothing to rewrite: the tables that came with 2 are there by now, and empty.
        debug_assert!((1..=FORMAT).contains(&format), "a step for format {format}");
        changes.put(Table::Meta, FORMAT_KEY, u64::from(FORMAT).to_be_bytes());
        self.commit(&changes, None).map_err(|error| translate(folder, "open", error))
    }

    fn table(&self, table: Table) -> &Keyspace {
        &self.tables[table as usize]
    }

    /// Commits changes; those of the outside with their number.
    fn commit(&self, changes: &Changes, number: Option<u64>) -> fjall::Result<()> {
        self.make_room(changes)?;
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for Change { table, key, value } in changes.iter() {
            match value {
                Some(value) => batch.insert(self.table(table), key, value),
                None => batch.remove(self.table(table), key),
            }
        }
        if let Some(number) = number {
            batch.insert(self.table(Table::Meta), COMMIT_KEY, number.to_be_bytes());
        }
        batch.commit()
    }

    /// Has the library delete the files that nothing refers to any more. It does that only when a table with something
    /// new in it is written out.
    fn let_go(&self) -> fjall::Result<()> {
        let mut changes = Changes::new();
        changes.put(Table::Meta, COMPACTED_KEY, b"");
        self.commit(&changes, None)?;
        self.table(Table::Meta).rotate_memtable()?;
        Ok(())
    }
}

/// A number that the store keeps about itself.
fn number(folder: &Path, meta: &Keyspace, key: &[u8]) -> Result<Option<u64>> {
    let value = meta.get(key).map_err(|error| translate(folder, "read", error))?;
    let Some(value) = value else { return Ok(None) };
    let bytes: std::result::Result<[u8; 8], _> = value.as_ref().try_into();
    let name = String::from_utf8_lossy(key);
    let what = || format!("{name} has {} bytes instead of 8", value.len());
    let bytes = bytes.map_err(|_| Error::Corrupt { folder: folder.to_path_buf(), what: what() })?;
    Ok(Some(u64::from_be_bytes(bytes)))
}

/// Threads that write tables and merge them. Of two, the first would turn on the spot while the second merges; one alone
/// needs that commits order nothing of it, which `room` sees to (docs/decisions/0004-store.md).
const STORE_THREADS: usize = 1;

/// The library expects what it wrote; damaged files may make it panic. Here that is an error like any other.
fn open_database(folder: &Path) -> Result<Database> {
    let settings = Database::builder(folder).max_journaling_size(JOURNAL_BYTES_MAX).worker_threads(STORE_THREADS);
    let open = || settings.open();
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(opened) => opened.map_err(|error| translate(folder, "open", error)),
        Err(panic) => Err(Error::Corrupt { folder: folder.to_path_buf(), what: panic_message(panic.as_ref()) }),
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    format!("a file cannot be read ({})", text.unwrap_or("no more is known"))
}

fn options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(TABLE_MEMORY_BYTES_MAX)
}

fn translate(folder: &Path, tried: &'static str, error: fjall::Error) -> Error {
    let folder_path = folder.to_path_buf();
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
            Error::from_io(folder, tried, error)
        }
        fjall::Error::Locked => Error::Locked { folder: folder_path },
        fjall::Error::Poisoned => {
            let source = Arc::new(io::Error::other("an earlier write failed"));
            Error::Failed { folder: folder_path, tried, source }
        }
        fjall::Error::Storage(error) => Error::Corrupt { folder: folder_path, what: error.to_string() },
        error => Error::Corrupt { folder: folder_path, what: error.to_string() },
    }
}

/// Whether there is room for the next file of a table.
fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join("probe");
    let write = || -> io::Result<()> {
        let mut file = File::create(&path)?;
        let piece = vec![0x5a; 1024 * 1024];
        for _ in 0..TABLE_MEMORY_BYTES_MAX / 1024 / 1024 {
            file.write_all(&piece)?;
        }
        file.sync_data()
    };
    let written = write();
    let removed = fs::remove_file(&path);
    written.and(removed)
}

fn is_empty(range: (Bound<&[u8]>, Bound<&[u8]>)) -> bool {
    match range {
        (Bound::Included(from), Bound::Included(to)) => from > to,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Excluded(to) | Bound::Included(to)) => from >= to,
        _ => false,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(state: &RwLock<State>) -> RwLockReadGuard<'_, State> {
    state.read().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            State::Open(_) => write!(f, "Open"),
            State::Broken(_, error) => write!(f, "Broken({error})"),
            State::Shut(error) => write!(f, "Shut({error})"),
        }
    }
}
