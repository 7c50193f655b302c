//! Uploads that are sent again with the `Idempotency-Key` of the first are the first.
//!
//! The key becomes the upload id, and that is a name of the receipt, written by the commit that makes the file safe: so
//! nothing else need be kept, and it is known for as long as the receipt is.

use axum::http::HeaderMap;
use engine::objects::Upload;
use engine::pipeline::find;
use engine::pipeline::object::ReceiptId;
use engine::runtime::{Placed, now};

use super::super::ingest::idempotency_key;
use super::super::problem::Problem;
use crate::serve::access::Caller;
use crate::serve::state::{Service, blocking};

/// The upload id that follows from the key of a request, if it has one. Partners do not meet in each other's keys.
pub(super) fn upload_id(caller: &Caller, headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = idempotency_key(headers)? else { return Ok(None) };
    let own = caller.prefix().unwrap_or_default();
    let id = engine::pipeline::object::digest(&["upload", &own, &String::from_utf8_lossy(key)]);
    Ok(Some(format!("upload-{id}")))
}

/// The file that came under this upload id before.
pub(super) fn before(service: &Service, id: &str) -> Result<Option<ReceiptId>, Problem> {
    Ok(find::versions(&service.engine.ports(), id)?.into_iter().next())
}

/// What was told of the file that came before, if this is the same again: its bytes, its bucket and its key. What was
/// sent now is gone.
pub(super) async fn again(service: &Service, upload: Upload, receipt: ReceiptId) -> Result<Placed, Problem> {
    let (bucket, key) = (upload.bucket().to_owned(), upload.key().to_owned());
    let stored = blocking(move || upload.finish(now())).await?;
    let (bytes, sha256) = (stored.head.bytes, stored.head.digest.clone());
    drop(stored);
    let ledger = service.engine.ports();
    let first = find::by_id(&ledger, &receipt)?;
    let first = first.map(|receipt| receipt.arrival().object.clone());
    let is_same = |first: &engine::pipeline::object::ObjectVersion| first.bucket == bucket && first.key == key;
    match first.filter(is_same) {
        Some(object) if find::versions(&ledger, &sha256)?.contains(&receipt) => {
            Ok(Placed { object, receipt: Some(receipt), bytes, sha256 })
        }
        _ => Err(Problem::refused("idempotency_key_reused", "this Idempotency-Key came with another file before")
            .hint("send another file with a key of its own; the same one again with the same name and bytes")),
    }
}
