//! What a request asks: its query and its path, with problems instead of the framework's plain texts; and marks, by which
//! a list goes on.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use engine::pipeline::encoding;

/// The query.
pub(super) struct Asked<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(error) => {
                let told = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                Err(Problem::bad("bad_query", format!("the query is not understood: {told}"))
                    .hint("see /openapi.json for what can be asked"))
            }
        }
    }
}

/// What stands in the path, with `%2F` and the like read.
pub(super) struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(error) => Err(Problem::bad("bad_path", error.body_text()).hint("percent-encode the UTF-8 of the name")),
        }
    }
}

/// A mark for the end of a page; it says nothing to those who get it.
pub(super) fn mark(place: &[u8]) -> String {
    encoding::hex(place)
}

/// The place of a mark.
pub(super) fn place(mark: &str) -> Result<Vec<u8>, Problem> {
    let shown: String = mark.chars().take(40).collect();
    encoding::from_hex(mark).filter(|place| !place.is_empty()).ok_or_else(|| {
        Problem::bad("bad_mark", format!("`{shown}` is not a mark of this list"))
            .hint("give `next` of the page before, or leave it out")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_come_back() {
        assert_eq!(place(&mark(b"*/00\xff")).ok().as_deref(), Some(&b"*/00\xff"[..]));
        for bad in ["", "x", "0", "+1", "0g", "ß"] {
            assert!(place(bad).is_err(), "{bad}");
        }
    }
}
