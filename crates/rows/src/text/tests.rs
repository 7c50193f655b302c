//! Every encoding in, UTF-8 out, whatever the sizes of the reads; and back.

use proptest::prelude::*;

use super::{Encoding, ToUtf8};
use crate::source::Source;
use crate::{Error, Result};

/// Gives `bytes` in pieces of the given sizes, over and over.
struct Pieces<'a> {
    bytes: &'a [u8],
    sizes: Vec<usize>,
    turn: usize,
}

impl Source for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()];
        self.turn += 1;
        let count = size.min(into.len()).min(self.bytes.len());
        into[..count].copy_from_slice(&self.bytes[..count]);
        self.bytes = &self.bytes[count..];
        Ok(count)
    }
}

/// The UTF-8 of `bytes` and the encoding found, read in `sizes` and asked for in `wants`.
fn decode_by(
    bytes: &[u8],
    declared: Option<Encoding>,
    sizes: &[usize],
    wants: &[usize],
) -> Result<(Vec<u8>, Option<Encoding>)> {
    let mut text = ToUtf8::new(Pieces { bytes, sizes: sizes.to_vec(), turn: 0 }, declared);
    assert_eq!(text.encoding(), None);
    let mut all = Vec::new();
    for turn in 0.. {
        let mut into = vec![0; wants[turn % wants.len()]];
        match text.read(&mut into)? {
            0 => break,
            count => all.extend_from_slice(&into[..count]),
        }
    }
    assert_eq!(text.read(&mut [0; 8])?, 0, "the end stays the end");
    Ok((all, text.encoding()))
}

fn decode(bytes: &[u8], declared: Option<Encoding>) -> (Vec<u8>, Option<Encoding>) {
    decode_by(bytes, declared, &[usize::MAX], &[100_000]).expect("it is not refused")
}

#[track_caller]
fn check(bytes: &[u8], declared: Option<&str>, text: impl AsRef<[u8]>, found: &str) {
    let declared = declared.map(|label| Encoding::named(label).expect("a known label"));
    let (decoded, encoding) = decode(bytes, declared);
    assert_eq!(decoded, text.as_ref(), "{}", String::from_utf8_lossy(&decoded));
    assert_eq!(encoding.map(|encoding| encoding.name()), Some(found));
}

#[track_caller]
fn check_refused(bytes: &[u8], declared: Option<&str>) -> String {
    let declared = declared.and_then(Encoding::named);
    match decode_by(bytes, declared, &[3], &[5]) {
        Err(Error::Refused(refusal)) => {
            assert_eq!(refusal.code, "unsupported_encoding");
            format!("{}; {}", refusal.message, refusal.hint)
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn utf8_passes_untouched() {
    check(b"", None, b"", "utf-8");
    check(b"a", None, b"a", "utf-8");
    check(b"a,b\xff\xfe\xc3\n\0\0", None, b"a,b\xff\xfe\xc3\n\0\0", "utf-8");
    let long = "price,größe\n".repeat(10_000);
    check(long.as_bytes(), Some("utf-8"), &long, "utf-8");
}

#[test]
fn a_mark_decides_and_is_dropped() {
    check(b"\xef\xbb\xbfid\n", None, b"id\n", "utf-8");
    check(b"\xef\xbb\xbfid\n", Some("windows-1252"), b"id\n", "utf-8");
    check(b"\xef\xbb\xbf\xef\xbb\xbfid\n", None, b"\xef\xbb\xbfid\n", "utf-8");
    check(b"\xef\xbb\xbf", None, b"", "utf-8");
    check(b"\xef\xbb", None, b"\xef\xbb", "utf-8");
    check(b"\xff\xfei\0d\0\xac\x20", None, "id€", "utf-16le");
    check(b"\xfe\xff\0i\0d\x20\xac", Some("utf-8"), "id€", "utf-16be");
    check(b"\xff\xfe", None, b"", "utf-16le");
}

#[test]
fn other_marks_and_unmarked_utf16_are_refused() {
    assert!(check_refused(b"\xff\xfe\0\0a\0\0\0", None).contains("UTF-32"));
    assert!(check_refused(b"\0\0\xfe\xff\0\0\0a", Some("utf-8")).contains("UTF-32"));
    assert!(check_refused(b"i\0d\0,\0a\0\n\0", None).contains("set the encoding to \"utf-16le\""));
    assert!(check_refused(b"\0i\0d\0,\0a\0\n", None).contains("set the encoding to \"utf-16be\""));
    // Said, so not guessed.
    check(b"i\0d\0,\0a\0\n\0", Some("utf-16"), b"id,a\n", "utf-16le");
    check(b"i\0d\0,\0a\0\n\0", Some("utf-8"), b"i\0d\0,\0a\0\n\0", "utf-8");
    // Zeros in rows are the rows' fault.
    check(b"id,a\n\0\0\0\0\0\0\0\0", None, b"id,a\n\0\0\0\0\0\0\0\0", "utf-8");
    check(b"a\0b\0", None, b"a\0b\0", "utf-8");
}

#[test]
fn latin_1_is_not_windows_1252() {
    check(b"\x80\x93\x9f\xe9,1", Some("latin-1"), "\u{80}\u{93}\u{9f}é,1", "iso-8859-1");
    check(b"\x80\x93\x9f\xe9,1", Some("windows-1252"), "€“Ÿé,1", "windows-1252");
}

#[test]
fn others_are_decoded() {
    check(b"\x93\xfa\x96{,1\n", Some("shift_jis"), "日本,1\n", "Shift_JIS");
    check(b"\xc4\xe3\xba\xc3\n", Some("gbk"), "你好\n", "GBK");
    check(b"\xcf\xf0\xe8", Some("windows-1251"), "При", "windows-1251");
}

#[test]
fn what_is_malformed_becomes_one_bad_byte_and_spares_the_rest() {
    // The line break after a cut character stays a line break.
    check(b"\x93\n1", Some("shift_jis"), b"\xff\n1", "Shift_JIS");
    check(b"a\0\x00\xd8b\0", Some("utf-16le"), b"a\xffb", "utf-16le");
    check(b"a\0b", Some("utf-16le"), b"a\xff", "utf-16le");
    check(b"\0a\xdc\x00\0b", Some("utf-16be"), b"a\xffb", "utf-16be");
    let many = b"\xd8\x00".repeat(50_000);
    check(&many, Some("utf-16be"), [0xff; 50_000], "utf-16be");
}

#[test]
fn labels() {
    for (label, name) in [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf_8_sig", "utf-8"),
        ("ascii", "utf-8"),
        ("utf-16", "utf-16le"),
        ("utf_16_be", "utf-16be"),
        ("utf-16le", "utf-16le"),
        ("Latin-1", "iso-8859-1"),
        ("latin_1", "iso-8859-1"),
        ("ISO_8859-1", "iso-8859-1"),
        ("iso-8859-15", "ISO-8859-15"),
        ("cp1252", "windows-1252"),
        ("sjis", "Shift_JIS"),
        ("cp932", "Shift_JIS"),
        ("gb2312", "GBK"),
        ("euc_jp", "EUC-JP"),
        (" big5 ", "Big5"),
    ] {
        let encoding = Encoding::named(label).unwrap_or_else(|| panic!("{label} is known"));
        assert_eq!(encoding.name(), name, "{label}");
        assert_eq!(Encoding::named(name), Some(encoding), "{name} names itself");
    }
    for label in ["", "utf-7", "utf-32", "ebcdic", "hz-gb-2312", "replacement"] {
        assert_eq!(Encoding::named(label), None, "{label}");
    }
}

#[track_caller]
fn check_encoded(label: &str, utf8: &[u8], expected: &[u8]) {
    let mut into = b"before".to_vec();
    Encoding::named(label).expect("a known label").encode(utf8, &mut into);
    assert_eq!(into.strip_prefix(b"before"), Some(expected), "{label}");
}

#[test]
fn rejects_go_back_as_they_came() {
    check_encoded("utf-8", b"a\xff\xc3", b"a\xff\xc3");
    check_encoded("utf-16le", "a€😀".as_bytes(), b"a\0\xac\x20\x3d\xd8\x00\xde");
    check_encoded("utf-16be", b"a\xffb", b"\0a\xdc\0\0b");
    check_encoded("utf-16le", b"a\xffb", b"a\0\0\xdcb\0");
    check_encoded("latin-1", "é\u{80}€".as_bytes(), b"\xe9\x80?");
    check_encoded("windows-1252", "é€日".as_bytes(), b"\xe9\x80?");
    check_encoded("shift_jis", "日本é\n".as_bytes(), b"\x93\xfa\x96{\xff\n");
    check_encoded("iso-2022-jp", "日😀".as_bytes(), b"\x1b$BF|\x1b(B\xff");
    check_encoded("windows-1257", "ā日".as_bytes(), b"\xe2\xa5");
    check_encoded("gb18030", "日".repeat(1000).as_bytes(), &b"\xc8\xd5".repeat(1000));
}

const LABELS: [&str; 12] = [
    "utf-8",
    "utf-16le",
    "utf-16be",
    "latin-1",
    "windows-1252",
    "shift_jis",
    "gbk",
    "gb18030",
    "big5",
    "euc-kr",
    "iso-2022-jp",
    "x-user-defined",
];

/// Encodings in which some bytes mean nothing.
const MALFORMED_LABELS: [&str; 13] = [
    "utf-16le",
    "utf-16be",
    "shift_jis",
    "gbk",
    "gb18030",
    "big5",
    "euc-kr",
    "euc-jp",
    "iso-2022-jp",
    "windows-1253",
    "windows-1257",
    "iso-8859-7",
    "windows-874",
];

proptest! {
    #[test]
    fn the_sizes_of_reads_do_not_matter(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        label in proptest::sample::select(&LABELS[..]),
        sizes in proptest::collection::vec(1_usize..90, 1..6),
        wants in proptest::collection::vec(1_usize..90, 1..6),
    ) {
        // What begins with a mark of UTF-32 is refused either way.
        let declared = Encoding::named(label);
        let whole = decode_by(&bytes, declared, &[usize::MAX], &[100_000]).ok();
        let split = decode_by(&bytes, declared, &sizes, &wants).ok();
        prop_assert_eq!(whole, split);
    }

    #[test]
    fn what_is_encoded_is_decoded_again(
        text in "[a-z,\"\n\u{a0}-\u{ff}]{0,200}",
        label in proptest::sample::select(&["utf-8", "utf-16le", "utf-16be", "latin-1", "gb18030"][..]),
    ) {
        let encoding = Encoding::named(label).expect("a known label");
        let mut bytes = encoding.mark().to_vec();
        encoding.encode(text.as_bytes(), &mut bytes);
        let (decoded, found) = decode(&bytes, Some(encoding));
        prop_assert_eq!(decoded, text.into_bytes());
        prop_assert_eq!(found, Some(encoding));
    }

    #[test]
    fn what_is_malformed_stays_malformed_and_spares_the_rest(
        parts in proptest::collection::vec("[a-z,\"|@~\n]{0,5}", 1..5),
        label in proptest::sample::select(&MALFORMED_LABELS[..]),
    ) {
        let encoding = Encoding::named(label).expect("a known label");
        let text = parts.join("\u{0}").into_bytes().into_iter().map(|byte| if byte == 0 { 0xff } else { byte });
        let text: Vec<u8> = text.collect();
        let mut bytes = encoding.mark().to_vec();
        encoding.encode(&text, &mut bytes);
        prop_assert_eq!(decode(&bytes, Some(encoding)).0, text);
    }

    #[test]
    fn anything_can_be_encoded(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        label in proptest::sample::select(&LABELS[..]),
    ) {
        let mut into = Vec::new();
        Encoding::named(label).expect("a known label").encode(&bytes, &mut into);
        prop_assert!(into.len() >= bytes.len() / 4);
    }
}
