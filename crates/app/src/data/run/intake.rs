//! Files on their way in: which feed each belongs to, its key, its bytes.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use engine::objects::Upload;
use engine::pipeline::feed::Declared;
use engine::pipeline::message::Feed;
use engine::pipeline::preset::Preset;
use engine::runtime::{Engine, Placed, Placing};
use rows::contract::Kind;

use super::super::aggregates;
use crate::complain::Hint;

/// Files that may be on their way at a time: they share syncs of the disk.
const PLACING_MAX: usize = 256;

const BLOCK_BYTES: u64 = 1024 * 1024;

/// Takes files in.
pub(super) struct Intake<'e> {
    engine: &'e Engine,
    feed: Option<&'e Declared>,
    prefix: String,
    placing: VecDeque<(PathBuf, Placing)>,
}

/// Two files of one name would be two versions of one key.
pub(super) fn must_differ(files: &[PathBuf]) -> Result<()> {
    let mut seen: BTreeMap<&std::ffi::OsStr, &Path> = BTreeMap::new();
    for file in files {
        let Some(name) = file.file_name() else { continue };
        if let Some(first) = seen.insert(name, file) {
            let message = format!("{} and {} would have the same key", first.display(), file.display());
            return Err(Hint::new(message, "take them one at a time, each with a --prefix of its own").into());
        }
    }
    Ok(())
}

impl<'e> Intake<'e> {
    pub(super) fn new(engine: &'e Engine, feed: Option<String>, prefix: String) -> Result<Self> {
        let feed = feed.map(|name| aggregates::feed(engine, &name)).transpose()?;
        Ok(Self { engine, feed, prefix, placing: VecDeque::new() })
    }

    /// Takes a file; answers with those that are safe by now. `told` hears how many bytes of how many are copied.
    pub(super) fn take(&mut self, path: &Path, told: &mut dyn FnMut(u64, u64)) -> Result<Vec<Placed>> {
        let shown = path.display().to_string();
        let mut file = crate::check::open(path).with_context(|| shown.clone())?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let key = format!("{}{name}", self.prefix);
        let feed = match self.feed {
            Some(feed) => feed,
            None => self.feed_of(&file, &key).with_context(|| shown.clone())?,
        };
        let engine = self.engine;
        let taking = engine.pipeline().feeds.taking(feed.preset, &key);
        if taking.is_none_or(|taking| taking.name != feed.name) {
            let message = format!("feed `{}` takes keys such as `{}`", feed.name.as_str(), feed.keys.as_str());
            let hint = "give the key a --prefix that fits, or change `keys` of the feed";
            return Err(Hint::new(format!("{message}, and `{key}` is none"), hint).into());
        }
        let mut upload = engine.upload(&engine.bucket_of(feed), &key).with_context(|| shown.clone())?;
        let total = file.metadata().map_or(0, |metadata| metadata.len());
        copy(&mut file, &mut upload, total, told).with_context(|| shown.clone())?;
        self.placing.push_back((path.to_path_buf(), engine.place(upload, None).with_context(|| shown)?));
        let mut placed = Vec::new();
        while self.placing.len() > PLACING_MAX {
            placed.extend(self.first()?);
        }
        Ok(placed)
    }

    /// Waits until all that were taken are safe.
    pub(super) fn settle(&mut self) -> Result<Vec<Placed>> {
        let mut placed = Vec::new();
        while !self.placing.is_empty() {
            placed.extend(self.first()?);
        }
        Ok(placed)
    }

    fn first(&mut self) -> Result<Option<Placed>> {
        let Some((path, placing)) = self.placing.pop_front() else { return Ok(None) };
        Ok(Some(placing.wait().with_context(|| path.display().to_string())?))
    }

    /// The feed that a file belongs to: the one whose pattern takes its key, if that is not a default one; else the
    /// default feed of what its header says it has.
    fn feed_of(&self, file: &File, key: &str) -> Result<&'e Declared> {
        let feeds = &self.engine.pipeline().feeds;
        for preset in Preset::ALL {
            let declared = feeds.taking(preset, key).filter(|feed| feed.name != Feed::of_preset(preset));
            if let Some(feed) = declared {
                return Ok(feed);
            }
        }
        let kind = rows::check::look(Box::new(file.try_clone()?))?;
        std::io::Seek::rewind(&mut &*file)?;
        let preset = if kind == Some(Kind::Transactions) { Preset::Transactions } else { Preset::Files };
        aggregates::feed(self.engine, Feed::of_preset(preset).as_str())
    }
}

/// Each piece is given away as it was read: `upload` writes and hashes it without a copy.
fn copy(from: &mut File, to: &mut Upload, total: u64, told: &mut dyn FnMut(u64, u64)) -> Result<()> {
    let (mut piece, mut copied) = (Vec::new(), 0);
    loop {
        piece.reserve_exact(usize::try_from(total.clamp(4096, BLOCK_BYTES)).unwrap_or(4096));
        let read = from.take(BLOCK_BYTES).read_to_end(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        copied += read as u64;
        piece = to.give(piece)?.unwrap_or_default();
        told(copied, total);
    }
}
