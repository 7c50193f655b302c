//! Zip files made by hand, right and wrong.

use std::io::{Cursor, Write};

use flate2::Crc;
use flate2::write::DeflateEncoder;

use super::super::{Compression, open};
use super::{check_refused, drain, refusal, rows, unpack};
use crate::limits::ZIP_MEMBERS_MAX;

/// One member as it will be written.
#[derive(Clone)]
struct Entry {
    name: Vec<u8>,
    flags: u16,
    method: u16,
    checksum: u32,
    packed: Vec<u8>,
    plain_bytes: u64,
    /// Another member's header than its own.
    header_offset: Option<u64>,
}

/// A zip file in the making.
#[derive(Clone, Default)]
pub(super) struct Zip {
    entries: Vec<Entry>,
    is_64: bool,
    comment: Vec<u8>,
}

impl Zip {
    pub(super) fn new() -> Self {
        Self::default()
    }

    fn add(mut self, name: &str, method: u16, content: &[u8], packed: Vec<u8>) -> Self {
        let mut crc = Crc::new();
        crc.update(content);
        self.entries.push(Entry {
            name: name.as_bytes().to_vec(),
            flags: 0,
            method,
            checksum: crc.sum(),
            packed,
            plain_bytes: content.len() as u64,
            header_offset: None,
        });
        self
    }

    pub(super) fn stored(self, name: &str, content: &[u8]) -> Self {
        self.add(name, 0, content, content.to_vec())
    }

    pub(super) fn deflated(self, name: &str, content: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), flate2::Compression::new(6));
        encoder.write_all(content).expect("a vector takes it");
        self.add(name, 8, content, encoder.finish().expect("a vector takes it"))
    }

    pub(super) fn zstd(self, name: &str, content: &[u8]) -> Self {
        self.add(name, 93, content, super::zstd(content))
    }

    /// Changes the member added last.
    fn but(mut self, change: impl FnOnce(&mut Entry)) -> Self {
        change(self.entries.last_mut().expect("a member"));
        self
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let mut file = Vec::new();
        let mut directory = Vec::new();
        for entry in &self.entries {
            let offset = entry.header_offset.unwrap_or(file.len() as u64);
            self.write_local(entry, &mut file);
            self.write_entry(entry, offset, &mut directory);
        }
        let (at, bytes, count) = (file.len() as u64, directory.len() as u64, self.entries.len() as u64);
        file.extend(directory);
        if self.is_64 {
            let record = file.len() as u64;
            file.extend(b"PK\x06\x06");
            file.extend(44_u64.to_le_bytes());
            file.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            for number in [count, count, bytes, at] {
                file.extend(number.to_le_bytes());
            }
            file.extend(b"PK\x06\x07\0\0\0\0");
            file.extend(record.to_le_bytes());
            file.extend(1_u32.to_le_bytes());
        }
        let narrow = |number: u64| if self.is_64 { u32::MAX } else { number as u32 };
        file.extend(b"PK\x05\x06\0\0\0\0");
        file.extend((narrow(count) as u16).to_le_bytes());
        file.extend((narrow(count) as u16).to_le_bytes());
        file.extend(narrow(bytes).to_le_bytes());
        file.extend(narrow(at).to_le_bytes());
        file.extend((self.comment.len() as u16).to_le_bytes());
        file.extend(&self.comment);
        file
    }

    fn write_local(&self, entry: &Entry, file: &mut Vec<u8>) {
        let is_streamed = entry.flags & 8 != 0;
        file.extend(b"PK\x03\x04\x14\0");
        file.extend(entry.flags.to_le_bytes());
        file.extend(entry.method.to_le_bytes());
        file.extend([0; 4]);
        let sizes = [entry.checksum, entry.packed.len() as u32, entry.plain_bytes as u32];
        for number in if is_streamed { [0; 3] } else { sizes } {
            file.extend(number.to_le_bytes());
        }
        file.extend((entry.name.len() as u16).to_le_bytes());
        // An extra field that only the local header has.
        file.extend(7_u16.to_le_bytes());
        file.extend(&entry.name);
        file.extend(b"UT\x03\0abc");
        file.extend(&entry.packed);
        if is_streamed {
            file.extend(b"PK\x07\x08");
            for number in sizes {
                file.extend(number.to_le_bytes());
            }
        }
    }

    fn write_entry(&self, entry: &Entry, offset: u64, directory: &mut Vec<u8>) {
        let wide = [entry.plain_bytes, entry.packed.len() as u64, offset];
        let mut extra = b"UT\x01\0x".to_vec();
        if self.is_64 {
            extra.extend([1, 0, 24, 0]);
            extra.extend(wide.iter().flat_map(|number| number.to_le_bytes()));
        }
        let narrow = |number: u64| if self.is_64 { u32::MAX } else { number as u32 };
        directory.extend(b"PK\x01\x02\x14\x03\x14\0");
        directory.extend(entry.flags.to_le_bytes());
        directory.extend(entry.method.to_le_bytes());
        directory.extend([0; 4]);
        directory.extend(entry.checksum.to_le_bytes());
        directory.extend(narrow(entry.packed.len() as u64).to_le_bytes());
        directory.extend(narrow(entry.plain_bytes).to_le_bytes());
        directory.extend((entry.name.len() as u16).to_le_bytes());
        directory.extend((extra.len() as u16).to_le_bytes());
        directory.extend(2_u16.to_le_bytes());
        directory.extend([0; 8]);
        directory.extend(narrow(offset).to_le_bytes());
        directory.extend(&entry.name);
        directory.extend(extra);
        directory.extend(b"hi");
    }
}

#[track_caller]
fn check(zip: Zip, expected: &[(&str, &[u8])]) {
    let file = zip.finish();
    let parts = open(Box::new(Cursor::new(file)), None).expect("it is not refused");
    assert_eq!(parts.compression(), Compression::Zip);
    let all = drain(parts, 1000).expect("it is not refused");
    let names: Vec<&str> = all.iter().filter_map(|(name, _)| name.as_deref()).collect();
    let expected_names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, expected_names);
    assert!(all.iter().zip(expected).all(|((_, content), (_, expected))| content == expected));
}

fn member(file: Vec<u8>, name: &str) -> crate::Result<Vec<super::Named>> {
    drain(open(Box::new(Cursor::new(file)), Some(name))?, 1000)
}

#[test]
fn members_are_parts_in_the_order_of_the_directory() {
    let rows = rows(30_000);
    let zip = Zip::new().deflated("b.csv", &rows).stored("a.csv", b"1\n").zstd("sub/c.csv", &rows).stored("empty", b"");
    let expected: [(&str, &[u8]); 4] = [("b.csv", &rows), ("a.csv", b"1\n"), ("sub/c.csv", &rows), ("empty", b"")];
    check(zip.clone(), &expected);
    check(Zip { is_64: true, ..zip.clone() }, &expected);
    check(Zip { comment: b"made by hand PK\x05\x06".to_vec(), ..zip }, &expected);
    check(Zip::new().deflated("s", &rows).but(|entry| entry.flags = 8).stored("t", b"x"), &[("s", &rows), ("t", b"x")]);
    check(Zip::new(), &[]);
}

#[test]
fn what_systems_add_is_skipped_and_names_are_only_names() {
    let zip = Zip::new()
        .stored("data/", b"")
        .stored("data\\", b"")
        .stored("data/.DS_Store", b"x")
        .stored(".git/config", b"x")
        .stored("__MACOSX/data/._a.csv", b"x")
        .stored("../../etc/passwd", b"1\n")
        .stored("/abs.csv", b"2\n")
        .stored("gr\u{f6}\u{df}e.csv", b"3\n")
        .stored("?.csv", b"4\n")
        .but(|entry| entry.name[0] = 0x81);
    let expected: [(&str, &[u8]); 4] =
        [("../../etc/passwd", b"1\n"), ("/abs.csv", b"2\n"), ("größe.csv", b"3\n"), ("ü.csv", b"4\n")];
    check(zip, &expected);
}

#[test]
fn a_member_can_be_picked() {
    let mut zip = Zip::new().stored(".a.csv", b"1").stored("b.csv", b"2").stored("c.csv", b"3");
    zip.entries[1].flags = 1;
    assert_eq!(member(zip.clone().finish(), "c.csv").expect("it is there").len(), 1);
    assert_eq!(member(zip.clone().finish(), ".a.csv").expect("it is there")[0].1, b"1");
    assert_eq!(refusal(member(zip.clone().finish(), "b.csv")).code, "encrypted_zip");
    let missing = refusal(member(zip.finish(), "d.csv"));
    assert_eq!(missing.code, "missing_member");
    assert_eq!(missing.message, r#"the zip file has no member "d.csv"; it holds ".a.csv", "b.csv", "c.csv""#);
    let many = (0..12).fold(Zip::new(), |zip, n| zip.stored(&format!("{n}\n"), b""));
    let missing = refusal(member(many.finish(), "d.csv"));
    assert!(missing.message.ends_with(r#""8\n", "9\n", and 2 more"#), "{missing}");
    assert!(refusal(member(Zip::new().finish(), "d.csv")).message.ends_with("holds no files"));
}

#[test]
fn members_that_cannot_be_read_refuse_the_file_at_once() {
    let zip = Zip::new().stored("good", b"1").stored("bad", b"2");
    for (flags, method, code, says) in [
        (1, 8, "encrypted_zip", "encrypted"),
        (1, 99, "encrypted_zip", "encrypted"),
        (0, 9, "unsupported_compression", "deflate64"),
        (0, 12, "unsupported_compression", "bzip2"),
        (0, 14, "unsupported_compression", "lzma"),
        (0, 97, "unsupported_compression", "method 97"),
    ] {
        let zip = zip.clone().but(|entry| (entry.flags, entry.method) = (flags, method));
        let result = open(Box::new(Cursor::new(zip.finish())), None).map(|_| ());
        let refusal = refusal(result);
        assert_eq!(refusal.code, code);
        assert!(refusal.message.contains("\"bad\"") && refusal.message.contains(says), "{refusal}");
    }
}

#[test]
fn office_files_are_refused_by_name() {
    let zip = Zip::new().stored("[Content_Types].xml", b"").stored("xl/workbook.xml", b"");
    check_refused(&zip.finish(), "unsupported_file", "an Excel workbook");
    let zip = Zip::new().stored("mimetype", b"").stored("content.xml", b"").stored("META-INF/manifest.xml", b"");
    check_refused(&zip.finish(), "unsupported_file", "OpenDocument");
}

#[test]
fn damaged_members_are_refused() {
    let rows = rows(100);
    let zip = Zip::new().deflated("a", &rows);
    let wrong = |change: fn(&mut Entry)| zip.clone().but(change).finish();
    check_refused(&wrong(|entry| entry.checksum ^= 1), "corrupt_zip", "CRC-32");
    check_refused(&wrong(|entry| entry.plain_bytes += 1), "corrupt_zip", "should have");
    check_refused(&wrong(|entry| entry.plain_bytes -= 1), "corrupt_zip", "unpacks to more than");
    check_refused(&wrong(|entry| entry.packed.push(0)), "corrupt_zip", "followed by something else");
    check_refused(&wrong(|entry| entry.packed.truncate(100)), "corrupt_zip", "ends too early");
    check_refused(&wrong(|entry| entry.packed.fill(0xff)), "corrupt_zip", "not deflate");
    check_refused(&wrong(|entry| entry.method = 0), "corrupt_zip", "unpacks to");
    check_refused(&wrong(|entry| entry.method = 93), "corrupt_zstd", "in the zip member \"a\"");
    let cut = Zip::new().zstd("a", &rows).but(|entry| entry.packed.truncate(100)).finish();
    check_refused(&cut, "truncated_zstd", "in the zip member \"a\"");
}

#[test]
fn damaged_directories_are_refused() {
    let whole = Zip::new().stored("a", b"1").stored("b", b"2").finish();
    for length in 4..whole.len() {
        check_refused(&whole[..length], "truncated_zip", "no directory");
    }
    let end = whole.len() - 22;
    let directory = end - 2 * 54;
    for (at, code, says) in [
        (end + 4, "unsupported_compression", "split"),
        (end + 8, "unsupported_compression", "split"),
        (end + 12, "corrupt_zip", "within the file"),
        (end + 16, "corrupt_zip", "within the file"),
        (directory + 3, "corrupt_zip", "not an entry"),
        (directory + 28, "corrupt_zip", "not an entry"),
        (directory + 54 + 28, "corrupt_zip", "inside an entry"),
    ] {
        let mut file = whole.clone();
        file[at] += 1;
        check_refused(&file, code, says);
    }
    let mut file = whole.clone();
    file[end + 8] = 3;
    file[end + 10] = 3;
    check_refused(&file, "corrupt_zip", "2 entries and should have 3");
    let elsewhere = Zip::new().stored("a", b"12345678").but(|entry| entry.header_offset = Some(1));
    check_refused(&elsewhere.finish(), "corrupt_zip", "not where the directory says");
    let beyond = Zip::new().stored("a", b"1").but(|entry| entry.header_offset = Some(1000));
    check_refused(&beyond.finish(), "corrupt_zip", "before the directory");
}

#[test]
fn hostile_zips_are_refused() {
    let overlapping = Zip::new().stored("a", &[b'x'; 100]).stored("b", b"x").but(|entry| entry.header_offset = Some(0));
    check_refused(&overlapping.finish(), "corrupt_zip", "overlaps");
    let fill = |count| (0..count).fold(Zip::new(), |zip, n| zip.stored(&format!("{n}"), b""));
    check_refused(&fill(ZIP_MEMBERS_MAX + 1).finish(), "too_many_members", "more than 1000 members");
    assert_eq!(unpack(&fill(ZIP_MEMBERS_MAX).finish()).expect("it is not refused").len(), ZIP_MEMBERS_MAX);
    let long = Zip::new().stored(&"x".repeat(5000), b"");
    check_refused(&long.finish(), "corrupt_zip", "5000 bytes");
}

#[test]
fn the_members_share_one_budget() {
    // Each is under what is free, both together are over it, and neither is much of a file.
    let content = vec![0; 40 << 20];
    let zip = Zip::new().zstd("a", &content).zstd("b", &content).finish();
    let refusal = refusal(unpack(&zip).map(|_| ()));
    assert_eq!(refusal.code, "decompression_bomb");
}

#[test]
fn a_part_need_not_be_read_to_its_end() {
    let rows = rows(30_000);
    let file = Zip::new().deflated("a", &rows).stored("b", b"2").finish();
    let mut parts = open(Box::new(Cursor::new(file)), None).expect("a zip file");
    let mut part = parts.next().expect("it is read").expect("a part");
    assert!(part.bytes.read(&mut [0; 10]).expect("it is read") > 0);
    drop(part);
    let mut part = parts.next().expect("it is read").expect("a part");
    let mut into = [0; 10];
    let count = part.bytes.read(&mut into).expect("it is read");
    assert_eq!(&into[..count], b"2");
}
