//! What objects promise.

use std::io::{Read, Seek, SeekFrom};

use pipeline::object::ObjectVersion;
use pipeline::ports::{Error, Objects, Opened, Writing};
use pipeline::sha256::Sha256;

use super::{Check, ObjectsHome, checks};

/// All promises.
pub const CHECKS: &[(&str, Check<dyn ObjectsHome>)] = checks![
    bytes_come_back,
    bytes_are_the_same_each_time,
    reads_follow_seeks,
    a_version_that_is_not_there_is_not_found,
    nothing_is_visible_before_finish,
    what_is_dropped_leaves_nothing,
    what_is_dropped_leaves_what_was_there,
    the_same_bytes_are_the_same_version,
    other_bytes_are_another_version,
    every_key_is_its_own_object,
    every_bucket_is_its_own,
    writings_of_one_key_do_not_mix,
    what_is_finished_survives_a_restart,
    threads_do_not_disturb_each_other,
];

type Make<'a> = &'a dyn Fn() -> Box<dyn ObjectsHome>;

/// The bucket of nearly everything.
const BUCKET: &str = "contract";

/// Sizes around those at which stores change how they keep an object.
const SIZES: [usize; 12] =
    [0, 1, 999, 4096, 65_535, 65_536, 65_537, 131_073, 1 << 20, (1 << 20) + 1, 3_000_001, 8 << 20];

/// Keys that senders use, and some that would harm a careless store.
fn keys() -> Vec<String> {
    let plain = [
        "a",
        "A",
        "a/b",
        "a//b",
        "a/b/",
        "/a",
        "/",
        "//",
        "a/./b",
        "./a",
        "../x",
        "x",
        "a/../x",
        "..",
        ".",
        "~",
        "-rf",
        "a+b c(1)é/2024:01.csv",
        "a%2Fb",
        "a%20b",
        "a b",
        "a+b",
        " a",
        "a ",
        "a\\b",
        "C:\\x",
        "con",
        "a\"'`$(x)&;|<>*?b",
        "é",
        "e\u{301}",
        "日本/🦀.csv",
        "a\tb",
        "a\nb",
        "\u{1}",
        "\u{7f}",
        "a.tmp",
        ".a",
        "a#b?c=d",
        "a\u{feff}",
    ];
    let mut keys: Vec<String> = plain.iter().map(|key| (*key).to_owned()).collect();
    // one part that is longer than the name of a file may be, many parts, and parts of more bytes than characters
    keys.extend([
        "k".repeat(1024),
        "k".repeat(1023),
        "d/".repeat(512),
        "é".repeat(512),
        format!("{}/x", "k".repeat(300)),
    ]);
    keys
}

/// Bytes that differ from place to place and from seed to seed.
fn pattern(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut made = Vec::with_capacity(bytes + 8);
    while made.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        made.extend_from_slice(&state.to_le_bytes());
    }
    made.truncate(bytes);
    made
}

#[track_caller]
fn begin(objects: &dyn Objects, key: &str) -> Box<dyn Writing> {
    objects.create(BUCKET, key).unwrap_or_else(|error| panic!("{key:?} is not begun: {error}"))
}

#[track_caller]
fn write(objects: &dyn Objects, key: &str, bytes: &[u8]) -> ObjectVersion {
    write_in(objects, BUCKET, key, bytes)
}

#[track_caller]
fn write_in(objects: &dyn Objects, bucket: &str, key: &str, bytes: &[u8]) -> ObjectVersion {
    let mut writing = objects.create(bucket, key).unwrap_or_else(|error| panic!("{key:?} is not begun: {error}"));
    writing.write_all(bytes).unwrap_or_else(|error| panic!("{key:?} is not written: {error}"));
    let version = writing.finish().unwrap_or_else(|error| panic!("{key:?} is not finished: {error}"));
    assert_eq!((version.bucket.as_str(), version.key.as_str()), (bucket, key), "it is where it was begun");
    assert!(!version.version.is_empty(), "{key:?} has a version");
    version
}

/// The version that this object has in any store.
fn version_of(make: Make<'_>, key: &str, bytes: &[u8]) -> ObjectVersion {
    write(make().objects(), key, bytes)
}

#[track_caller]
fn open(objects: &dyn Objects, object: &ObjectVersion) -> Opened {
    objects.open(object).unwrap_or_else(|error| panic!("{:?} is not opened: {error}", object.key))
}

/// Everything in it, with what the store says about it looked at.
#[track_caller]
fn read(objects: &dyn Objects, object: &ObjectVersion) -> Vec<u8> {
    let mut opened = open(objects, object);
    let mut bytes = Vec::new();
    opened.input.read_to_end(&mut bytes).unwrap_or_else(|error| panic!("{:?} is not read: {error}", object.key));
    assert_eq!(opened.bytes, bytes.len() as u64, "{:?} has as many bytes as were told", object.key);
    if let Some(told) = opened.sha256 {
        let mut digest = Sha256::default();
        digest.update(&bytes);
        assert_eq!(told, digest.finish(), "the sha256 of {:?} is as it was told", object.key);
    }
    bytes
}

#[track_caller]
fn expect_bytes(objects: &dyn Objects, object: &ObjectVersion, expected: &[u8]) {
    let bytes = read(objects, object);
    // megabytes in a message tell nobody anything
    assert!(bytes == expected, "{:?} gives {} bytes that are not the {}", object.key, bytes.len(), expected.len());
}

#[track_caller]
fn expect_none(objects: &dyn Objects, object: &ObjectVersion) {
    match objects.open(object) {
        Err(Error::NotFound(named)) => assert_eq!(&named, object, "the error names what is not there"),
        Err(other) => panic!("{object:?} is not there, which is no outage: {other}"),
        Ok(_) => panic!("{object:?} is there"),
    }
}

fn bytes_come_back(make: Make<'_>) {
    let home = make();
    let objects = home.objects();
    let all: Vec<_> = SIZES.iter().map(|&size| pattern(size as u64, size)).collect();
    let mut versions = Vec::new();
    for bytes in &all {
        let key = format!("size/{}", bytes.len());
        let mut writing = begin(objects, &key);
        // pieces of every length, empty ones too, and flushes between them
        let (mut rest, mut piece) = (bytes.as_slice(), 0);
        while !rest.is_empty() {
            let (now, later) = rest.split_at(piece.min(rest.len()));
            writing.write_all(now).unwrap_or_else(|error| panic!("{key} is not written: {error}"));
            writing.flush().unwrap_or_else(|error| panic!("{key} is not flushed: {error}"));
            (rest, piece) = (later, piece * 3 + 1);
        }
        versions.push(writing.finish().unwrap_or_else(|error| panic!("{key} is not finished: {error}")));
    }
    for (version, bytes) in versions.iter().zip(&all) {
        expect_bytes(objects, version, bytes);
    }
}

fn bytes_are_the_same_each_time(make: Make<'_>) {
    let home = make();
    let objects = home.objects();
    for size in [10, 60_000, 200_000] {
        let (old, new) = (pattern(1, size), pattern(2, size + 7));
        let version = write(objects, "k", &old);
        let (mut first, mut second) = (open(objects, &version), open(objects, &version));
        let mut half = vec![0; size / 2];
        first.input.read_exact(&mut half).expect("half of it can be read");
        assert!(half == old[..size / 2], "the first half is that of the version that was opened");
        let newer = write(objects, "k", &new);
        for (opened, at) in [(&mut first, size / 2), (&mut second, 0)] {
            let mut rest = Vec::new();
            opened.input.read_to_end(&mut rest).expect("the rest can be read");
            assert!(rest == old[at..], "an open version does not change when a newer one is written");
        }
        expect_bytes(objects, &version, &old);
        expect_bytes(objects, &newer, &new);
        expect_bytes(objects, &version, &old);
    }
}

fn reads_follow_seeks(make: Make<'_>) {
    let home = make();
    let objects = home.objects();
    for size in [5_000, 5_000_000] {
        let bytes = pattern(3, size);
        let version = write(objects, &format!("seek/{size}"), &bytes);
        let mut input = open(objects, &version).input;
        let end = size as u64;
        let places = [0, 1, end / 2, end - 1, end, end / 3, 4096, 4095, end - 70_000_u64.min(end), 0, end + 10, 2];
        for (index, place) in places.into_iter().enumerate() {
            let at = input.stream_position().expect("the place is known");
            let to = match index % 3 {
                0 => SeekFrom::Start(place),
                1 => SeekFrom::End(place as i64 - end as i64),
                _ => SeekFrom::Current(place as i64 - at as i64),
            };
            assert_eq!(input.seek(to).expect("a seek works"), place, "{to:?} from {at} of {size}");
            // what is read here is short of the end, or reaches it
            let wanted = [1, 100, 70_000][index % 3];
            let mut found = Vec::new();
            input.by_ref().take(wanted).read_to_end(&mut found).expect("it can be read");
            let from = size.min(place as usize);
            let expected = &bytes[from..size.min(from + wanted as usize)];
            assert!(found == expected, "{} bytes at {place} of {size} are those that are there", expected.len());
        }
        assert!(input.seek(SeekFrom::Current(-(end as i64) - 100_000)).is_err(), "nothing is before the first byte");
    }
}

fn a_version_that_is_not_there_is_not_found(make: Make<'_>) {
    let home = make();
    let objects = home.objects();
    let there = write(objects, "a/b", b"there");
    let other = version_of(make, "a/b", b"another");
    expect_none(objects, &other);
    for (bucket, key, version) in [
        (BUCKET, "a/b", "0"),
        (BUCKET, "a", there.version.as_str()),
        (BUCKET, "a/b/", &there.version),
        (BUCKET, "a/b/c", &there.version),
        ("contract-other", "a/b", &there.version),
        (BUCKET, "a/b", "../../x"),
        (BUCKET, "a/b", &"v".repeat(1024)),
    ] {
        let object = ObjectVersion { bucket: bucket.into(), key: key.into(), version: version.into() };
        expect_none(objects, &object);
    }
    expect_bytes(objects, &there, b"there");
}

fn nothing_is_visible_before_finish(make: Make<'_>) {
    for size in [0, 10, 300_000] {
        let bytes = pattern(4, size);
        let version = version_of(make, "k", &bytes);
        let home = make();
        let objects = home.objects();
        let mut writing = begin(objects, "k");
        expect_none(objects, &version);
        writing.write_all(&bytes).expect("it can be written");
        expect_none(objects, &version);
        writing.flush().expect("it can be flushed");
        expect_none(objects, &version);
        assert_eq!(writing.finish().expect("it is finished"), version, "its version follows from key and content");
        expect_bytes(objects, &version, &bytes);
    }
}

fn what_is_dropped_leaves_nothing(make: Make<'_>) {
    for size in [0, 10, 300_000] {
        let bytes = pattern(5, size);
        let version = version_of(make, "k", &bytes);
        let mut home = make();
        for is_flushed in [false, true] {
            let mut writing = begin(home.objects(), "k");
            writing.write_all(&bytes).expect("it can be written");
            if is_flushed {
                writing.flush().expect("it can be flushed");
            }
            drop(writing);
            expect_none(home.objects(), &version);
            home.restart();
            expect_none(home.objects(), &version);
        }
        assert_eq!(write(home.objects(), "k", &bytes), version, "it can still be written");
        expect_bytes(home.objects(), &version, &bytes);
    }
}

fn what_is_dropped_leaves_what_was_there(make: Make<'_>) {
    let mut home = make();
    for size in [10, 300_000] {
        let bytes = pattern(6, size);
        let version = write(home.objects(), "k", &bytes);
        for other in [bytes.clone(), pattern(7, size)] {
            let mut writing = begin(home.objects(), "k");
            writing.write_all(&other).expect("it can be written");
            drop(writing);
            expect_bytes(home.objects(), &version, &bytes);
        }
        home.restart();
        expect_bytes(home.objects(), &version, &bytes);
    }
}

fn the_same_bytes_are_the_same_version(make: Make<'_>) {
    let mut home = make();
    for size in [0, 10, 65_536, 300_000] {
        let bytes = pattern(8, size);
        let key = format!("same/{size}");
        let version = write(home.objects(), &key, &bytes);
        assert_eq!(write(home.objects(), &key, &bytes), version, "the same bytes again are the same version");
        let mut writing = begin(home.objects(), &key);
        for piece in bytes.chunks(1000) {
            writing.write_all(piece).expect("it can be written");
        }
        assert_eq!(writing.finish().expect("it is finished"), version, "in how many pieces it came does not matter");
        home.restart();
        assert_eq!(write(home.objects(), &key, &bytes), version, "a restart does not matter");
        assert_eq!(version_of(make, &key, &bytes), version, "where it is kept does not matter");
        expect_bytes(home.objects(), &version, &bytes);
    }
}

fn other_bytes_are_another_version(make: Make<'_>) {
    let home = make();
    let objects = home.objects();
    let mut contents = vec![Vec::new(), vec![0], vec![0, 0], b"a".to_vec(), b"b".to_vec()];
    for size in [65_537, 300_000] {
        // one bit at either end, and one byte less
        let bytes = pattern(9, size);
        let (mut first, mut last) = (bytes.clone(), bytes.clone());
        first[0] ^= 1;
        last[size - 1] ^= 128;
        contents.extend([bytes[1..].to_vec(), bytes[..size - 1].to_vec(), bytes, first, last]);
    }
    let versions: Vec<_> = contents.iter().map(|bytes| write(objects, "k", bytes)).collect();
    for (index, version) in versions.iter().enumerate() {
        assert!(!versions[..index].contains(version), "other bytes are another version: number {index} is not");
    }
    for (version, bytes) in versions.iter().zip(&contents) {
        expect_bytes(objects, version, bytes);
    }
}

fn every_key_is_its_own_object(make: Make<'_>) {
    let mut home = make();
    let keys = keys();
    // some are kept as small objects, some as large ones
    let content = |(index, key): (usize, &String)| {
        let times = if index.is_multiple_of(2) { 1 } else { 70_000 / key.len() };
        key.as_bytes().repeat(times)
    };
    let contents: Vec<Vec<u8>> = keys.iter().enumerate().map(content).collect();
    let versions: Vec<_> = keys.iter().zip(&contents).map(|(key, bytes)| write(home.objects(), key, bytes)).collect();
    for _ in 0..2 {
        for (version, bytes) in versions.iter().zip(&contents) {
            expect_bytes(home.objects(), version, bytes);
        }
        home.restart();
    }
    // the same bytes under every key are still an object of each
    for size in [20, 70_000] {
        let bytes = pattern(10, size);
        let versions: Vec<_> = keys.iter().map(|key| write(home.objects(), key, &bytes)).collect();
        for version in versions {
            expect_bytes(home.objects(), &version, &bytes);
        }
    }
}

fn every_bucket_is_its_own(make: Make<'_>) {
    let home = make();
    let objects = home.objects();
    for size in [20, 70_000] {
        let (one, two) = (pattern(11, size), pattern(12, size));
        let first = write_in(objects, "contract", "k/x", &one);
        let second = write_in(objects, "contract-other", "k/x", &two);
        let in_second = ObjectVersion { bucket: second.bucket.clone(), ..first.clone() };
        expect_none(objects, &in_second);
        expect_bytes(objects, &first, &one);
        expect_bytes(objects, &second, &two);
    }
}

fn writings_of_one_key_do_not_mix(make: Make<'_>) {
    let home = make();
    let objects = home.objects();
    for size in [1_000, 200_000] {
        let contents = [pattern(13, size), pattern(14, size), pattern(13, size)];
        let mut writings: Vec<_> = contents.iter().map(|_| begin(objects, "k")).collect();
        for at in (0..size).step_by(997) {
            for (writing, bytes) in writings.iter_mut().zip(&contents) {
                writing.write_all(&bytes[at..size.min(at + 997)]).expect("it can be written");
            }
        }
        let versions: Vec<_> = writings.into_iter().map(|writing| writing.finish().expect("it is finished")).collect();
        assert_eq!(versions[0], versions[2], "the same bytes at the same time are the same version");
        assert_ne!(versions[0], versions[1], "other bytes at the same time are another version");
        for (version, bytes) in versions.iter().zip(&contents) {
            expect_bytes(objects, version, bytes);
        }
    }
}

fn what_is_finished_survives_a_restart(make: Make<'_>) {
    let mut home = make();
    let mut written: Vec<(ObjectVersion, Vec<u8>)> = Vec::new();
    for round in 0..3 {
        for size in [0, 100, 65_536, 65_537, 1 << 20] {
            let bytes = pattern(15 + round, size);
            let version = write(home.objects(), &format!("durable/{size}"), &bytes);
            written.push((version, bytes));
        }
        home.restart();
        for (version, bytes) in &written {
            expect_bytes(home.objects(), version, bytes);
        }
    }
}

fn threads_do_not_disturb_each_other(make: Make<'_>) {
    let home = make();
    let objects = home.objects();
    let shared = pattern(20, 100_000);
    let own = |thread: u64, round: usize| pattern(100 + thread, [50, 70_000][round % 2]);
    let work = |thread: u64| {
        let mut written = Vec::new();
        for round in 0..6 {
            let version = write(objects, "threads/own", &own(thread, round));
            // all of them write this one, at the same time
            let common = write(objects, &format!("threads/{round}"), &shared);
            expect_bytes(objects, &version, &own(thread, round));
            expect_bytes(objects, &common, &shared);
            written.push((version, common));
        }
        written
    };
    let all: Vec<Vec<_>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                scope.spawn({
                    let work = &work;
                    move || work(thread)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("what a thread wrote is what it reads")).collect()
    });
    for (thread, written) in all.iter().enumerate() {
        for (round, (version, common)) in written.iter().enumerate() {
            expect_bytes(objects, version, &own(thread as u64, round));
            assert_eq!(common, &all[0][round].1, "the same bytes from every thread are the same version");
        }
    }
}
