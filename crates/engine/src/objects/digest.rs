//! What the bytes of an object are known by: of an upload its sha256, by which the same content is known again wherever it
//! comes from; of a derived object a hash of 128 bits, which is many times quicker and tells versions of one key apart.

use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use pipeline::sha256::Sha256;
use xxhash_rust::xxh3::Xxh3;

/// Hexadecimal digits of a sha256; the other has half of them.
const SHA256_DIGITS: usize = 64;

/// From so many bytes on a sha256 is worked out beside the writing: it takes longer than the disk.
const BEHIND_BYTES: u64 = 4 * 1024 * 1024;

/// Pieces that may wait to be hashed.
const PIECES_WAITING: usize = 8;

/// A digest in the making.
pub(super) enum Digest {
    Sha256(Sha256, u64),
    Behind(Behind),
    Short(Box<Xxh3>),
}

/// A sha256 that a thread of its own works out.
pub(super) struct Behind {
    pieces: SyncSender<Vec<u8>>,
    /// Pieces that were hashed: their memory is used again.
    spent: Receiver<Vec<u8>>,
    thread: JoinHandle<Sha256>,
}

impl Digest {
    /// Of an upload.
    pub(super) fn sha256() -> Self {
        Self::Sha256(Sha256::default(), 0)
    }

    /// Of a derived object.
    pub(super) fn short() -> Self {
        Self::Short(Box::default())
    }

    /// Of the same kind as one that was finished.
    pub(super) fn like(finished: &str) -> Self {
        if is_sha256(finished) { Self::sha256() } else { Self::short() }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Short(hash) => hash.update(bytes),
            Self::Behind(behind) => {
                let mut piece = behind.spare().unwrap_or_default();
                piece.extend_from_slice(bytes);
                behind.send(piece);
            }
            Self::Sha256(digest, seen) => {
                digest.update(bytes);
                *seen += bytes.len() as u64;
                if *seen >= BEHIND_BYTES
                    && let Some(behind) = Behind::start(digest.clone())
                {
                    *self = Self::Behind(behind);
                }
            }
        }
    }

    /// The same with a piece that is given away, so that it need not be copied. Gives an empty one back, if there is one.
    pub(super) fn give(&mut self, mut piece: Vec<u8>) -> Option<Vec<u8>> {
        if let Self::Behind(behind) = self {
            behind.send(piece);
            return behind.spare();
        }
        self.update(&piece);
        piece.clear();
        Some(piece)
    }

    /// In hexadecimal.
    pub(super) fn finish(self) -> String {
        match self {
            Self::Sha256(digest, _) => digest.finish(),
            Self::Short(hash) => format!("{:032x}", hash.digest128()),
            Self::Behind(Behind { pieces, thread, .. }) => {
                drop(pieces);
                match thread.join() {
                    Ok(digest) => digest.finish(),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        }
    }
}

impl Behind {
    /// Goes on with a digest on a thread; without one it is worked out where it is.
    fn start(mut digest: Sha256) -> Option<Self> {
        let (pieces, waiting) = sync_channel::<Vec<u8>>(PIECES_WAITING);
        let (back, spent) = channel();
        let work = move || {
            for mut piece in waiting {
                digest.update(&piece);
                piece.clear();
                // nobody needs it any more when nothing more comes
                let _ = back.send(piece);
            }
            digest
        };
        let thread = std::thread::Builder::new().name("millrace-sha256".to_owned()).spawn(work).ok()?;
        Some(Self { pieces, spent, thread })
    }

    fn send(&self, piece: Vec<u8>) {
        // the thread is there for as long as this is
        let _ = self.pieces.send(piece);
    }

    /// A piece that was hashed, empty now.
    fn spare(&self) -> Option<Vec<u8>> {
        self.spent.try_recv().ok()
    }
}

/// Whether a digest is a sha256.
pub(super) fn is_sha256(digest: &str) -> bool {
    digest.len() == SHA256_DIGITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_digest_beside_the_writing_and_at_once() {
        let bytes: Vec<u8> = (0..BEHIND_BYTES as usize * 2 + 77).map(|at| (at * 31 % 251) as u8).collect();
        let mut whole = Sha256::default();
        whole.update(&bytes);
        let mut cut = Digest::sha256();
        bytes.chunks(100_001).for_each(|piece| cut.update(piece));
        assert!(matches!(cut, Digest::Behind(_)));
        let digest = cut.finish();
        assert_eq!(digest, whole.finish());
        assert!(is_sha256(&digest) && matches!(Digest::like(&digest), Digest::Sha256(..)));
        for mut given in [Digest::sha256(), Digest::short()] {
            let mut whole = Digest::like(&if let Digest::Short(_) = given { String::new() } else { digest.clone() });
            whole.update(&bytes);
            let mut piece = Vec::new();
            for bytes in bytes.chunks(300_007) {
                piece.extend_from_slice(bytes);
                piece = given.give(piece).unwrap_or_default();
                assert!(piece.is_empty(), "what comes back has no bytes of before");
            }
            assert_eq!(given.finish(), whole.finish());
        }
        let (mut short, mut again) = (Digest::short(), Digest::short());
        short.update(&bytes);
        bytes.chunks(999).for_each(|piece| again.update(piece));
        let digest = short.finish();
        assert_eq!(digest, again.finish());
        assert!(!is_sha256(&digest) && matches!(Digest::like(&digest), Digest::Short(_)));
    }
}
