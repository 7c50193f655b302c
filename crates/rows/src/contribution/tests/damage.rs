//! What is not what was written is an error, and what says it is makes no reader panic.

use proptest::prelude::*;
use proptest::sample::Index;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::*;

/// Reads everything there is.
fn read(bytes: Vec<u8>) -> Result<usize> {
    let reader = Reader::open(Box::new(Cursor::new(bytes)))?;
    Ok(merged(vec![Part { reader, counts: true }], None, &Filter::default())?.len())
}

/// A contribution of one block, and where its block ends.
fn small(kind: Kind, rows: &[Row]) -> (Vec<u8>, usize) {
    let (bytes, _) = contributed(kind, rows, &settings(Interval::M1, "Europe/Berlin"));
    let trailer = bytes.len() - 24;
    let footer = u64::from_le_bytes(*bytes[trailer..].first_chunk().unwrap()) as usize;
    (bytes, (trailer - footer).saturating_sub(8))
}

proptest! {
    #[test]
    fn any_changed_byte_is_noticed((kind, rows) in any_rows(), place: Index, change in 1u8..) {
        let (mut bytes, _) = small(kind, &rows);
        let place = place.index(bytes.len());
        bytes[place] ^= change;
        let read = read(bytes);
        prop_assert!(matches!(&read, Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::InvalidData), "{read:?}");
    }

    #[test]
    fn a_part_of_a_contribution_is_none((kind, rows) in any_rows(), place: Index) {
        let (bytes, _) = small(kind, &rows);
        let place = place.index(bytes.len());
        prop_assert!(read(bytes[..place].to_vec()).is_err());
        prop_assert!(read(bytes[place + 1..].to_vec()).is_err());
    }

    #[test]
    fn what_was_sealed_after_the_change_does_not_panic(
        (kind, rows) in any_rows(), changes in prop::collection::vec(any::<(Index, u8)>(), 1..4), in_footer: bool,
    ) {
        let (mut bytes, end) = small(kind, &rows);
        let trailer = bytes.len() - 24;
        let range = if in_footer || rows.is_empty() { end + 8..trailer } else { 8..end };
        for (place, value) in changes {
            let place = range.start + place.index(range.len());
            bytes[place] = value;
        }
        if !rows.is_empty() {
            let block = xxh3_64_with_seed(&bytes[8..end], 0);
            bytes[end..end + 8].copy_from_slice(&block.to_le_bytes());
        }
        let footer = u64::from_le_bytes(*bytes[trailer..].first_chunk().unwrap()) as usize;
        let checksum = xxh3_64(&bytes[trailer - footer..trailer]);
        bytes[trailer + 8..trailer + 16].copy_from_slice(&checksum.to_le_bytes());
        let _ = read(bytes);
    }

    #[test]
    fn any_bytes_are_no_contribution(bytes: Vec<u8>) {
        prop_assert!(read(bytes.clone()).is_err());
        let framed = [b"MRCTRB01".as_slice(), &bytes, b"MRCTRB01"].concat();
        prop_assert!(read(framed).is_err());
    }
}
