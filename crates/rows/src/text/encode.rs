//! Back from UTF-8 into what the sender wrote, for the rejects file.

use encoding_rs::EncoderResult;

use super::Encoding;

/// What a character becomes that the encoding does not have.
const SUBSTITUTE: &str = "?";

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

    /// Appends `utf8` to `into` in this encoding. Characters that it does not have, and bytes that are not UTF-8,
    /// become `?`; only UTF-8 itself passes through as it is. Each call stands for itself.
    pub fn encode(&self, utf8: &[u8], into: &mut Vec<u8>) {
        if *self == Encoding::Utf8 {
            into.extend_from_slice(utf8);
            return;
        }
        for chunk in utf8.utf8_chunks() {
            self.encode_text(chunk.valid(), into);
            if !chunk.invalid().is_empty() {
                self.encode_text(SUBSTITUTE, into);
            }
        }
    }

    fn encode_text(&self, text: &str, into: &mut Vec<u8>) {
        match self {
            Encoding::Utf8 => into.extend_from_slice(text.as_bytes()),
            Encoding::Utf16Le => into.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
            Encoding::Utf16Be => into.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
            Encoding::Latin1 => {
                into.extend(text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap_or(SUBSTITUTE_BYTE)));
            }
            Encoding::Other(other) => encode_standard(other, text, into),
        }
    }
}

const SUBSTITUTE_BYTE: u8 = SUBSTITUTE.as_bytes()[0];

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
            EncoderResult::Unmappable(_) => into.push(SUBSTITUTE_BYTE),
        }
    }
}
