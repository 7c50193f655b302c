//! `POST /ingest`: market records, one or many, answered when the queue has them.

use pipeline::limits::RECORDS_PER_MESSAGE_MAX;
use pipeline::message::{Feed, Message, Records};
use pipeline::point::Point;
use pipeline::sha256::Sha256;
use serde_json::{Value, json};

use super::http::{Answer, Problem, body};
use crate::events::Request;
use crate::function::{Error, Function, chain};
use crate::limits::INGEST_RECORDS_MAX;
use crate::tell::Told;

/// Bytes of the records in one message, so that it fits a queue with all that is around them.
const MESSAGE_RECORDS_BYTES_MAX: usize = 100 * 1024;
/// Bytes of the name of an instrument: it is part of the key of a record.
const SYMBOL_BYTES_MAX: usize = 256;
/// Refused records that are listed; all are counted.
const ERRORS_LISTED_MAX: usize = 100;

impl Function {
    /// Each record is checked by the contract of the feed; those that are good are durable when the answer comes.
    pub(super) fn ingest(&self, request: &Request, told: &mut Told) -> Answer {
        let (Some(checker), Some(queue)) = (&self.checker, &self.queue) else {
            return Err(Error::new("no_queue", "this function takes no records").into());
        };
        let body = body(request)?;
        let origin = origin_of(request);
        let arrived = i64::try_from((self.now)()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        let (mut points, mut long) = (Vec::new(), Vec::new());
        let checked = checker.check(&body, arrived, INGEST_RECORDS_MAX, |row, place| {
            let Some(point) = Point::of(&row) else { return };
            if point.symbol.len() > SYMBOL_BYTES_MAX {
                long.push(json!({ "index": place.index, "line": place.line, "column": "symbol",
                    "reasons": ["symbol_too_long"], "hint": format!("a symbol may have {SYMBOL_BYTES_MAX} bytes") }));
            } else {
                points.push(serde_json::to_string(&point).unwrap_or_default());
            }
        });
        let checked = checked.map_err(|refusal| {
            let status = if refusal.code == "too_many_records" { 413 } else { 422 };
            Problem::new(status, "refused", format!("{}: {}", refusal.code, refusal.message), refusal.hint)
        })?;
        let listed = checked.listed.into_iter().map(|bad| {
            json!({ "index": bad.index, "line": bad.line, "column": bad.column, "value": bad.value,
                "reasons": bad.reasons, "hint": bad.hint })
        });
        let refused = checked.refused + long.len();
        let mut errors: Vec<Value> = listed.chain(long).take(ERRORS_LISTED_MAX).collect();
        errors.sort_by_key(|error| error["index"].as_u64());
        let accepted = points.len();
        if accepted == 0 {
            let detail = format!("none of {refused} records is good");
            let hint = errors.first().and_then(|bad| bad["hint"].as_str()).unwrap_or_default().to_owned();
            return Err(Problem { errors, ..Problem::new(422, "no_good_record", detail, hint) });
        }
        let sent = messages(&Feed::of_preset(self.preset), &origin, points);
        let sent = sent.and_then(|sent| {
            queue.send(&sent).map_err(|cause| Error::new("unavailable", chain(cause.as_ref())))?;
            Ok(sent)
        });
        match sent {
            Ok(sent) => sent.iter().for_each(|(message, _)| told.message(message)),
            Err(error) => {
                told.failed(&error);
                return Err(error.into());
            }
        }
        let answer = json!({ "accepted": accepted, "rejected": refused, "errors": errors, "requestId": request.id(),
            "origin": origin });
        Ok((202, answer))
    }
}

/// What a repeated request has again, if it says by what it is known.
fn origin_of(request: &Request) -> String {
    match request.header("Idempotency-Key").filter(|key| !key.is_empty()) {
        Some(key) => {
            let mut digest = Sha256::default();
            digest.update(key.as_bytes());
            format!("i-{}", &digest.finish()[..32])
        }
        None => format!("q-{}", request.id()),
    }
}

fn messages(feed: &Feed, origin: &str, points: Vec<String>) -> Result<Vec<(Message, String)>, Error> {
    let mut parts: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0;
    for point in points {
        let fits = parts.last().is_some_and(|part| part.len() < RECORDS_PER_MESSAGE_MAX);
        if !fits || bytes + point.len() > MESSAGE_RECORDS_BYTES_MAX {
            parts.push(Vec::new());
            bytes = 0;
        }
        bytes += point.len();
        if let Some(part) = parts.last_mut() {
            part.push(point);
        }
    }
    let message = |(part, records)| {
        let records = Records { feed: feed.clone(), origin: origin.to_owned(), of: None, part, records };
        let message = Message::MarketProcess(records);
        let json = message.to_json().map_err(|error| Error::new("unwritable", chain(&error)))?;
        Ok((message, json))
    };
    (0..).zip(parts).map(message).collect()
}
