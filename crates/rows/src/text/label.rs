//! What encodings are called: the names of the Encoding Standard, and those of Python where they differ.

use super::Encoding;

/// Names of true Latin-1, which the Encoding Standard all takes for windows-1252.
const LATIN_1: [&str; 13] = [
    "latin-1",
    "latin1",
    "l1",
    "iso-8859-1",
    "iso8859-1",
    "iso88591",
    "iso-8859-1:1987",
    "iso-ir-100",
    "csisolatin1",
    "cp819",
    "ibm819",
    "8859",
    "latin",
];

impl Encoding {
    /// The encoding called `label`, in any case and with `_` or `-`; none if we do not know it.
    pub fn named(label: &str) -> Option<Encoding> {
        let label = label.trim().to_ascii_lowercase();
        let dashed = label.replace('_', "-");
        if LATIN_1.contains(&dashed.as_str()) {
            return Some(Encoding::Latin1);
        }
        let other = match dashed.as_str() {
            "utf-8-sig" | "ascii" | "us-ascii" => return Some(Encoding::Utf8),
            "utf16le" => "utf-16le",
            "utf16be" => "utf-16be",
            // Without a mark to say otherwise, low byte first is what there is.
            "utf16" | "utf-16-le" => "utf-16le",
            "utf-16-be" => "utf-16be",
            "cp932" => "shift_jis",
            "cp936" => "gbk",
            "cp949" => "euc-kr",
            "cp950" => "big5",
            _ => label.as_str(),
        };
        let standard = |label: &str| encoding_rs::Encoding::for_label_no_replacement(label.as_bytes());
        let found = standard(other).or_else(|| standard(&dashed))?;
        Some(match found {
            found if found == encoding_rs::UTF_8 => Encoding::Utf8,
            found if found == encoding_rs::UTF_16LE => Encoding::Utf16Le,
            found if found == encoding_rs::UTF_16BE => Encoding::Utf16Be,
            found => Encoding::Other(found),
        })
    }

    /// Its one name, which `named` knows.
    pub fn name(&self) -> &'static str {
        match self {
            Encoding::Utf8 => "utf-8",
            Encoding::Utf16Le => "utf-16le",
            Encoding::Utf16Be => "utf-16be",
            Encoding::Latin1 => "iso-8859-1",
            Encoding::Other(other) => other.name(),
        }
    }
}
