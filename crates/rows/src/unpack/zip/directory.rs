//! The directory at the end of a zip file (APPNOTE 4.3.12 to 4.3.16), with its 64-bit form.

use crate::limits::{ZIP_MEMBERS_MAX, ZIP_NAME_BYTES_MAX};
use crate::{Refusal, Result};

use super::super::packed::Packed;
use super::Member;

const END_BYTES: usize = 22;
const END64_LOCATOR_BYTES: u64 = 20;
const END64_BYTES: usize = 56;
const ENTRY_BYTES: usize = 46;
const LOCAL_HEADER_BYTES: u64 = 30;
/// In a field of the 32-bit form: look into the 64-bit form.
const MARK: u64 = 0xffff_ffff;

/// The upper half of code page 437, which names are in unless they are UTF-8.
const CODE_PAGE_437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
                             └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// Where the directory lies and how many entries it has.
struct Place {
    offset: u64,
    bytes: u64,
    entries: u64,
}

/// All entries, in their order. `length` is that of the file.
pub(in super::super) fn read(packed: &mut Packed, length: u64) -> Result<Vec<Member>> {
    let place = find(packed, length)?;
    packed.narrow(place.offset, place.bytes)?;
    let mut members: Vec<Member> = Vec::new();
    let mut extra = Vec::new();
    while !packed.fill()?.is_empty() {
        if members.len() == ZIP_MEMBERS_MAX {
            let message = format!("the zip file has more than {ZIP_MEMBERS_MAX} members");
            return Err(Refusal::new("too_many_members", message, "send several smaller zip files").into());
        }
        members.push(read_entry(packed, &place, &mut extra)?);
    }
    if members.len() as u64 != place.entries {
        let why = format!("its directory has {} entries and should have {}", members.len(), place.entries);
        return Err(corrupt(&why).into());
    }
    check_overlaps(&members)?;
    Ok(members)
}

fn find(packed: &mut Packed, length: u64) -> Result<Place> {
    let tail_bytes = length.min(END_BYTES as u64 + u64::from(u16::MAX));
    let mut tail = vec![0; tail_bytes as usize];
    packed.narrow(length - tail_bytes, tail_bytes)?;
    if !packed.exact(&mut tail)? {
        return Err(truncated(length).into());
    }
    let Some(at) = find_end(&tail) else {
        return Err(truncated(length).into());
    };
    let end_offset = length - tail_bytes + at as u64;
    let mut end = Fields(&tail[at + 4..]);
    let (disk, directory_disk) = (end.u16(), end.u16());
    let (entries_here, entries) = (end.u16(), end.u16());
    let (bytes, offset) = (end.u32(), end.u32());
    let is_64 = [entries, disk, directory_disk].contains(&0xffff) || bytes == MARK || offset == MARK;
    if is_64 && let Some(place) = find_64(packed, end_offset)? {
        return Ok(place);
    }
    if disk != 0 || directory_disk != 0 || entries_here != entries {
        return Err(split().into());
    }
    check_place(Place { offset, bytes, entries }, end_offset)
}

/// The last end record whose comment fits behind it.
fn find_end(tail: &[u8]) -> Option<usize> {
    memchr::memmem::rfind_iter(tail, b"PK\x05\x06").find(|at| {
        let room = tail.len() - at;
        room >= END_BYTES && {
            let comment = u16::from_le_bytes([tail[at + 20], tail[at + 21]]);
            END_BYTES + usize::from(comment) <= room
        }
    })
}

/// The 64-bit end record, if there is one before the end record at `end_offset`.
fn find_64(packed: &mut Packed, end_offset: u64) -> Result<Option<Place>> {
    let Some(locator_offset) = end_offset.checked_sub(END64_LOCATOR_BYTES) else {
        return Ok(None);
    };
    let mut locator = [0; END64_LOCATOR_BYTES as usize];
    packed.narrow(locator_offset, END64_LOCATOR_BYTES)?;
    if !packed.exact(&mut locator)? || !locator.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    let mut fields = Fields(&locator[4..]);
    let (disk, record_offset, disks) = (fields.u32(), fields.u64(), fields.u32());
    if disk != 0 || disks > 1 {
        return Err(split().into());
    }
    let mut record = [0; END64_BYTES];
    if record_offset > locator_offset {
        return Err(corrupt("its 64-bit end record is not where it should be").into());
    }
    packed.narrow(record_offset, locator_offset - record_offset)?;
    if !packed.exact(&mut record)? || !record.starts_with(b"PK\x06\x06") {
        return Err(corrupt("its 64-bit end record is not where it should be").into());
    }
    let mut fields = Fields(&record[16..]);
    let (disk, directory_disk) = (fields.u32(), fields.u32());
    let (entries_here, entries) = (fields.u64(), fields.u64());
    let (bytes, offset) = (fields.u64(), fields.u64());
    if disk != 0 || directory_disk != 0 || entries_here != entries {
        return Err(split().into());
    }
    check_place(Place { offset, bytes, entries }, record_offset).map(Some)
}

fn check_place(place: Place, end_max: u64) -> Result<Place> {
    if place.offset.checked_add(place.bytes).is_none_or(|end| end > end_max) {
        return Err(corrupt("its directory does not lie within the file").into());
    }
    Ok(place)
}

fn read_entry(packed: &mut Packed, place: &Place, extra: &mut Vec<u8>) -> Result<Member> {
    let mut entry = [0; ENTRY_BYTES];
    if !packed.exact(&mut entry)? || !entry.starts_with(b"PK\x01\x02") {
        return Err(corrupt("its directory holds something that is not an entry").into());
    }
    let mut fields = Fields(&entry[8..]);
    let (flags, method) = (fields.u16(), fields.u16());
    let _modified = fields.u32();
    let checksum = fields.u32();
    let (packed_bytes, plain_bytes) = (fields.u32(), fields.u32());
    let (name_bytes, extra_bytes, comment_bytes) = (fields.u16(), fields.u16(), fields.u16());
    let mut fields = Fields(&entry[42..]);
    let header_offset = fields.u32();

    if name_bytes > ZIP_NAME_BYTES_MAX as u64 {
        let why = format!("the name of a member has {name_bytes} bytes, more than {ZIP_NAME_BYTES_MAX}");
        return Err(corrupt(&why).into());
    }
    let mut name = vec![0; name_bytes as usize];
    extra.resize(extra_bytes as usize, 0);
    if !packed.exact(&mut name)? || !packed.exact(extra)? || !packed.skip(comment_bytes as usize)? {
        return Err(corrupt("its directory ends inside an entry").into());
    }
    let mut member = Member {
        name: decode_name(name),
        method: method as u16,
        // Bit 0: this member; bit 13: the directory too.
        is_encrypted: flags & 0x2001 != 0,
        checksum: checksum as u32,
        packed_bytes,
        plain_bytes,
        header_offset,
        end_max: place.offset,
    };
    widen(&mut member, extra)?;
    if least_end(&member).is_none_or(|end| end > place.offset) {
        return Err(super::corrupt(&member, "its data does not lie before the directory").into());
    }
    Ok(member)
}

/// Takes the fields that the 32-bit form has no room for from the extra field of the 64-bit form.
fn widen(member: &mut Member, extra: &[u8]) -> Result<()> {
    let mut narrow: Vec<&mut u64> = [&mut member.plain_bytes, &mut member.packed_bytes, &mut member.header_offset]
        .into_iter()
        .filter(|field| **field == MARK)
        .collect();
    if narrow.is_empty() {
        return Ok(());
    }
    let mut rest = extra;
    while let Some((&[i0, i1, l0, l1], behind)) = rest.split_first_chunk() {
        let Some((field, behind)) = behind.split_at_checked(usize::from(u16::from_le_bytes([l0, l1]))) else {
            break;
        };
        rest = behind;
        if [i0, i1] == [1, 0] && field.len() >= narrow.len() * 8 {
            let mut fields = Fields(field);
            for value in &mut narrow {
                **value = fields.u64();
            }
            return Ok(());
        }
    }
    Err(super::corrupt(member, "its 64-bit sizes are missing").into())
}

/// Where the data of `member` ends if its local header has neither name nor extra field.
fn least_end(member: &Member) -> Option<u64> {
    member.header_offset.checked_add(LOCAL_HEADER_BYTES)?.checked_add(member.packed_bytes)
}

/// Members that share bytes are how a small zip unpacks to a huge one; no packer makes them.
fn check_overlaps(members: &[Member]) -> Result<()> {
    let mut ordered: Vec<&Member> = members.iter().collect();
    ordered.sort_by_key(|member| member.header_offset);
    for pair in ordered.windows(2) {
        if let [one, next] = pair
            && least_end(one).is_none_or(|end| end > next.header_offset)
        {
            let why = format!("its data overlaps that of {:?}", next.name);
            return Err(super::corrupt(one, &why).into());
        }
    }
    Ok(())
}

/// UTF-8 where it is that, flagged or not; else code page 437.
fn decode_name(name: Vec<u8>) -> String {
    String::from_utf8(name).unwrap_or_else(|error| {
        let upper: Vec<char> = CODE_PAGE_437.chars().collect();
        let decode = |byte: &u8| match byte.checked_sub(0x80) {
            None => char::from(*byte),
            Some(above) => upper.get(usize::from(above)).copied().unwrap_or(char::REPLACEMENT_CHARACTER),
        };
        error.as_bytes().iter().map(decode).collect()
    })
}

/// Little-endian numbers one after another. The caller has checked that they are there; what is missing reads as 0.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u16(&mut self) -> u64 {
        self.number::<2>()
    }

    fn u32(&mut self) -> u64 {
        self.number::<4>()
    }

    fn u64(&mut self) -> u64 {
        self.number::<8>()
    }

    fn number<const BYTES: usize>(&mut self) -> u64 {
        let Some((bytes, rest)) = self.0.split_first_chunk::<BYTES>() else {
            return 0;
        };
        self.0 = rest;
        bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

fn truncated(length: u64) -> Refusal {
    let message = format!("the zip file has no directory at its end (it ends at byte {length})");
    Refusal::new("truncated_zip", message, "the transfer was cut short: send the file again, whole")
}

fn corrupt(why: &str) -> Refusal {
    Refusal::new("corrupt_zip", format!("the zip file is damaged: {why}"), "send the file again")
}

fn split() -> Refusal {
    let message = "the file is one volume of a split zip";
    Refusal::new("unsupported_compression", message, "send it as one zip file")
}
