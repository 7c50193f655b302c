//! What a sender promises of the bytes: digests in `Content-MD5` (RFC 1864), `Digest` (RFC 3230) and `Content-Digest` (RFC
//! 9530).

use axum::http::HeaderMap;

use super::problem::Problem;
use engine::pipeline::encoding;

/// Digests that were promised.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Promise {
    pub md5: Option<Vec<u8>>,
    pub sha256: Option<Vec<u8>>,
}

impl Promise {
    /// What the head promises, if it does. A digest that is not written as it should be is a problem; one by an algorithm
    /// that is not known here promises nothing.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut promise = Self::default();
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?").trim().to_owned());
        if let Some(md5) = text("content-md5") {
            promise.md5 = Some(bytes_of("Content-MD5", &md5, 16)?);
        }
        for name in ["content-digest", "repr-digest", "digest"] {
            for one in text(name).iter().flat_map(|all| all.split(',')) {
                let (algorithm, value) = one.split_once('=').unwrap_or((one, ""));
                let value = value.trim().trim_start_matches(':').trim_end_matches(':');
                match algorithm.trim().to_ascii_lowercase().as_str() {
                    "sha-256" => promise.sha256 = Some(bytes_of(name, value, 32)?),
                    "md5" => promise.md5 = Some(bytes_of(name, value, 16)?),
                    _ => {}
                }
            }
        }
        Ok((promise != Self::default()).then_some(promise))
    }

    /// Refuses bytes that are not those that were promised.
    pub fn keep(self, md5: Option<&[u8]>, sha256: Option<&[u8]>) -> Result<(), Problem> {
        for (name, promised, is) in [("MD5", self.md5, md5), ("sha256", self.sha256, sha256)] {
            if let (Some(promised), Some(is)) = (promised, is)
                && promised != is
            {
                let detail = format!(
                    "the bytes have the {name} {}, and {} was promised",
                    encoding::hex(is),
                    encoding::hex(&promised)
                );
                return Err(Problem::bad("digest_mismatch", detail).hint("send it again; nothing was kept"));
            }
        }
        Ok(())
    }
}

fn bytes_of(name: &str, text: &str, length: usize) -> Result<Vec<u8>, Problem> {
    from_base64(text).filter(|bytes| bytes.len() == length).ok_or_else(|| {
        let shown: String = text.chars().take(80).collect();
        Problem::bad("bad_digest", format!("{name} `{shown}` is not {length} bytes in base64"))
            .hint("write it in base64, not in hexadecimal")
    })
}

/// As headers have it: with the marks that make its length a multiple of four.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let marks = text.len() - text.trim_end_matches('=').len();
    if text.len().is_multiple_of(4) && marks <= 2 { encoding::from_base64(text) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &'static str, value: &str) -> Result<Option<Promise>, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        Promise::of(&headers)
    }

    #[test]
    fn promises_are_read() {
        assert_eq!(of("x", "y").unwrap(), None);
        let md5 = of("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==").unwrap().unwrap();
        assert_eq!(md5.md5.unwrap()[..2], [0xd4, 0x1d]);
        let sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        for (name, value) in [
            ("content-digest", format!("sha-256=:{sha256}:")),
            ("digest", format!("SHA-256={sha256}, adler32=03da0195")),
        ] {
            let promise = of(name, &value).unwrap().unwrap();
            assert_eq!(promise.sha256.as_ref().unwrap()[..2], [0xe3, 0xb0]);
            assert!(promise.keep(None, Some(&[0; 32])).is_err());
        }
        assert_eq!(of("content-digest", "sha-512=:eA==:").unwrap(), None);
        for bad in ["", "d41d8cd98f00b204e9800998ecf8427e", "1B2M2Y8AsgTpgAmY7PhCf===", "ß"] {
            assert!(of("content-md5", bad).is_err(), "{bad}");
        }
    }
}
