//! The program of the functions on its way to the cloud: found, looked at, zipped, and put into a bucket under a name
//! that says what is in it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use engine::pipeline::sha256::Sha256;
use infra::Architecture;
use rows::pack::zip_program;
use rows::unpack;
use serde::Serialize;
use serde_json::{Value, json};

use super::program::{Bucket, Program, Refusal};
use crate::complain::{Hint, unreadable};

/// The name that the cloud starts.
const NAME: &str = "bootstrap";

/// Hexadecimal digits of the digest in the name of the zip: enough that no two builds share one.
const DIGITS: usize = 16;

/// Bytes of a zip that the cloud takes from a bucket, unpacked.
const PROGRAM_BYTES_MAX: u64 = 250 * 1024 * 1024;

/// The zip of the program.
pub(super) struct Code {
    /// What it runs on.
    pub(super) architecture: Architecture,
    key: String,
    zip: Vec<u8>,
}

/// Where the zip is.
#[derive(Debug, Serialize)]
pub(super) struct Placed {
    bucket: String,
    key: String,
    bytes: usize,
    is_new: bool,
}

/// Reads the program, or a zip that holds it. Asked for another processor than it runs on, it is refused: the functions
/// would not start.
pub(super) fn read(named: Option<&Path>, asked: Option<Architecture>) -> Result<Code> {
    let path = named.map_or_else(beside, |path| Ok(path.to_owned()))?;
    read_at(&path, asked).with_context(|| format!("--bootstrap {}", path.display()))
}

/// The program beside this one, where a build puts it.
fn beside() -> Result<PathBuf> {
    let folder = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned)).unwrap_or_default();
    let found = [folder.join(NAME), folder.join("bootstrap.zip")].into_iter().find(|path| path.is_file());
    found.ok_or_else(|| {
        let what = format!("there is no program for the functions beside this one, in {}", folder.display());
        Hint::new(what, "build it (docs/aws.md says how) and name it with --bootstrap, or an image with --image").into()
    })
}

fn read_at(path: &Path, asked: Option<Architecture>) -> Result<Code> {
    let length = fs::metadata(path).map_err(unreadable)?.len();
    if length > PROGRAM_BYTES_MAX {
        let what = format!("has {length} bytes, and the cloud takes {PROGRAM_BYTES_MAX}");
        return Err(
            Hint::new(what, "build it with --profile function, which leaves out what only debuggers need").into()
        );
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    let mut digest = Sha256::default();
    digest.update(&bytes);
    let digest = digest.finish();
    let is_zip = bytes.starts_with(b"PK");
    let found = if is_zip { head_in_zip(path)? } else { processor(&bytes)? };
    if let Some(asked) = asked.filter(|asked| *asked != found) {
        let what = format!("runs on {}, and {} is asked for", found.name(), asked.name());
        return Err(Hint::new(what, "leave out --arch, or build the program for that processor").into());
    }
    let zip = if is_zip { bytes } else { zip_program(NAME, &bytes)? };
    let key = format!("millrace/bootstrap-{}-{}.zip", found.name(), &digest[..DIGITS]);
    Ok(Code { architecture: found, key, zip })
}

/// What the program in a zip runs on.
fn head_in_zip(path: &Path) -> Result<Architecture> {
    let none = || Hint::new("is a zip without the file bootstrap", "put the program into it under that name");
    let mut parts = unpack::open(Box::new(File::open(path)?), Some(NAME)).map_err(|_| none())?;
    let mut part = parts.next().map_err(|_| none())?.ok_or_else(none)?;
    let mut head = [0; 64];
    let mut length = 0;
    while length < head.len() {
        match part.bytes.read(&mut head[length..]).map_err(|_| none())? {
            0 => break,
            bytes => length += bytes,
        }
    }
    processor(&head[..length])
}

/// What a program runs on, as its first bytes say.
fn processor(bytes: &[u8]) -> Result<Architecture> {
    let is_elf = bytes.starts_with(b"\x7fELF\x02\x01");
    match bytes.get(18..20) {
        Some([62, 0]) if is_elf => Ok(Architecture::X86),
        Some([183, 0]) if is_elf => Ok(Architecture::Arm64),
        _ => {
            let what = "is no program for Linux on arm64 or x86_64";
            Err(Hint::new(what, "name the file bootstrap of `cargo build -p lambda`, or a zip that holds it").into())
        }
    }
}

/// The bucket that programs and templates are put into: the one that is named, or one that is made once for an account
/// and region.
pub(super) fn bucket(program: &Program, account: &str, named: Option<&str>) -> Result<String> {
    let name = named.map_or_else(|| default_bucket(program, account), ToOwned::to_owned);
    let request = json!({ "Bucket": name, "ExpectedBucketOwner": account });
    let there: Result<Value, Refusal> = program.try_ask("s3api", "head-bucket", &request)?;
    match there {
        Ok(_) => Ok(name),
        Err(refusal) if refusal.is_missing() && named.is_none() => {
            make_bucket(program, &name).with_context(|| format!("bucket {name}"))?;
            Ok(name)
        }
        Err(refusal) if refusal.is_missing() => {
            let what = format!("--code-bucket {name}: there is no such bucket");
            Err(Hint::new(what, "make it, or leave the option out: then one is made for the account").into())
        }
        Err(refusal) if refusal.is_denied() => {
            let what = format!("bucket {name}: {refusal}");
            Err(Hint::new(what, "it belongs to somebody else, or you may not use it: name another with --code-bucket")
                .into())
        }
        Err(refusal) => Err(program.explain("s3api", "head-bucket", &refusal)),
    }
}

/// The name of the bucket that is made when none is named.
pub(super) fn default_bucket(program: &Program, account: &str) -> String {
    format!("millrace-code-{account}-{}", program.region())
}

fn make_bucket(program: &Program, name: &str) -> Result<()> {
    let mut request = json!({ "Bucket": name });
    if program.region() != "us-east-1" {
        request["CreateBucketConfiguration"] = json!({ "LocationConstraint": program.region() });
    }
    let _: Value = program.ask("s3api", "create-bucket", &request)?;
    let blocked = json!({ "BlockPublicAcls": true, "IgnorePublicAcls": true, "BlockPublicPolicy": true,
        "RestrictPublicBuckets": true });
    let request = json!({ "Bucket": name, "PublicAccessBlockConfiguration": blocked });
    let _: Value = program.ask("s3api", "put-public-access-block", &request)?;
    let rule = json!({ "ApplyServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" } });
    let request = json!({ "Bucket": name, "ServerSideEncryptionConfiguration": { "Rules": [rule] } });
    let _: Value = program.ask("s3api", "put-bucket-encryption", &request)?;
    Ok(())
}

/// Puts bytes under a key that says what they are, unless they are there.
pub(super) fn place(program: &Program, bucket: &Bucket<'_>, key: &str, bytes: &[u8], kind: &str) -> Result<bool> {
    let request = json!({ "Bucket": bucket.name, "Key": key, "ExpectedBucketOwner": bucket.account });
    let there: Result<Value, Refusal> = program.try_ask("s3api", "head-object", &request)?;
    if there.is_ok_and(|found| found["ContentLength"] == bytes.len()) {
        return Ok(false);
    }
    let mut file = tempfile::NamedTempFile::new().context("a file for what is uploaded")?;
    file.write_all(bytes)?;
    file.flush()?;
    program.put(bucket, key, file.path(), kind)?;
    Ok(true)
}

impl Code {
    /// Puts the zip into the bucket.
    pub(super) fn upload(&self, program: &Program, bucket: &Bucket<'_>) -> Result<Placed> {
        let is_new = place(program, bucket, &self.key, &self.zip, "application/zip")?;
        Ok(Placed { bucket: bucket.name.to_owned(), key: self.key.clone(), bytes: self.zip.len(), is_new })
    }
}

impl Placed {
    /// The key, which is another for each build.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// One line about it.
    pub(super) fn told(&self) -> String {
        let Self { bucket, key, bytes, is_new } = self;
        let size = crate::size::bytes(*bytes as u64);
        format!("{} s3://{bucket}/{key} ({size})", if *is_new { "uploaded" } else { "already there:" })
    }
}

/// A template under its digest, and the URL by which CloudFormation reads it.
pub(super) fn place_template(program: &Program, bucket: &Bucket<'_>, name: &str, text: &str) -> Result<String> {
    let mut digest = Sha256::default();
    digest.update(text.as_bytes());
    let key = format!("millrace/{name}-{}.json", &digest.finish()[..DIGITS]);
    place(program, bucket, &key, text.as_bytes(), "application/json")?;
    let region = program.region();
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    Ok(format!("https://s3.{region}.{suffix}/{}/{key}", bucket.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(machine: u8) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(64, 0);
        bytes[18] = machine;
        bytes
    }

    #[test]
    fn the_processor_is_in_the_first_bytes() {
        assert_eq!(processor(&program(62)).unwrap(), Architecture::X86);
        assert_eq!(processor(&program(183)).unwrap(), Architecture::Arm64);
        for bad in [program(3), b"#!/bin/sh\n".repeat(5), b"\x7fELF".to_vec()] {
            assert!(processor(&bad).is_err());
        }
    }

    #[test]
    fn a_program_and_its_zip_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, zipped, wrong) =
            (folder.path().join("b"), folder.path().join("b.zip"), folder.path().join("c.zip"));
        fs::write(&plain, program(183)).unwrap();
        fs::write(&zipped, zip_program(NAME, &program(183)).unwrap()).unwrap();
        fs::write(&wrong, zip_program("other", &program(183)).unwrap()).unwrap();
        let code = read(Some(&plain), None).unwrap();
        assert_eq!(code.architecture, Architecture::Arm64);
        assert!(code.key.starts_with("millrace/bootstrap-arm64-") && code.key.ends_with(".zip"), "{}", code.key);
        assert_eq!(code.zip, fs::read(&zipped).unwrap());
        assert_eq!(read(Some(&zipped), None).unwrap().architecture, Architecture::Arm64);
        let error = read(Some(&plain), Some(Architecture::X86)).err().unwrap();
        assert!(format!("{error:#}").contains("runs on arm64, and x86_64 is asked for"), "{error:#}");
        let error = read(Some(&wrong), None).err().unwrap();
        assert!(format!("{error:#}").contains("a zip without the file bootstrap"), "{error:#}");
        assert!(read(Some(&folder.path().join("none")), None).is_err());
    }
}
