//! Files that appear in a folder: taken when they are whole, moved away when they are safe.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};

use super::super::Out;
use super::Following;
use super::intake::Intake;

const LOOK_EVERY: Duration = Duration::from_millis(100);
const TAKEN: &str = "taken";

/// What a file looked like, and since when.
#[derive(Debug, Clone, Copy)]
struct Seen {
    length: u64,
    changed: Option<SystemTime>,
    since: Instant,
    refused: bool,
}

/// Takes files until interrupted.
pub(super) fn run(
    folder: &Path,
    settle: Duration,
    intake: &mut Intake<'_>,
    following: &mut Following<'_>,
    out: &mut Out<'_>,
) -> Result<()> {
    let taken = folder.join(TAKEN);
    fs::create_dir_all(&taken).with_context(|| format!("folder {}", taken.display()))?;
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = interrupted.clone();
    // a second door visitor cannot have it too: then it is the first one's to end
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::SeqCst));
    writeln!(out.notes, "watching {}; end it with Ctrl-C", folder.display())?;
    let mut seen: BTreeMap<PathBuf, Seen> = BTreeMap::new();
    while !interrupted.load(Ordering::SeqCst) && !out.gone.load(Ordering::SeqCst) {
        let whole = whole(folder, settle, &mut seen)?;
        let mut placed = Vec::new();
        let mut moving = Vec::new();
        for path in whole {
            match intake.take(&path, &mut |_, _| {}) {
                Ok(safe) => {
                    placed.extend(safe);
                    moving.push(path);
                }
                Err(error) => {
                    crate::complain::tell(out.notes, &error)?;
                    if let Some(seen) = seen.get_mut(&path) {
                        seen.refused = true;
                    }
                }
            }
        }
        placed.extend(intake.settle()?);
        // only now: what is not in the folder any more is safe
        for path in moving {
            seen.remove(&path);
            move_away(&path, &taken)?;
        }
        following.add(placed, out)?;
        following.look(LOOK_EVERY, out)?;
        following.tick()?;
    }
    Ok(())
}

/// Files that have not changed for a while, by name. Names that begin with a dot or end in `.part` or `.tmp` are of files
/// that somebody is still at.
fn whole(folder: &Path, settle: Duration, seen: &mut BTreeMap<PathBuf, Seen>) -> Result<Vec<PathBuf>> {
    let mut there: BTreeMap<PathBuf, Seen> = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| format!("folder {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let unfinished = name.starts_with('.') || name.ends_with(".part") || name.ends_with(".tmp");
        let Ok(metadata) = entry.metadata() else { continue };
        if unfinished || !metadata.is_file() {
            continue;
        }
        let (length, changed) = (metadata.len(), metadata.modified().ok());
        let path = entry.path();
        let before = seen.get(&path).filter(|before| (before.length, before.changed) == (length, changed)).copied();
        there.insert(path, before.unwrap_or(Seen { length, changed, since: Instant::now(), refused: false }));
    }
    *seen = there;
    // a file that was written long ago was renamed into the folder: it is whole
    let is_old = |seen: &Seen| seen.changed.and_then(|at| at.elapsed().ok()).is_some_and(|age| age >= settle);
    let is_whole = |seen: &&Seen| !seen.refused && (seen.since.elapsed() >= settle || is_old(seen));
    Ok(seen.iter().filter(|(_, seen)| is_whole(seen)).map(|(path, _)| path.clone()).collect())
}

/// Moves a file to where those are that were taken; one of the same name there is an older version, and stays.
fn move_away(path: &Path, taken: &Path) -> Result<()> {
    let name = path.file_name().unwrap_or_default();
    let mut to = taken.join(name);
    for number in 2.. {
        if !to.exists() {
            break;
        }
        to = taken.join(format!("{}.{number}", name.to_string_lossy()));
    }
    fs::rename(path, &to).with_context(|| format!("move {} to {}", path.display(), to.display()))
}
