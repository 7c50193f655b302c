//! Zip: which members there are and which of them are parts, and the unpacking of one.
//!
//! What the directory at the end says holds; of a local header only its length is used, so data descriptors do not
//! matter. A name is only a name here, never a path.

mod directory;

use crate::{Error, Refusal, Result};

use super::detect::{SAVE_AS_CSV, unsupported_file};
use super::gzip::{Inflate, Inflated};
use super::packed::Packed;
use super::zstd::Zstd;

pub(super) use directory::read as read_directory;

/// Names listed when the wanted member is not there.
const NAMES_LISTED_MAX: usize = 10;

/// One entry of the directory.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) name: String,
    method: u16,
    is_encrypted: bool,
    checksum: u32,
    packed_bytes: u64,
    plain_bytes: u64,
    header_offset: u64,
    /// Where its data must have ended: at the directory.
    end_max: u64,
}

impl Member {
    fn is_folder(&self) -> bool {
        self.name.ends_with('/') || self.plain_bytes == 0 && self.name.ends_with('\\')
    }

    /// What systems add on their own: `__MACOSX/…`, `.DS_Store`, anything in a folder like `.git`.
    fn is_hidden(&self) -> bool {
        let is_dotted = |step: &str| step.starts_with('.') && step != "." && step != "..";
        self.name.starts_with("__MACOSX/") || self.name.split(['/', '\\']).any(is_dotted)
    }
}

/// The members that are parts, in the order of the directory; refuses what no part could be read of.
pub(super) fn select(members: Vec<Member>, wanted: Option<&str>) -> Result<Vec<Member>> {
    refuse_documents(&members)?;
    let files: Vec<Member> = members.into_iter().filter(|member| !member.is_folder()).collect();
    let chosen = match wanted {
        None => files.into_iter().filter(|member| !member.is_hidden()).collect(),
        Some(wanted) => {
            let (chosen, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|member| member.name == wanted);
            if chosen.is_empty() {
                return Err(missing(wanted, &others).into());
            }
            chosen
        }
    };
    for member in &chosen {
        check_readable(member)?;
    }
    Ok(chosen)
}

/// Office files are zips too.
fn refuse_documents(members: &[Member]) -> Result<()> {
    let holds = |name: &str| members.iter().any(|member| member.name == name);
    if holds("[Content_Types].xml") && members.iter().any(|member| member.name.starts_with("xl/")) {
        return Err(unsupported_file("an Excel workbook", SAVE_AS_CSV).into());
    }
    if holds("mimetype") && holds("content.xml") && holds("META-INF/manifest.xml") {
        return Err(unsupported_file("an OpenDocument file", SAVE_AS_CSV).into());
    }
    Ok(())
}

fn missing(wanted: &str, files: &[Member]) -> Refusal {
    let mut listed: Vec<String> =
        files.iter().take(NAMES_LISTED_MAX).map(|member| format!("{:?}", member.name)).collect();
    if files.len() > NAMES_LISTED_MAX {
        listed.push(format!("and {} more", files.len() - NAMES_LISTED_MAX));
    }
    let listed = if listed.is_empty() { "no files".to_owned() } else { listed.join(", ") };
    Refusal::new(
        "missing_member",
        format!("the zip file has no member {wanted:?}; it holds {listed}"),
        "name the member as the contract does, or change the contract",
    )
}

fn check_readable(member: &Member) -> Result<()> {
    let name = &member.name;
    // 99 is the AES encryption of WinZip, which also sets the flag.
    if member.is_encrypted || member.method == 99 {
        let message = format!("the zip member {name:?} is encrypted");
        return Err(Refusal::new("encrypted_zip", message, "send it without a password").into());
    }
    let method = match member.method {
        0 | 8 | 93 => return Ok(()),
        9 => "deflate64".to_owned(),
        12 => "bzip2".to_owned(),
        14 => "lzma".to_owned(),
        95 => "xz".to_owned(),
        other => format!("method {other}"),
    };
    let message = format!("the zip member {name:?} is packed with {method}");
    let hint = "pack it with deflate, which every zip program does unless told otherwise";
    Err(Refusal::new("unsupported_compression", message, hint).into())
}

enum Method {
    Stored,
    Deflate,
    Zstd(Zstd),
}

/// The unpacking of one member.
pub(super) struct Content {
    member: Member,
    method: Method,
    /// The deflate state; for the other methods only its checksum is used.
    inflate: Inflate,
    made_bytes: u64,
    is_done: bool,
}

impl Content {
    /// Goes to the data of `member`.
    pub(super) fn open(packed: &mut Packed, member: Member) -> Result<Self> {
        let mut header = [0; 30];
        packed.narrow(member.header_offset, header.len() as u64)?;
        if !packed.exact(&mut header)? || !header.starts_with(b"PK\x03\x04") {
            return Err(corrupt(&member, "its header is not where the directory says").into());
        }
        let [.., n0, n1, e0, e1] = header;
        let names = u64::from(u16::from_le_bytes([n0, n1])) + u64::from(u16::from_le_bytes([e0, e1]));
        let start = member.header_offset + header.len() as u64 + names;
        if start.checked_add(member.packed_bytes).is_none_or(|end| end > member.end_max) {
            return Err(corrupt(&member, "its data would run into the directory").into());
        }
        packed.narrow(start, member.packed_bytes)?;
        let method = match member.method {
            0 => Method::Stored,
            93 => Method::Zstd(Zstd::new()?),
            _ => Method::Deflate,
        };
        Ok(Self { member, method, inflate: Inflate::new(), made_bytes: 0, is_done: false })
    }

    pub(super) fn read(&mut self, packed: &mut Packed, into: &mut [u8]) -> Result<usize> {
        if self.is_done {
            return Ok(0);
        }
        let made = match &mut self.method {
            Method::Deflate => self.inflate(packed, into)?,
            Method::Stored => {
                let made = packed.read(into)?;
                self.inflate.made.update(&into[..made]);
                self.is_done = made == 0;
                made
            }
            Method::Zstd(zstd) => {
                let made = zstd.read(packed, into).map_err(|error| in_member(error, &self.member.name))?;
                self.inflate.made.update(&into[..made]);
                self.is_done = made == 0;
                made
            }
        };
        self.made_bytes += made as u64;
        if self.made_bytes > self.member.plain_bytes {
            let why = format!("it unpacks to more than the {} bytes that it should have", self.member.plain_bytes);
            return Err(corrupt(&self.member, &why).into());
        }
        if self.is_done {
            self.check_end(packed)?;
        }
        Ok(made)
    }

    fn inflate(&mut self, packed: &mut Packed, into: &mut [u8]) -> Result<usize> {
        match self.inflate.read(packed, into)? {
            Inflated::Bytes(made) => Ok(made),
            Inflated::End(made) => {
                self.is_done = true;
                Ok(made)
            }
            Inflated::Truncated => Err(corrupt(&self.member, "its data ends too early").into()),
            Inflated::Corrupt => Err(corrupt(&self.member, "its data is not deflate").into()),
        }
    }

    fn check_end(&mut self, packed: &mut Packed) -> Result<()> {
        let member = &self.member;
        if !packed.fill()?.is_empty() {
            return Err(corrupt(member, "its data is followed by something else").into());
        }
        if self.made_bytes != member.plain_bytes {
            let why = format!("it unpacks to {} bytes and should have {}", self.made_bytes, member.plain_bytes);
            return Err(corrupt(member, &why).into());
        }
        if self.inflate.made.sum() != member.checksum {
            return Err(corrupt(member, "the checksum (CRC-32) of the content differs").into());
        }
        Ok(())
    }
}

fn corrupt(member: &Member, why: &str) -> Refusal {
    let message = format!("the zip member {:?} is damaged: {why}", member.name);
    Refusal::new("corrupt_zip", message, "send the file again")
}

fn in_member(error: Error, name: &str) -> Error {
    match error {
        Error::Refused(mut refusal) => {
            refusal.message = format!("in the zip member {name:?}: {}", refusal.message);
            Error::Refused(refusal)
        }
        Error::Io(error) => Error::Io(error),
    }
}
