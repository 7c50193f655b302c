//! Unpacking: whatever the bytes say of themselves, they come out the same however they are read, or are refused.

use std::io::Cursor;
use std::sync::atomic::Ordering;

use rows::source::Source;
use rows::text::{Encoding, ToUtf8};
use rows::time::Interval;
use rows::{Error, unpack as rows_unpack};

use super::whole::{Way, same_in_all, told};

/// Unpacked bytes that are compared; what is longer is only begun.
const BYTES_MAX: usize = 1024 * 1024;
const ENCODINGS: [&str; 7] = ["utf-8", "latin-1", "windows-1252", "utf-16le", "utf-16be", "shift_jis", "gb18030"];

/// A file; its last byte also chooses the declared encoding and how it is read.
pub fn unpack(file: &[u8]) {
    let Some(&choice) = file.last() else { return };
    let declared = ENCODINGS.get(usize::from(choice % 8)).and_then(|label| Encoding::named(label));
    let at_once = contents(file, declared, 256 * 1024);
    let in_bits = contents(file, declared, 1 + usize::from(choice / 8));
    assert_eq!(in_bits.len(), at_once.len());
    for (bits, whole) in in_bits.iter().zip(&at_once) {
        assert_eq!((&bits.name, &bits.refusal), (&whole.name, &whole.refusal));
        // How much of what is refused comes out before it is, hangs on how it is read.
        let both = bits.bytes.len().min(whole.bytes.len());
        assert_eq!(bits.bytes[..both], whole.bytes[..both]);
        assert!(whole.refusal.is_some() || bits.bytes.len() == whole.bytes.len());
    }
    if at_once.iter().map(|part| part.bytes.len()).sum::<usize>() >= BYTES_MAX {
        return;
    }
    let chopped = Way { read_bytes: 1 + usize::from(choice / 8), ..Way::PLAIN };
    if at_once.iter().all(|part| part.refusal.is_none()) {
        same_in_all(file, None, Interval::M1, &[chopped]);
    } else {
        let refusals = [Way::PLAIN, chopped].map(|way| told(file, None, Interval::M1, way).refusal);
        assert!(refusals[0].is_some() && refusals[0] == refusals[1], "{refusals:?}");
    }
}

#[derive(Debug, Default, PartialEq)]
struct Content {
    name: Option<String>,
    bytes: Vec<u8>,
    refusal: Option<&'static str>,
}

/// All parts as UTF-8, to the first refusal.
fn contents(file: &[u8], declared: Option<Encoding>, read_bytes: usize) -> Vec<Content> {
    let mut contents = Vec::new();
    let mut parts = match rows_unpack::open(Box::new(Cursor::new(file.to_vec())), None) {
        Ok(parts) => parts,
        Err(error) => return vec![Content { refusal: refusal(error), ..Content::default() }],
    };
    let (progress, input_bytes) = (parts.progress(), parts.input_bytes());
    let mut room = BYTES_MAX;
    loop {
        let mut part = match parts.next() {
            Ok(Some(part)) => part,
            Ok(None) => {
                assert_eq!(progress.load(Ordering::Relaxed), input_bytes);
                return contents;
            }
            Err(error) => {
                contents.push(Content { refusal: refusal(error), ..Content::default() });
                return contents;
            }
        };
        let mut content = Content { name: part.name.take(), ..Content::default() };
        let mut text = ToUtf8::new(part.bytes, declared);
        let mut into = vec![0; read_bytes];
        while content.bytes.len() < room {
            match text.read(&mut into) {
                Ok(0) => break,
                Ok(count) => content.bytes.extend_from_slice(&into[..count]),
                Err(error) => {
                    content.refusal = refusal(error);
                    break;
                }
            }
        }
        content.bytes.truncate(room);
        room -= content.bytes.len();
        let is_over = room == 0 || content.refusal.is_some();
        contents.push(content);
        if is_over {
            return contents;
        }
    }
}

fn refusal(error: Error) -> Option<&'static str> {
    match error {
        Error::Refused(refusal) => {
            assert!(!refusal.message.is_empty());
            Some(refusal.code)
        }
        Error::Io(error) => panic!("memory can always be read: {error}"),
    }
}
