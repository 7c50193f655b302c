//! The data folder on a real disk: opened again, locked, newer, cut short, damaged, not writable.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use engine::queues::{self, Message, Queues, Settings, Transaction};
use engine::store::{Changes, Error, Store, Table};

use crate::{MINUTE, T};

fn settings() -> Vec<Settings> {
    let queue = Settings::fifo("q").redrive("dead", 3);
    let dead = queue.dead_letters("dead");
    vec![queue, dead]
}

/// Sends so many messages to `q`, each with a record of the same name, each in a commit of its own.
fn fill(folder: &Path, messages: usize) {
    let (queues, _) = Queues::open(folder, &settings()).unwrap();
    let q = queues.queue("q").unwrap();
    for number in 0..messages {
        let name = format!("{number:04}");
        let transaction = Transaction {
            records: vec![(name.clone().into_bytes(), Some(name.clone().into_bytes()))],
            sends: vec![(q, Message::of_group("g", &name, name.as_bytes()))],
            ..Transaction::default()
        };
        queues.transact(transaction, T).wait().unwrap();
    }
}

/// Opens the folder and reads everything: an error, or the names of all messages after checking them against the
/// records.
fn read(folder: &Path) -> queues::Result<Vec<String>> {
    let (queues, _) = Queues::open(folder, &settings())?;
    let q = queues.queue("q")?;
    let mut names = Vec::new();
    for listed in queues.list(q, None, 1000, T).wait()? {
        names.push(String::from_utf8_lossy(&queues.show(q, listed.id, T)?.body).into_owned());
    }
    let records = queues.records(b"", None, 1000)?;
    assert_eq!(records.iter().map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect::<Vec<_>>(), names);
    Ok(names)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

fn journal(folder: &Path) -> PathBuf {
    files(folder).into_iter().find(|path| path.extension().is_some_and(|ending| ending == "jnl")).unwrap()
}

/// What is in a file, without the zeros that a journal is made with.
fn content(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    fs::File::open(path).unwrap().take(256 * 1024).read_to_end(&mut bytes).unwrap();
    assert!(bytes.len() < 256 * 1024 || bytes.ends_with(&[0; 1024]), "{} has more in it", path.display());
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if path.extension().is_some_and(|ending| ending == "jnl") {
        bytes.truncate(used);
    }
    bytes
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, content(&path)).unwrap();
    }
}

#[test]
fn what_was_answered_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 20);
    let expected: Vec<String> = (0..20).map(|number| format!("{number:04}")).collect();
    assert_eq!(read(folder.path()).unwrap(), expected);

    let (queues, _) = Queues::open(folder.path(), &settings()).unwrap();
    let q = queues.queue("q").unwrap();
    let received = queues.receive(q, 1, Some(MINUTE), T).wait().unwrap();
    drop(queues);
    let (queues, recovery) = Queues::open(folder.path(), &settings()).unwrap();
    assert_eq!(recovery.messages, 20);
    assert!(queues.receive(q, 1, None, T).wait().unwrap().is_empty(), "the lease holds");
    queues.acknowledge(vec![received[0].lease], T).wait().unwrap();
    assert_eq!(queues.receive(q, 1, None, T).wait().unwrap()[0].body, b"0001");
}

#[test]
fn a_queue_that_is_not_declared_any_more_keeps_its_messages() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 3);
    let (queues, recovery) = Queues::open(folder.path(), &[Settings::standard("new")]).unwrap();
    assert_eq!((recovery.messages, recovery.undeclared), (3, vec!["q".to_owned(), "dead".to_owned()]));
    let q = queues.queue("q").unwrap();
    let listed = queues.list(q, None, 10, T + 1000 * 24 * 60 * MINUTE).wait().unwrap();
    assert_eq!(listed.len(), 3);
    drop(queues);
    let other_kind = Queues::open(folder.path(), &[Settings::standard("q")]);
    assert!(matches!(other_kind, Err(queues::Error::Invalid { .. })));
}

#[test]
fn the_second_to_open_a_folder_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let first = Store::open(folder.path()).unwrap();
    let second = Store::open(folder.path());
    let error = second.unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error:?}");
    assert!(error.to_string().contains(&folder.path().display().to_string()));
    drop(first);
    Store::open(folder.path()).unwrap();
}

#[test]
fn a_folder_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    {
        let store = Store::open(folder.path()).unwrap();
        let mut changes = Changes::new();
        changes.put(Table::Meta, b"store/format", 3_u64.to_be_bytes());
        store.commit(&changes).unwrap();
    }
    let error = Store::open(folder.path()).unwrap_err();
    assert!(matches!(error, Error::Newer { found: 3, known: 2, .. }), "{error:?}");
}

/// The folder was made by the program of format 1: six messages with records, the first of them a dead letter, some in
/// tables and some in the journal.
#[test]
fn a_folder_of_format_1_is_opened_and_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1");
    copy(&kept, folder.path());
    for _ in 0..2 {
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.get(Table::Meta, b"store/format").unwrap(), Some(2_u64.to_be_bytes().to_vec()));
        assert!(store.page(Table::Objects, b"", None, 10).unwrap().is_empty());
    }
    let (queues, recovery) = Queues::open(folder.path(), &settings()).unwrap();
    assert_eq!(recovery.messages, 6);
    let records = queues.records(b"", None, 10).unwrap();
    assert_eq!(records.iter().map(|(key, _)| key.as_slice()).collect::<Vec<_>>(), NAMES);
    let (q, dead) = (queues.queue("q").unwrap(), queues.queue("dead").unwrap());
    let letters = queues.list(dead, None, 10, T).wait().unwrap();
    let shown = queues.show(dead, letters[0].id, T).unwrap();
    assert_eq!((shown.body.as_slice(), shown.notes[0].text.as_slice()), (NAMES[0], b"poison".as_slice()));
    assert_eq!(queues.redrive(dead, T).unwrap(), 1);
    let received = queues.receive(q, 10, None, T).wait().unwrap();
    assert_eq!(received.iter().map(|received| received.body.as_slice()).collect::<Vec<_>>(), NAMES);
}

const NAMES: [&[u8]; 6] = [b"0000", b"0001", b"0002", b"0003", b"0004", b"0005"];

#[test]
fn a_migration_that_was_interrupted_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    fill(folder.path(), 3);
    {
        // the new tables are there, and the format is still the old one
        let store = Store::open(folder.path()).unwrap();
        let mut changes = Changes::new();
        changes.put(Table::Meta, b"store/format", 1_u64.to_be_bytes());
        store.commit(&changes).unwrap();
    }
    assert_eq!(read(folder.path()).unwrap().len(), 3);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.get(Table::Meta, b"store/format").unwrap(), Some(2_u64.to_be_bytes().to_vec()));
}

#[test]
fn a_journal_cut_short_is_noticed() {
    let original = tempfile::tempdir().unwrap();
    fill(original.path(), 20);
    let length = content(&journal(original.path())).len();
    for cut in [1, 40, 200, 1000] {
        let folder = tempfile::tempdir().unwrap();
        copy(original.path(), folder.path());
        let path = journal(folder.path());
        fs::OpenOptions::new().write(true).open(path).unwrap().set_len((length - cut) as u64).unwrap();
        let error = Store::open(folder.path()).unwrap_err();
        assert!(matches!(&error, Error::Corrupt { what, .. } if what.contains("commits early")), "{cut}: {error}");
    }
}

#[test]
fn a_write_that_was_interrupted_is_no_damage() {
    let original = tempfile::tempdir().unwrap();
    fill(original.path(), 20);
    let bytes = content(&journal(original.path()));
    for written in [1, 12, 20, 30, 60, 90] {
        let folder = tempfile::tempdir().unwrap();
        copy(original.path(), folder.path());
        // the beginning of one more commit, as it lies at the start of the journal, and zeros as behind the last one
        let interrupted = [&bytes, &bytes[..written], &[0; 1000]].concat();
        fs::write(journal(folder.path()), interrupted).unwrap();
        assert_eq!(read(folder.path()).unwrap().len(), 20, "{written}");
    }
}

#[test]
fn a_flipped_bit_is_an_error_or_does_no_harm() {
    let original = tempfile::tempdir().unwrap();
    fill(original.path(), 20);
    {
        // half of it in tables, half in the journal
        let (queues, _) = Queues::open(original.path(), &settings()).unwrap();
        queues.tidy().unwrap();
        let q = queues.queue("q").unwrap();
        for number in 20..40 {
            let name = format!("{number:04}");
            let transaction = Transaction {
                records: vec![(name.clone().into_bytes(), Some(name.clone().into_bytes()))],
                sends: vec![(q, Message::of_group("g", &name, name.as_bytes()))],
                ..Transaction::default()
            };
            queues.transact(transaction, T).wait().unwrap();
        }
    }
    let expected = read(original.path()).unwrap();
    let (mut harmless, mut told) = (0, 0);
    for path in files(original.path()) {
        let length = content(&path).len();
        for at in (0..length).step_by((length / 4).max(1)) {
            let folder = tempfile::tempdir().unwrap();
            copy(original.path(), folder.path());
            let name = path.strip_prefix(original.path()).unwrap();
            let mut bytes = fs::read(folder.path().join(name)).unwrap();
            bytes[at] ^= 0x10;
            fs::write(folder.path().join(name), bytes).unwrap();
            match read(folder.path()) {
                Ok(names) => {
                    assert_eq!(names, expected, "byte {at} of {} was flipped", name.display());
                    harmless += 1;
                }
                Err(queues::Error::Store(_)) => told += 1,
                Err(error) => panic!("byte {at} of {}: {error:?}", name.display()),
            }
        }
    }
    assert!(told > 20 && harmless > 0, "{told} told, {harmless} harmless");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "no folder").unwrap();
    let error = Store::open(&file.join("data")).unwrap_err();
    assert!(matches!(error, Error::Failed { tried: "open", .. }), "{error:?}");
    assert!(error.to_string().contains("file/data"), "{error}");
}

/// Not even root may make folders there.
#[test]
#[cfg(unix)]
fn a_folder_that_cannot_be_written_is_named() {
    let error = Store::open(Path::new("/sys/millrace")).unwrap_err();
    assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
    assert_eq!(error.to_string(), "the data folder /sys/millrace cannot be written");
    assert_eq!(error.hint(), "make the folder writable for this user, or use another folder");
}

#[test]
fn space_is_given_back_when_messages_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (queues, _) = Queues::open(folder.path(), &[Settings::standard("q")]).unwrap();
    let q = queues.queue("q").unwrap();
    for number in 0..20_u8 {
        let sends = (0..250).map(|_| (q, Message::new(vec![number; 1000]))).collect();
        queues.transact(Transaction { sends, ..Transaction::default() }, T).wait().unwrap();
    }
    queues.tidy().unwrap();
    let full = queues.store().disk_bytes(Table::Bodies).unwrap();
    assert!(full > 4_000_000, "{full}");
    queues.purge(q, T).unwrap();
    queues.tidy().unwrap();
    let empty = queues.store().disk_bytes(Table::Bodies).unwrap();
    assert!(empty < 10_000, "{empty}");
}
