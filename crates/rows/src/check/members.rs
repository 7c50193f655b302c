//! The members of a zip are one file: its refused rows go back in one file under one header, and so all members must
//! be written alike. A member that is not would come back as something its sender never wrote.

use crate::text::Encoding;
use crate::{Error, Refusal, Result};

use super::Session;

/// The code of their refusal.
const DIFFER: &str = "members_differ";

/// How one part is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Written {
    pub form: Form,
    pub encoding: Encoding,
}

/// How its rows follow each other.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    /// `fields` is how many a row has, when the contract leaves it to the file.
    Csv {
        delimiter: u8,
        columns: Vec<String>,
        fields: usize,
    },
    JsonRecords,
    JsonArray,
}

impl Session<'_, '_> {
    /// Refuses a part that is not written as the first one is.
    pub(super) fn alike(&mut self, written: Written) -> Result<()> {
        let name = self.rejects_mut().and_then(|rejects| rejects.member.clone()).unwrap_or_default();
        let Some((first_name, first)) = &self.written else {
            self.written = Some((name, written));
            return Ok(());
        };
        let Some((is, other)) = difference(first, &written) else { return Ok(()) };
        let message = format!("the members of the zip are not written alike: `{first_name}` {is}, `{name}` {other}");
        let hint =
            "send them as separate files, or name the member that holds the rows with format.member in a contract";
        Err(Refusal::new(DIFFER, message, hint).into())
    }
}

/// The error with the name of the member that it is about.
pub(super) fn named(error: Error, member: Option<String>) -> Error {
    match (error, member) {
        (Error::Refused(refusal), Some(member)) if refusal.code != DIFFER => {
            let message = format!("member `{member}`: {}", refusal.message);
            Error::Refused(Refusal { message, ..refusal })
        }
        (error, _) => error,
    }
}

/// The first thing in which two parts differ, told of each.
fn difference(first: &Written, other: &Written) -> Option<(String, String)> {
    let told = |written: &Written| match (&written.form, first.encoding == other.encoding) {
        (_, false) => format!("is {}", written.encoding.name()),
        (Form::JsonRecords, _) => "holds JSON records".to_owned(),
        (Form::JsonArray, _) => "is a JSON array".to_owned(),
        (Form::Csv { .. }, _) => "is CSV".to_owned(),
    };
    match (&first.form, &other.form) {
        _ if first == other => None,
        (
            Form::Csv { delimiter, columns, fields },
            Form::Csv { delimiter: other_delimiter, columns: other_columns, fields: other_fields },
        ) if first.encoding == other.encoding => {
            let separated = |delimiter: &u8| format!("has the delimiter {:?}", char::from(*delimiter));
            if delimiter != other_delimiter {
                return Some((separated(delimiter), separated(other_delimiter)));
            }
            let place = columns.iter().zip(other_columns).position(|(column, other)| column != other);
            let named = |columns: &[String], place: usize| format!("has `{}` as column {}", columns[place], place + 1);
            let counted = |fields: &usize| format!("has {fields} columns");
            Some(match place {
                Some(place) => (named(columns, place), named(other_columns, place)),
                None => (counted(fields), counted(other_fields)),
            })
        }
        _ => Some((told(first), told(other))),
    }
}
