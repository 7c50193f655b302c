//! Times written as a pattern says, with the directives and the habits of `strptime`.

mod directive;

use directive::{Directive, Fields};

use super::{DAY_SECONDS, TimeFault, Zone, calendar, instant};
use crate::limits::TIME_PATTERN_BYTES_MAX;

/// A pattern such as `%d.%m.%Y %H:%M`, compiled.
///
/// Directives: `%Y %y %m %b %B %d %j %a %A %H %I %p %M %S %f %z %Z %%`. White space stands for one or more of it,
/// letters for themselves in either case. What the pattern does not say is 1 January 1900, midnight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    source: String,
    items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    /// One character, in lower case.
    Character(char),
    /// One or more characters of white space.
    Space,
    Directive(Directive),
}

impl Pattern {
    /// Reads a pattern. The error says what is wrong with it and what to write instead.
    pub fn compile(source: &str) -> Result<Pattern, String> {
        if source.len() > TIME_PATTERN_BYTES_MAX {
            let length = source.len();
            return Err(format!("time pattern has {length} bytes: at most {TIME_PATTERN_BYTES_MAX} are taken"));
        }
        let mut items = Vec::new();
        let mut characters = source.chars();
        while let Some(character) = characters.next() {
            let item = match character {
                '%' => Self::directive(source, characters.next())?,
                _ if is_space(character) => Item::Space,
                _ => Item::Character(lower(character)),
            };
            let again = items.contains(&item);
            match item {
                Item::Space if items.last() == Some(&Item::Space) => continue,
                Item::Directive(_) if again => {
                    return Err(format!("time pattern {source:?} names a part of the time twice: leave one out"));
                }
                _ => items.push(item),
            }
        }
        Ok(Pattern { source: source.to_owned(), items })
    }

    fn directive(source: &str, letter: Option<char>) -> Result<Item, String> {
        match letter {
            None => Err(format!("time pattern {source:?} ends in a lone %: write %% for a percent sign")),
            Some('%') => Ok(Item::Character('%')),
            Some(letter) => Directive::of(letter).map(Item::Directive).ok_or_else(|| {
                let known = "%Y %y %m %b %B %d %j %a %A %H %I %p %M %S %f %z %Z %%";
                format!("time pattern {source:?} has %{letter}, which is not known: use {known}")
            }),
        }
    }

    /// The pattern as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The instant that `text` stands for; without `%z` the clock hung in `zone`, or in UTC.
    pub(super) fn parse(&self, text: &[u8], zone: Option<&Zone>) -> Result<i64, TimeFault> {
        let text = std::str::from_utf8(text).map_err(|_| TimeFault::Invalid)?;
        let mut fields = Fields::default();
        // The first way to read the text is the only one: what it leaves over is a fault, not a reason to try another.
        let end = read(&self.items, text, &mut fields).ok_or(TimeFault::Invalid)?;
        if !end.is_empty() {
            return Err(TimeFault::Invalid);
        }
        let days = fields.days().ok_or(TimeFault::Invalid)?;
        let second = fields.second_of_day().ok_or(TimeFault::Invalid)?;
        let wall = days * DAY_SECONDS + second;
        let seconds = match (fields.offset, zone) {
            (Some(offset), _) => wall - offset.ok_or(TimeFault::Invalid)?,
            (None, Some(zone)) => zone.to_instant(wall).ok_or(TimeFault::OutOfRange)?,
            (None, None) => wall,
        };
        instant(seconds, fields.nanosecond)
    }
}

/// Reads `text` from its start, each item as long as it can be for the rest to be read; answers what is left over.
/// Each directive stands once in a pattern, so the ways to try are few.
fn read<'a>(items: &[Item], text: &'a str, fields: &mut Fields) -> Option<&'a str> {
    let Some((item, items)) = items.split_first() else { return Some(text) };
    match item {
        Item::Character(expected) => {
            let mut rest = text.chars();
            if lower(rest.next()?) != *expected {
                return None;
            }
            read(items, rest.as_str(), fields)
        }
        Item::Space => {
            let after = text.trim_start_matches(is_space);
            let length = text.len() - after.len();
            // Only `%d` may want a space for itself, and no more than one.
            let ends = [Some(length), text[..length].char_indices().next_back().map(|(at, _)| at)];
            ends.into_iter().flatten().filter(|&end| end > 0).find_map(|end| read(items, &text[end..], fields))
        }
        Item::Directive(directive) => {
            let mut narrower = None;
            while let Some(length) = directive.read(text, narrower, fields) {
                if let Some(rest) = read(items, &text[length..], fields) {
                    return Some(rest);
                }
                narrower = Some(length);
            }
            None
        }
    }
}

/// What counts as white space: Python's `\s`, which has four control characters more than Unicode.
fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

fn lower(character: char) -> char {
    character.to_lowercase().next().unwrap_or(character)
}

impl Fields {
    /// The day, counted from 1970-01-01, if there is such a day.
    fn days(&self) -> Option<i64> {
        let Some(day_of_year) = self.day_of_year else {
            return calendar::days_checked(self.year, self.month, self.day);
        };
        let days = calendar::days_checked(self.year, 1, 1)? + day_of_year - 1;
        (days <= calendar::days(9999, 12, 31)).then_some(days)
    }

    fn second_of_day(&self) -> Option<i64> {
        if self.second > 59 {
            return None;
        }
        let hour = match self.hour_of_twelve {
            Some(hour) => hour % 12 + if self.afternoon { 12 } else { 0 },
            None => self.hour,
        };
        Some(hour * 3600 + self.minute * 60 + self.second)
    }
}
