//! Makes bad rows: the slow path, where a row is a list of values before it is text.

use crate::faults::{Chosen, DUPLICATE, Fault, Structure};
use crate::text::{csv_field, json_string};

/// The values of one row before they are written.
#[derive(Debug)]
pub(crate) struct Values {
    pub(crate) names: &'static [&'static str],
    pub(crate) fields: Vec<String>,
}

/// Writes a row with its faults; answers its reasons in the order in which they are judged.
/// `earlier_id` is what a duplicate repeats.
pub(crate) fn push_bad(
    out: &mut Vec<u8>,
    mut values: Values,
    chosen: Chosen,
    ndjson: bool,
    earlier_id: Option<String>,
) -> Vec<&'static str> {
    let mut reasons: Vec<(usize, &'static str)> = Vec::new();
    let mut broken = None;
    for fault in [Some(chosen.first), chosen.second].into_iter().flatten() {
        match fault {
            Fault::Value { column, reason, values: replacements } => {
                let at = (chosen.draw >> (column * 4)) % replacements.len() as u64;
                replacements[at as usize].clone_into(&mut values.fields[column]);
                // Bars have their timestamp second, but it is judged behind the prices.
                let moved = column == 1 && values.names[1] == "timestamp";
                let judged = if moved { values.names.len() } else { column };
                reasons.push((judged, reason));
            }
            Fault::Duplicate => {
                if let Some(id) = &earlier_id {
                    id.clone_into(&mut values.fields[0]);
                    reasons.push((usize::MAX, DUPLICATE));
                }
            }
            Fault::Structure { reason, how } => {
                broken = Some(how);
                reasons.push((0, reason));
            }
        }
    }
    reasons.sort_unstable();
    if ndjson {
        push_json(out, &values, chosen.draw);
    } else {
        push_csv(out, &values, broken, chosen.draw);
    }
    reasons.into_iter().map(|(_, reason)| reason).collect()
}

fn push_csv(out: &mut Vec<u8>, values: &Values, broken: Option<Structure>, draw: u64) {
    let mut fields: Vec<Vec<u8>> = values.fields.iter().map(|field| csv_field(field.as_bytes())).collect();
    match broken {
        None => {}
        Some(Structure::TooFew) => fields.truncate(1 + (draw % (fields.len() as u64 - 1)) as usize),
        Some(Structure::TooMany) => {
            fields.push(b"extra".to_vec());
            if draw.is_multiple_of(3) {
                fields.push(b"more".to_vec());
            }
        }
        Some(Structure::TooManyEmpty) => fields.push(Vec::new()),
        Some(Structure::BadQuote) => fields[0] = format!("\"{}\"x", values.fields[0]).into_bytes(),
        Some(Structure::InvalidUtf8) => fields[0].insert(1, if draw.is_multiple_of(2) { 0xff } else { 0xc3 }),
        Some(Structure::NulByte) => fields[0].insert(1, 0),
    }
    out.extend_from_slice(&fields.join(&b','));
    out.push(b'\n');
}

/// A missing value is an empty string, null or not there at all.
fn push_json(out: &mut Vec<u8>, values: &Values, draw: u64) {
    let mut members = Vec::new();
    for (name, field) in values.names.iter().zip(&values.fields) {
        let text = match draw % 3 {
            0 if field.is_empty() => continue,
            1 if field.is_empty() => "null".to_owned(),
            _ => json_string(field),
        };
        members.push(format!("\"{name}\":{text}"));
    }
    out.extend_from_slice(format!("{{{}}}\n", members.join(",")).as_bytes());
}
