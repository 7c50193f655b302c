//! Disks that are full, read-only or broken, at every step: a clear error, nothing that was answered is lost, nothing
//! that was not answered stays.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;

use engine::objects::Error;
use engine::queues;
use engine::store::{self, Fault};

use super::{Home, LARGE, noise, open};
use crate::T;

#[test]
fn every_step_of_writing_a_file_may_fail() {
    for kind in [ErrorKind::StorageFull, ErrorKind::PermissionDenied, ErrorKind::Other] {
        let mut home = Home::new();
        let kept = home.put("kept", &noise(1, LARGE), T);
        let mut failed = 0;
        loop {
            home.objects().fail_after(failed, kind);
            let put = home.put_in("b", "k", &noise(2, 600_000), T);
            if home.objects().fault_waits() {
                put.unwrap();
                break;
            }
            let error = put.unwrap_err();
            let text = error.to_string();
            assert!(text.contains("object b/k") && text.contains("objects"), "{text}");
            match kind {
                ErrorKind::StorageFull => assert!(matches!(error, Error::Full { .. }), "{error:?}"),
                ErrorKind::PermissionDenied => assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}"),
                _ => assert!(matches!(error, Error::Failed { .. }), "{error:?}"),
            }
            assert_eq!((home.keys(""), home.files().len()), (vec!["kept".to_owned()], 1), "step {failed}");
            failed += 1;
        }
        assert!(failed >= 6, "{failed} steps");
        home.objects().fail_after(usize::MAX, kind);
        home.assert_sound();
        assert_eq!(home.reopen().unnamed, 0);
        assert_eq!(home.get(&kept).unwrap(), noise(1, LARGE));
    }
}

#[test]
fn every_step_of_archiving_may_fail() {
    let mut home = Home::new();
    let content: Vec<u8> = noise(1, 1000).repeat(3000);
    let object = home.put("k", &content, T);
    let mut failed = 0;
    loop {
        home.objects().fail_after(failed, ErrorKind::StorageFull);
        let archived = home.objects().archive("b", T + 1, T);
        if home.objects().fault_waits() {
            assert_eq!(archived.unwrap().objects, 1);
            break;
        }
        let error = archived.unwrap_err();
        assert!(matches!(error, Error::Full { .. }) && error.to_string().contains("object b/k"), "{error}");
        assert_eq!(home.files().len(), 1, "step {failed}");
        assert_eq!(home.get(&object).unwrap(), content, "step {failed}");
        failed += 1;
    }
    assert!(failed >= 6, "{failed} steps");
    assert_eq!(home.reopen().unnamed, 0);
    assert_eq!(home.get(&object).unwrap(), content);
}

#[test]
fn a_commit_that_fails_keeps_all_or_nothing() {
    for (bytes, kept) in [(10, true), (10, false), (LARGE, true), (LARGE, false)] {
        let mut home = Home::new();
        home.objects().queues().store().fail_next(Fault { kind: ErrorKind::StorageFull, kept });
        let error = home.put_in("b", "k", &noise(1, bytes), T).unwrap_err();
        assert!(matches!(error, Error::Queues(_)), "{error:?}");
        let found = home.reopen();
        assert_eq!(found.objects, usize::from(kept));
        assert_eq!(found.unnamed, usize::from(!kept && bytes == LARGE), "its file is gone with the next start");
        home.assert_sound();
        if kept {
            let object = home.objects().newest("b", "k").unwrap().unwrap().object;
            assert_eq!(home.get(&object).unwrap(), noise(1, bytes));
        }
    }
}

#[test]
fn a_file_that_was_cut_flipped_or_lost_is_an_error_that_names_it() {
    for is_archived in [false, true] {
        let mut home = Home::new();
        let content: Vec<u8> = noise(1, 100_000).repeat(15);
        let object = home.put("k", &content, T);
        if is_archived {
            home.objects().archive("b", T + 1, T).unwrap();
        }
        let path = home.files().remove(0);
        let whole = fs::read(&path).unwrap();
        let mut told = 0;
        let mut try_with = |bytes: Option<Vec<u8>>, what: &str| {
            match bytes {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let error = home.get(&object).unwrap_err();
            assert!(error.contains("object b/k") && error.contains(path.to_str().unwrap()), "{what}: {error}");
            told += 1;
        };
        for at in (0..whole.len()).step_by(whole.len() / 13) {
            let mut flipped = whole.clone();
            flipped[at] ^= 4;
            try_with(Some(flipped), &format!("byte {at} was flipped"));
            try_with(Some(whole[..at].to_vec()), &format!("cut to {at}"));
        }
        try_with(Some([whole.as_slice(), b"x"].concat()), "longer");
        try_with(None, "gone");
        assert!(told > 25);
        fs::write(&path, &whole).unwrap();
        assert_eq!(home.get(&object).unwrap(), content);
        home.reopen();
        assert_eq!(home.get(&object).unwrap(), content);
    }
}

#[test]
fn what_was_left_by_a_crash_goes() {
    let mut home = Home::new();
    home.put("k", &noise(1, LARGE), T);
    let path = home.files().remove(0);
    home.close();
    let name = "00000000000000ff";
    fs::write(home.folder().join("objects/tmp").join(name), "half").unwrap();
    fs::create_dir_all(home.folder().join("objects/00")).unwrap();
    fs::write(home.folder().join("objects/00").join(name), "never confirmed").unwrap();
    let found = home.reopen();
    assert_eq!((found.objects, found.unfinished, found.unnamed), (1, 1, 1));
    assert_eq!(home.files(), [path]);
}

/// Not even root may make folders there.
#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_cannot_be_written_is_named() {
    let home = Home::new();
    let error =
        engine::objects::Objects::open(home.objects().queues().clone(), Path::new("/sys/millrace")).unwrap_err();
    assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
    assert_eq!(error.to_string(), "not allowed to open the folder /sys/millrace");
}

/// Tells the child its folder.
const CHILD: &str = "MILLRACE_TEST_FULL_DISK";

/// No test by itself: the process that the test below starts with little room. Writes until there is none, then says so.
#[test]
fn child() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let (objects, _) = open(Path::new(&folder)).unwrap();
    let mut kept = 0;
    let error = loop {
        let mut upload = objects.upload("b", &format!("{kept}")).unwrap();
        let written = upload.write_all(&noise(kept, 1 << 20)).map_err(|error| error.downcast::<Error>().unwrap());
        match written.and_then(|()| upload.finish(T)).and_then(|stored| {
            let objects_of = queues::Transaction { objects: vec![stored.change], ..Default::default() };
            objects.queues().transact(objects_of, T).wait().map_err(Error::from)
        }) {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    let is_full = |error: &Error| match error {
        Error::Full { .. } => true,
        // the last page may have been the journal's
        Error::Queues(queues::Error::Store(error)) => matches!(error, store::Error::Full { .. }),
        _ => false,
    };
    assert!(is_full(&error), "{error:?}");
    for number in 0..kept {
        let newest = objects.newest("b", &format!("{number}")).unwrap().unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut objects.read(&newest.object).unwrap().into_input(), &mut bytes).unwrap();
        assert!(bytes == noise(number, 1 << 20), "{number}");
    }
    writeln!(std::io::stdout().lock(), "\nfull after {kept}: {error}; {}", error.hint()).unwrap();
}

/// A real full disk: a small one in memory, mounted where nobody else sees it.
#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_is_really_full_is_told_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // the store reserves 64 MiB for its journal
    let script = "mount -t tmpfs -o size=48m none \"$1\" && exec \"$2\" objects::damage::child --exact --nocapture";
    let mut unshare = Command::new("unshare");
    unshare.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(folder.path());
    let output = unshare.arg(std::env::current_exe().unwrap()).env(CHILD, folder.path()).output();
    let output = output.map(|output| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    });
    match output {
        Ok((true, said, _)) => assert!(said.contains("no space is left"), "{said}"),
        Ok((false, _, error)) if !error.contains("panicked") => {
            let said = format!("no disk could be mounted ({}); the faults above stand for it", error.trim());
            writeln!(std::io::stderr().lock(), "{said}").unwrap();
        }
        other => panic!("{other:?}"),
    }
}
