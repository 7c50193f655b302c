//! The keys of a data folder: records in its store, and the one file that signatures follow from.
//!
//! Of an API key only the sha256 is kept. The secret of a signature cannot be kept so, because who checks a signature must
//! make it again; it follows from the access key id and `master.key`, and stands nowhere. A copy of the store lets nobody in.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use engine::pipeline::feed::OUTPUTS;
use engine::queues::Transaction;
use engine::runtime::Engine;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::complain::Hint;
use crate::limits::{KEYS_MAX, PARTNER_BYTES_MAX};
use engine::pipeline::encoding::hex;

/// What the records of keys begin with.
const PREFIX: &str = "access/key/";
/// Which `master.key` the keys were made with.
const MASTER_RECORD: &[u8] = b"access/master";
const MASTER_FILE: &str = "master.key";
const MASTER_BYTES: usize = 32;
const PAGE_RECORDS: usize = 500;

/// Counts changes, so that whoever keeps keys in memory sees that they are old. The process that serves is the one that
/// changes them.
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// How often keys were changed by this process.
pub(crate) fn changes() -> u64 {
    CHANGES.load(Ordering::SeqCst)
}

/// A key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Key {
    pub id: String,
    /// Whose it is; none for one that sees everything.
    pub partner: Option<String>,
    pub name: String,
    /// What names the pair that signs.
    pub access_key: String,
    /// The sha256 of the API key, in hexadecimal.
    api_sha256: String,
    pub created_at: u64,
    pub revoked_at: Option<u64>,
}

/// What is told once.
pub(crate) struct Secrets {
    pub api_key: String,
    pub secret: String,
}

impl Key {
    /// Whose it is, for people.
    pub fn who(&self) -> String {
        self.partner.as_ref().map_or_else(|| "admin".to_owned(), |partner| format!("partner {partner}"))
    }

    /// Without what is nobody's matter.
    pub fn view(&self) -> Value {
        json!({
            "id": self.id, "partner": self.partner, "admin": self.partner.is_none(), "name": self.name,
            "accessKeyId": self.access_key, "createdAt": self.created_at, "revokedAt": self.revoked_at,
        })
    }

    /// Whether this is its API key. Takes as long whatever is wrong.
    pub fn is(&self, api_key: &str) -> bool {
        same(self.api_sha256.as_bytes(), sha256(api_key.as_bytes()).as_bytes())
    }
}

/// The keys of a data folder.
pub(crate) struct Book<'a> {
    engine: &'a Engine,
}

impl<'a> Book<'a> {
    pub fn new(engine: &'a Engine) -> Self {
        Self { engine }
    }

    /// All keys, by id.
    pub fn all(&self) -> Result<Vec<Key>> {
        let (mut keys, mut after): (Vec<Key>, Option<Vec<u8>>) = (Vec::new(), None);
        loop {
            let page = self.engine.queues().records(PREFIX.as_bytes(), after.as_deref(), PAGE_RECORDS)?;
            for (name, value) in &page {
                let key = serde_json::from_slice(value);
                keys.push(key.with_context(|| format!("record {}", String::from_utf8_lossy(name)))?);
            }
            match page.last() {
                Some((last, _)) if page.len() == PAGE_RECORDS => after = Some(last.clone()),
                _ => return Ok(keys),
            }
        }
    }

    /// Makes a key, for a partner or for whoever runs this.
    pub fn create(&self, partner: Option<&str>, name: &str, now: u64) -> Result<(Key, Secrets)> {
        partner.map_or(Ok(()), check_partner)?;
        if self.all()?.len() >= KEYS_MAX {
            let hint = "use those there are; `millrace keys list` shows them";
            return Err(Hint::new(format!("there are {KEYS_MAX} keys, and there can be no more"), hint).into());
        }
        let id = random_letters(10)?;
        let access_key = format!("MK{}", random_letters(18)?.to_uppercase());
        let api_key = format!("mk_{id}_{}", random_letters(32)?);
        let master = self.master()?;
        let secrets = Secrets { secret: master.secret(&access_key), api_key };
        let key = Key {
            id,
            partner: partner.map(str::to_owned),
            name: name.to_owned(),
            access_key,
            api_sha256: sha256(secrets.api_key.as_bytes()),
            created_at: now,
            revoked_at: None,
        };
        self.write(&key, Some((MASTER_RECORD.to_vec(), Some(master.sha256().into_bytes()))), now)?;
        Ok((key, secrets))
    }

    /// Lets a key in no more; one that is revoked stays so.
    pub fn revoke(&self, id: &str, now: u64) -> Result<Key> {
        let value = self.engine.queues().record(format!("{PREFIX}{id}").as_bytes())?;
        let unknown = || Hint::new(format!("there is no key {id}"), "see `millrace keys list` for their ids");
        let mut key: Key = serde_json::from_slice(&value.ok_or_else(unknown)?)?;
        key.revoked_at = key.revoked_at.or(Some(now));
        self.write(&key, None, now)?;
        Ok(key)
    }

    fn write(&self, key: &Key, beside: Option<(Vec<u8>, Option<Vec<u8>>)>, now: u64) -> Result<()> {
        let mut transaction = Transaction::default();
        transaction.records.push((format!("{PREFIX}{}", key.id).into_bytes(), Some(serde_json::to_vec(key)?)));
        transaction.records.extend(beside);
        self.engine.queues().transact(transaction, now).wait()?;
        CHANGES.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn master_path(&self) -> PathBuf {
        self.engine.folder().with_file_name(MASTER_FILE)
    }

    /// What secrets follow from; made when there is none and nothing was made with another.
    pub fn master(&self) -> Result<Master> {
        let path = self.master_path();
        let told = || format!("key file {}", path.display());
        let known = self.engine.queues().record(MASTER_RECORD)?;
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound && known.is_none() => {
                let mut bytes = vec![0; MASTER_BYTES];
                fill(&mut bytes)?;
                let mut file =
                    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).with_context(told)?;
                file.write_all(&bytes).and_then(|()| file.sync_all()).with_context(told)?;
                // the name must be as durable as the keys that follow from the file
                let folder = path.parent().unwrap_or(&path);
                fs::File::open(folder).and_then(|folder| folder.sync_all()).with_context(told)?;
                bytes
            }
            Err(error) => return Err(error).with_context(told),
        };
        let master = Master(bytes);
        let is_other = known.is_some_and(|known| known != master.sha256().as_bytes());
        if master.0.len() != MASTER_BYTES || is_other {
            let hint = "put the file back that was there, or revoke all keys, delete it and make new keys";
            return Err(Hint::new("is not the one that the keys of this folder were made with", hint))
                .with_context(told);
        }
        Ok(master)
    }
}

/// What all secrets follow from.
pub(crate) struct Master(Vec<u8>);

impl Master {
    /// The secret of an access key: 40 letters.
    pub fn secret(&self, access_key: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let tag = hmac::sign(&key, access_key.as_bytes());
        letters(tag.as_ref()).chars().take(40).collect()
    }

    fn sha256(&self) -> String {
        sha256(&self.0)
    }
}

fn check_partner(name: &str) -> Result<()> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    let begins_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if !begins_well || name.len() > PARTNER_BYTES_MAX || !name.bytes().all(is_plain) {
        let hint = "take small letters, digits, `-`, `_` and `.`, at most 63, a letter or digit first";
        return Err(Hint::new(format!("`{name}` cannot be the name of a partner"), hint).into());
    }
    if OUTPUTS.iter().any(|output| output.trim_end_matches('/') == name) {
        let hint = "take another name";
        return Err(Hint::new(format!("`{name}/` is where the stages write"), hint).into());
    }
    Ok(())
}

/// Whether two are the same, in a time that says nothing of where they differ.
pub(crate) fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |found, (left, right)| found | (left ^ right)) == 0
}

/// In hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// Letters that nobody can guess, 5 bits each.
fn random_letters(count: usize) -> Result<String> {
    let mut bytes = vec![0; (count * 5).div_ceil(8)];
    fill(&mut bytes)?;
    Ok(letters(&bytes).chars().take(count).collect())
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    SystemRandom::new().fill(bytes).map_err(|_| anyhow::anyhow!("the system has no random numbers"))
}

/// Bytes as letters and digits, 5 bits each.
fn letters(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0);
    for byte in bytes {
        held = (held << 8 | u32::from(*byte)) & 0xffff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(LETTERS[(held >> bits & 31) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_follow_from_the_master_and_the_access_key() {
        let (one, other) = (Master(vec![1; 32]), Master(vec![2; 32]));
        assert_eq!(one.secret("MKA"), one.secret("MKA"));
        assert_eq!(one.secret("MKA").len(), 40);
        assert_ne!(one.secret("MKA"), one.secret("MKB"));
        assert_ne!(one.secret("MKA"), other.secret("MKA"));
    }

    #[test]
    fn letters_are_base32() {
        // bits that make no letter are left out
        assert_eq!(letters(b"foobar"), "mzxw6ytbo");
        assert_eq!(random_letters(18).unwrap().len(), 18);
        assert!(same(b"ab", b"ab") && !same(b"ab", b"ac") && !same(b"ab", b"abc"));
    }

    #[test]
    fn names_of_partners() {
        for (name, good) in [
            ("acme", true),
            ("a.b-c_9", true),
            ("", false),
            ("A", false),
            ("a/b", false),
            ("..", false),
            ("rejects", false),
        ] {
            assert_eq!(check_partner(name).is_ok(), good, "{name}");
        }
    }
}
