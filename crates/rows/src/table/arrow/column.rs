//! One selected column of an Arrow record batch, as text.

use super::buffer::Buffer;
use super::message::Message;
use super::schema::{Layout, Place};
use crate::Result;
use crate::table::batch::{STEP_ROWS_MAX, Texts};
use crate::table::file::{Fault, File};
use crate::table::text::{self, Text, push_cut};

pub(super) struct Column {
    name: String,
    layout: Layout,
    /// Of the column and of the structs around it; those without one have no nulls.
    validity: Vec<Buffer>,
    /// Values, offsets or views.
    first: Option<Buffer>,
    /// What offsets or views point into.
    rest: Vec<Buffer>,
    row: u64,
}

impl Column {
    /// Opens the buffers of a column of `message`.
    pub(super) fn open(
        file: &mut File,
        message: &Message,
        name: &str,
        layout: Layout,
        place: &Place,
        window: usize,
    ) -> Result<Self> {
        let damaged = |file: &File, fault: Fault| file.corrupt(format!("column {name}: {}", fault.0));
        let mut validity = Vec::new();
        for around in place.parents.iter() {
            message.check_node(around).map_err(|fault| damaged(file, fault))?;
            for span in message.spans(around, 1, false).map_err(|fault| damaged(file, fault))? {
                validity.push(Buffer::open(file, span, message.codec, window)?);
            }
        }
        message.check_node(place).map_err(|fault| damaged(file, fault))?;
        let count = match layout {
            Layout::Null => 0,
            Layout::Bits | Layout::Fixed(..) | Layout::Views => 2,
            Layout::Strings { .. } => 3,
        };
        let spans = message.spans(place, count, layout == Layout::Views).map_err(|fault| damaged(file, fault))?;
        let mut buffers = Vec::with_capacity(spans.len());
        for span in spans {
            buffers.push(Buffer::open(file, span, message.codec, window)?);
        }
        let mut buffers = buffers.into_iter();
        validity.extend(buffers.next());
        validity.retain(|buffer| buffer.length() > 0);
        let first = buffers.next();
        Ok(Self { name: name.to_owned(), layout, validity, first, rest: buffers.collect(), row: 0 })
    }

    /// Appends the texts of the next `rows` rows, at most `STEP_ROWS_MAX`. With a dictionary, values are its indices.
    pub(super) fn read(
        &mut self,
        file: &mut File,
        rows: usize,
        dictionary: Option<&Texts>,
        out: &mut Texts,
    ) -> Result<()> {
        debug_assert!(rows <= STEP_ROWS_MAX, "a mask has 64 bits");
        let before = out.bytes.len();
        let valid = self.mask(file, rows)?;
        match self.layout {
            Layout::Fixed(width, meaning) if meaning != Text::Raw => {
                self.read_fixed(file, rows, valid, width, meaning, dictionary, out)?;
            }
            _ => {
                for index in 0..rows {
                    if valid >> index & 1 == 1 {
                        self.read_one(file, self.row + index as u64, out)?;
                    }
                    out.end();
                }
            }
        }
        self.row += rows as u64;
        file.produce((out.bytes.len() - before + rows) as u64)
    }

    /// Which of the next rows have a value, lowest bit first.
    fn mask(&mut self, file: &mut File, rows: usize) -> Result<u64> {
        if self.layout == Layout::Null {
            return Ok(0);
        }
        let mut mask = u64::MAX;
        for buffer in &mut self.validity {
            let first = self.row / 8;
            let shift = (self.row % 8) as usize;
            let bytes = buffer.bytes(file, first, (shift + rows).div_ceil(8))?;
            let mut wide = [0; 16];
            wide[..bytes.len()].copy_from_slice(bytes);
            mask &= (u128::from_le_bytes(wide) >> shift) as u64;
        }
        Ok(mask)
    }

    #[expect(clippy::too_many_arguments, reason = "all of them are the step's; a struct would only rename them")]
    fn read_fixed(
        &mut self,
        file: &mut File,
        rows: usize,
        valid: u64,
        width: usize,
        meaning: Text,
        dictionary: Option<&Texts>,
        out: &mut Texts,
    ) -> Result<()> {
        let Some(values) = &mut self.first else { return Err(file.corrupt("a column has no values")) };
        let raw = values.bytes(file, self.row * width as u64, rows * width)?;
        for (index, raw) in raw.chunks_exact(width).enumerate() {
            if valid >> index & 1 == 1 {
                let written = match dictionary {
                    None => meaning.write(raw, &mut out.bytes),
                    Some(dictionary) => text::unsigned(raw)
                        .and_then(|place| dictionary.get(usize::try_from(place).ok()?))
                        .map(|value| out.bytes.extend_from_slice(value)),
                };
                if written.is_none() {
                    let message = "a value does not fit its type, or is not in its dictionary";
                    return Err(file.corrupt(format!("column {}: {message}", self.name)));
                }
            }
            out.end();
        }
        Ok(())
    }

    fn read_one(&mut self, file: &mut File, row: u64, out: &mut Texts) -> Result<()> {
        let Some(first) = &mut self.first else { return Err(file.corrupt("a column has no values")) };
        match self.layout {
            Layout::Null => Ok(()),
            Layout::Bits => {
                let byte = first.bytes(file, row / 8, 1)?[0];
                out.bytes.extend_from_slice(if byte >> (row % 8) & 1 == 1 { b"true" } else { b"false" });
                Ok(())
            }
            Layout::Fixed(width, _) => {
                let start = row.saturating_mul(width as u64);
                copy(file, first, start, start.saturating_add(width as u64), out)
            }
            Layout::Strings { offset_bytes } => {
                let raw = first.bytes(file, row * offset_bytes as u64, 2 * offset_bytes)?;
                let (start, end) = raw.split_at(offset_bytes);
                match (text::unsigned(start), text::unsigned(end), self.rest.first_mut()) {
                    (Some(start), Some(end), Some(bytes)) => copy(file, bytes, start, end, out),
                    _ => Err(file.corrupt("a column of strings has no bytes")),
                }
            }
            Layout::Views => {
                let mut view = [0; 16];
                view.copy_from_slice(first.bytes(file, row * 16, 16)?);
                let number = |at: usize| u32::from_le_bytes([view[at], view[at + 1], view[at + 2], view[at + 3]]);
                let length = number(0);
                if length <= 12 {
                    out.bytes.extend_from_slice(&view[4..4 + length as usize]);
                    return Ok(());
                }
                let Some(bytes) = self.rest.get_mut(number(8) as usize) else {
                    return Err(file.corrupt("a view leads to a buffer that is not there"));
                };
                let start = u64::from(number(12));
                copy(file, bytes, start, start + u64::from(length), out)
            }
        }
    }
}

/// Appends a string, cut if it is too long for a field.
fn copy(file: &mut File, buffer: &mut Buffer, start: u64, end: u64, out: &mut Texts) -> Result<()> {
    if start > end || end > buffer.length() {
        return Err(file.corrupt("a string reaches past the end of its buffer"));
    }
    let length = (end - start).min(text::CUT_BYTES as u64) as usize;
    push_cut(buffer.bytes(file, start, length)?, &mut out.bytes);
    Ok(())
}
