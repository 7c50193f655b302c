//! Packed by the same crates or by hand, unpacked through `open`: what comes out, and what is refused why.

mod zip;

use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::sync::atomic::Ordering;

use flate2::GzBuilder;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::{Compression, Parts, open};
use crate::limits::{UNPACK_RATIO_MAX, UNPACKED_BYTES_FREE};
use crate::source::{Input, Source};
use crate::{Error, Refusal, Result};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).expect("a vector takes it");
    encoder.finish().expect("a vector takes it")
}

/// One frame with a checksum.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ::zstd::Encoder::new(Vec::new(), 3).expect("an encoder");
    encoder.include_checksum(true).expect("a checksum");
    encoder.write_all(bytes).expect("a vector takes it");
    encoder.finish().expect("a vector takes it")
}

/// Rows that do not repeat, so that they do not shrink too well.
fn rows(count: u32) -> Vec<u8> {
    let row = |n: u32| format!("{n},{},T{:x}\n", n.wrapping_mul(2_654_435_761), n.wrapping_mul(40_503) ^ 0x5a5a);
    (0..count).map(row).collect::<String>().into_bytes()
}

type Named = (Option<String>, Vec<u8>);

/// Reads all parts in pieces of `piece` bytes.
fn drain(mut parts: Parts, piece: usize) -> Result<Vec<Named>> {
    let mut all = Vec::new();
    let progress = parts.progress();
    let mut into = vec![0; piece];
    let mut before = 0;
    while let Some(mut part) = parts.next()? {
        let mut content = Vec::new();
        loop {
            match part.bytes.read(&mut into)? {
                0 => break,
                count => content.extend_from_slice(&into[..count]),
            }
            let consumed = progress.load(Ordering::Relaxed);
            assert!(before <= consumed, "progress never goes back");
            before = consumed;
        }
        assert_eq!(part.bytes.read(&mut into)?, 0, "the end stays the end");
        all.push((part.name, content));
    }
    assert_eq!(progress.load(Ordering::Relaxed), parts.input_bytes());
    Ok(all)
}

fn unpack(file: &[u8]) -> Result<Vec<Named>> {
    drain(open(Box::new(Cursor::new(file.to_vec())), None)?, 10_000)
}

#[track_caller]
fn check(file: &[u8], compression: Compression, content: &[u8]) {
    let parts = open(Box::new(Cursor::new(file.to_vec())), Some("any")).expect("it is not refused");
    assert_eq!(parts.compression(), compression);
    assert_eq!(parts.input_bytes(), file.len() as u64);
    let all = drain(parts, 777).expect("it is not refused");
    assert_eq!(all.len(), 1);
    assert!(all[0] == (None, content.to_vec()), "got {:?}", String::from_utf8_lossy(&all[0].1));
}

#[track_caller]
fn refusal<T: std::fmt::Debug>(result: Result<T>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => {
            let first = refusal.message.chars().next();
            assert!(first.is_some_and(char::is_lowercase) && !refusal.message.ends_with('.'), "{refusal}");
            assert!(!refusal.hint.is_empty(), "{refusal}");
            refusal
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[track_caller]
fn check_refused(file: &[u8], code: &str, says: &str) {
    let refusal = refusal(unpack(file));
    assert_eq!(refusal.code, code, "{refusal}");
    assert!(refusal.message.contains(says), "{refusal:?} does not say {says:?}");
}

#[test]
fn plain_files_are_themselves() {
    check(b"", Compression::None, b"");
    check(b"a", Compression::None, b"a");
    check(b"BZh1,PK,Rar!\n1,2,3\n", Compression::None, b"BZh1,PK,Rar!\n1,2,3\n");
    let rows = rows(20_000);
    check(&rows, Compression::None, &rows);
}

#[test]
fn files_that_are_read_from_their_end_are_given_back_whole() {
    let mut parts = open(Box::new(Cursor::new(b"PAR1 and more".to_vec())), None).expect("a plain file");
    let mut part = parts.next().expect("it is read").expect("a part");
    assert_eq!(part.bytes.read(&mut [0; 4]).expect("it is read"), 4);
    drop(part);
    let mut content = String::new();
    parts.into_plain().expect("it is plain").read_to_string(&mut content).expect("it is read");
    assert_eq!(content, "PAR1 and more");

    let parts = open(Box::new(Cursor::new(gzip(b"PAR1"))), None).expect("a gzip file");
    assert_eq!(refusal(parts.into_plain().map(|_| ())).code, "unsupported_compression");
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    check_refused(b"BZh91AY&SY\x01\x02\x03", "unsupported_compression", "bzip2");
    check_refused(b"BZh9\x17\x72\x45\x38\x50\x90\0\0\0\0", "unsupported_compression", "bzip2");
    check_refused(b"\xfd7zXZ\0\0\x04", "unsupported_compression", "xz");
    check_refused(b"7z\xbc\xaf\x27\x1c\0\x04", "unsupported_compression", "7-Zip");
    check_refused(b"Rar!\x1a\x07\x01\0", "unsupported_compression", "rar");
    check_refused(b"\x04\x22\x4d\x18\x64\x40", "unsupported_compression", "lz4");
    check_refused(b"PK\x07\x08PK\x03\x04", "unsupported_compression", "split");
    check_refused(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "unsupported_file", "Office");
    check_refused(b"%PDF-1.7\n", "unsupported_file", "PDF");
}

#[test]
fn gzip_members_follow_one_another() {
    let content = rows(30_000);
    check(&gzip(&content), Compression::Gzip, &content);
    check(&gzip(b""), Compression::Gzip, b"");
    let (front, back) = content.split_at(100_000);
    // As in BGZF, the last member is empty.
    let file = [gzip(front), gzip(b""), gzip(back), gzip(b"")].concat();
    check(&file, Compression::Gzip, &content);
    let padded = [gzip(b"a\n"), vec![0; 200_000]].concat();
    check(&padded, Compression::Gzip, b"a\n");
}

#[test]
fn gzip_headers_are_passed() {
    let mut encoder = GzBuilder::new()
        .filename("../../etc/passwd")
        .comment("a comment")
        .extra(vec![b'B'; 70])
        .write(Vec::new(), flate2::Compression::new(1));
    encoder.write_all(b"id\n").expect("a vector takes it");
    check(&encoder.finish().expect("a vector takes it"), Compression::Gzip, b"id\n");

    // With a checksum of the header (flag 2), first right, then wrong.
    let mut file = gzip(b"id\n");
    file[3] = 2;
    let mut header = flate2::Crc::new();
    header.update(&file[..10]);
    let [low, high, ..] = header.sum().to_le_bytes();
    file.splice(10..10, [low, high]);
    check(&file, Compression::Gzip, b"id\n");
    file[10] ^= 1;
    check_refused(&file, "corrupt_gzip", "checksum of the header");
}

#[test]
fn damaged_gzip_is_refused() {
    let whole = gzip(&rows(50));
    for length in 2..whole.len() {
        check_refused(&whole[..length], "truncated_gzip", &format!("at byte {length}"));
    }
    check_refused(&[&whole[..], &whole[..7]].concat(), "truncated_gzip", &format!("at byte {}", whole.len() + 7));
    let tail = whole.len() - 8;
    for (at, says) in [(2, "method is"), (3, "unknown flags"), (tail, "CRC-32"), (tail + 4, "length")] {
        let mut file = whole.clone();
        file[at] ^= 0x80;
        check_refused(&file, "corrupt_gzip", says);
    }
    check_refused(b"\x1f\x8b\x08\0\0\0\0\0\0\0\xff\xff", "corrupt_gzip", "not deflate");
    let at = format!("at byte {}", whole.len());
    check_refused(&[&whole[..], b"rows"].concat(), "corrupt_gzip", &at);
    check_refused(&[&whole[..], b"\0\0rows"].concat(), "corrupt_gzip", "followed by something else");
}

#[test]
fn zstd_frames_follow_one_another() {
    let content = rows(30_000);
    check(&zstd(&content), Compression::Zstd, &content);
    check(&zstd(b""), Compression::Zstd, b"");
    let (front, back) = content.split_at(100_000);
    let skippable = b"\x53\x2a\x4d\x18\x04\0\0\0skip";
    let file = [skippable, &zstd(front)[..], skippable, &zstd(b""), &zstd(back), skippable].concat();
    check(&file, Compression::Zstd, &content);
    check(skippable, Compression::Zstd, b"");
}

#[test]
fn damaged_zstd_is_refused() {
    let whole = zstd(&rows(50));
    for length in 4..whole.len() {
        check_refused(&whole[..length], "truncated_zstd", &format!("at byte {length}"));
    }
    let two = [&whole[..], &whole[..3]].concat();
    check_refused(&two, "truncated_zstd", &format!("at byte {}", two.len()));
    check_refused(b"\x50\x2a\x4d\x18\x04\0\0\0ski", "truncated_zstd", "at byte 11");
    let mut file = whole.clone();
    *file.last_mut().expect("it is not empty") ^= 1;
    check_refused(&file, "corrupt_zstd", "checksum");
    check_refused(&[&whole[..], b"rows"].concat(), "corrupt_zstd", "not a zstd frame");
    check_refused(b"\x28\xb5\x2f\xfd\x00\x98", "unsupported_compression", "window");
    check_refused(b"\x28\xb5\x2f\xfd\x01\x00\x07\x01\x00\x00", "unsupported_compression", "dictionary");
}

/// Zeros, packed by `pack` in one go, up to `length`.
fn zeros<W: Write>(mut into: W, length: u64) -> W {
    let block = vec![0; 1 << 20];
    for _ in 0..length.div_ceil(block.len() as u64) {
        into.write_all(&block).expect("a vector takes it");
    }
    into
}

#[test]
fn bombs_are_refused() {
    let encoder = ::zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    let file = zeros(encoder, UNPACKED_BYTES_FREE + 1).finish().expect("a vector takes it");
    assert!((file.len() as u64) < UNPACKED_BYTES_FREE / UNPACK_RATIO_MAX);
    check_refused(&file, "decompression_bomb", "more than 1000 times");

    let encoder = GzEncoder::new(Vec::new(), flate2::Compression::new(9));
    let file = zeros(encoder, UNPACKED_BYTES_FREE * 5 / 4).finish().expect("a vector takes it");
    check_refused(&file, "decompression_bomb", "more than 1000 times");
}

#[test]
fn much_is_free_and_incompressible_data_is_no_bomb() {
    let encoder = ::zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    let file = zeros(encoder, UNPACKED_BYTES_FREE).finish().expect("a vector takes it");
    let mut parts = open(Box::new(Cursor::new(file)), None).expect("a zstd file");
    let mut part = parts.next().expect("it is read").expect("a part");
    let mut into = vec![0; 1 << 20];
    let mut total = 0;
    loop {
        match part.bytes.read(&mut into).expect("it is not refused") {
            0 => break,
            count => total += count as u64,
        }
    }
    assert_eq!(total, UNPACKED_BYTES_FREE);
}

#[test]
fn a_refusal_stays() {
    let mut file = gzip(b"id\n");
    let tail = file.len() - 8;
    file[tail] ^= 1;
    let mut parts = open(Box::new(Cursor::new([file, gzip(b"more\n")].concat())), None).expect("a gzip file");
    let mut part = parts.next().expect("it is read").expect("a part");
    let first = refusal(part.bytes.read(&mut [0; 100]));
    assert_eq!(first, refusal(part.bytes.read(&mut [0; 100])));
}

/// A file whose bytes from `bad` on cannot be read.
struct Broken {
    file: Cursor<Vec<u8>>,
    bad: u64,
    interrupt: bool,
}

impl Read for Broken {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.interrupt = !self.interrupt;
        if self.interrupt {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let left = self.bad.saturating_sub(self.file.position());
        if left == 0 {
            return Err(std::io::Error::other("the disk is broken"));
        }
        let most = into.len().min(left as usize);
        self.file.read(&mut into[..most])
    }
}

impl Seek for Broken {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.file.seek(to)
    }
}

#[test]
fn errors_of_the_input_are_not_faults_of_the_content() {
    let content = rows(30_000);
    let zipped = zip::Zip::new().deflated("a.csv", &content).finish();
    for file in [content.clone(), gzip(&content), zstd(&content), zipped] {
        for bad in [0, 1, 12, 1000, 100_000, file.len() as u64 - 1, u64::MAX] {
            let input: Box<dyn Input> = Box::new(Broken { file: Cursor::new(file.clone()), bad, interrupt: false });
            let result = open(input, None).and_then(|parts| drain(parts, 5000));
            match result {
                Ok(all) => assert!(bad == u64::MAX && all[0].1 == content, "{bad}"),
                Err(Error::Io(error)) => assert_eq!(error.to_string(), "the disk is broken"),
                Err(Error::Refused(refusal)) => panic!("refused: {refusal}"),
            }
        }
    }
}

fn packed_somehow(content: &[u8], how: usize) -> Vec<u8> {
    let (front, back) = content.split_at(content.len() / 2);
    match how {
        0 => content.to_vec(),
        1 => [gzip(front), gzip(back)].concat(),
        2 => [zstd(front), zstd(back)].concat(),
        _ => zip::Zip::new().stored("a", front).deflated("b", back).zstd("c", back).finish(),
    }
}

proptest! {
    #[test]
    fn the_sizes_of_reads_do_not_matter(content in proptest::collection::vec(any::<u8>(), 20..3000), how in 0_usize..4,
                                        piece in 1_usize..300) {
        // What begins like something that is packed or marked is not meant here.
        let content = [b"id,", &content[..]].concat();
        let file = packed_somehow(&content, how);
        let whole = unpack(&file).expect("it is not refused");
        let pieces = drain(open(Box::new(Cursor::new(file)), None).expect("opened"), piece).expect("it is not refused");
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn damage_is_refused_or_harmless(how in 1_usize..4, at in any::<prop::sample::Index>(), to in any::<u8>(),
                                     cut in proptest::option::of(any::<prop::sample::Index>())) {
        let content = rows(100);
        let mut file = packed_somehow(&content, how);
        let at = at.index(file.len());
        file[at] = to;
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        let result = unpack(&file);
        prop_assert!(!matches!(result, Err(Error::Io(_))));
        // A checksum guards the rows: what comes out of a gzip or zstd is them, unless the damage hid the packing.
        if let Ok(all) = result && how < 3 && at >= 4 && file.len() > at {
            let whole: Vec<u8> = all.into_iter().flat_map(|(_, bytes)| bytes).collect();
            prop_assert!(whole == content || content.starts_with(&whole));
        }
    }
}
