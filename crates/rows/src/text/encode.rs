//! Back from UTF-8 into what the sender wrote, for the rejects file.

use encoding_rs::{DecoderResult, EncoderResult};

use super::Encoding;

/// What a character becomes that an encoding does not have in which every byte means something.
const SUBSTITUTE: u8 = b'?';
/// Half of a surrogate pair: no UTF-16 on its own.
const HALF_PAIR: u16 = 0xdc00;

impl Encoding {
    /// What a file in this encoding has to begin with so that it is read back without being declared: the byte order
    /// mark of UTF-16, nothing for the others.
    pub fn mark(&self) -> &'static [u8] {
        match self {
            Encoding::Utf16Le => b"\xff\xfe",
            Encoding::Utf16Be => b"\xfe\xff",
            Encoding::Utf8 | Encoding::Latin1 | Encoding::Other(_) => b"",
        }
    }

    /// Appends `utf8` to `into` in this encoding; UTF-8 itself passes through as it is. Each call stands for itself.
    ///
    /// Bytes that are not UTF-8, and characters that the encoding does not have, become bytes that are malformed in it:
    /// what could not be read cannot be read when it comes back either, instead of being taken for something else. Only
    /// where every byte means something (Latin-1, windows-1252, …) there is no such byte, and it is a `?`; there every
    /// text can be read, and be written again.
    pub fn encode(&self, utf8: &[u8], into: &mut Vec<u8>) {
        if *self == Encoding::Utf8 {
            into.extend_from_slice(utf8);
            return;
        }
        for chunk in utf8.utf8_chunks() {
            self.encode_text(chunk.valid(), into);
            if !chunk.invalid().is_empty() {
                self.push_malformed(into);
            }
        }
    }

    fn encode_text(&self, text: &str, into: &mut Vec<u8>) {
        match self {
            Encoding::Utf8 => into.extend_from_slice(text.as_bytes()),
            Encoding::Utf16Le => into.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
            Encoding::Utf16Be => into.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
            Encoding::Latin1 => {
                into.extend(text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap_or(SUBSTITUTE)));
            }
            Encoding::Other(other) => encode_standard(other, text, into),
        }
    }

    fn push_malformed(&self, into: &mut Vec<u8>) {
        match self {
            Encoding::Utf8 | Encoding::Latin1 => into.push(SUBSTITUTE),
            Encoding::Utf16Le => into.extend(HALF_PAIR.to_le_bytes()),
            Encoding::Utf16Be => into.extend(HALF_PAIR.to_be_bytes()),
            Encoding::Other(other) => into.push(malformed_byte(other)),
        }
    }
}

/// A byte that is malformed whatever comes behind it.
fn malformed_byte(encoding: &'static encoding_rs::Encoding) -> u8 {
    let is_malformed = |byte: &u8| {
        let mut text = [0; 8];
        let mut decoder = encoding.new_decoder_without_bom_handling();
        let (result, ..) = decoder.decode_to_utf8_without_replacement(&[*byte], &mut text, false);
        matches!(result, DecoderResult::Malformed(..))
    };
    (0x80..=0xff).rev().find(is_malformed).unwrap_or(SUBSTITUTE)
}

fn encode_standard(encoding: &'static encoding_rs::Encoding, text: &str, into: &mut Vec<u8>) {
    let mut encoder = encoding.new_encoder();
    let mut rest = text;
    loop {
        // A guess that is nearly always enough; if it is not, the encoder asks for more.
        into.reserve(rest.len() + 16);
        let (result, taken) = encoder.encode_from_utf8_to_vec_without_replacement(rest, into, true);
        rest = &rest[taken..];
        match result {
            EncoderResult::InputEmpty => return,
            EncoderResult::OutputFull => {}
            // The encoder has gone back to ASCII for what stands instead.
            EncoderResult::Unmappable(_) => into.push(malformed_byte(encoding)),
        }
    }
}
