//! The rows of a sample seen as columns with a profile each, and the entries that every kind of contract needs.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fold::REPORT_COLUMNS;
use crate::time::Zone;

use super::draft::{Draft, Entry, place, quoted, shown};
use super::numbers::{Evidence, Form};
use super::sample::Column;
use super::times::{self, TimeForm};
use super::words::{self, Role};

/// One way to see the rows of a file.
pub(super) struct Shape {
    /// What `[format]` says of it.
    pub format: Vec<Entry>,
    pub columns: Vec<Column>,
    pub rows: usize,
    /// The columns have names that mean something.
    pub named: bool,
    /// The decimal mark is more likely a comma.
    pub comma_likely: bool,
    /// How far-fetched the condition on records is, 0 when there is none.
    pub conditions: usize,
    pub trial: Trial,
}

impl Shape {
    /// Leaves out the columns that a rejects file has beyond the sender's own.
    pub(super) fn drop_report(&mut self) {
        let own = self.columns.len().saturating_sub(REPORT_COLUMNS.len());
        let names = self.columns[own..].iter().map(|column| column.name.as_deref());
        if names.eq(REPORT_COLUMNS.map(Some)) {
            self.columns.truncate(own);
        }
    }
}

/// Text to try a contract on.
#[derive(Clone)]
pub(super) struct Trial {
    pub text: Arc<Vec<u8>>,
    /// It is a table written as CSV: what the contract says of the format does not hold for it.
    pub rewritten: bool,
}

/// What a column holds.
pub(super) struct Profile {
    /// Its name, made plain.
    pub name: String,
    pub filled: usize,
    pub distinct: usize,
    /// The values, those that come most often first; not all when there are many.
    pub common: Vec<(String, usize)>,
    pub evidence: Evidence,
    pub time: Option<TimeForm>,
}

const COMMON_MAX: usize = 40;
/// A name less sure than this says nothing.
const WEIGHT_MIN: i32 = 25;

impl Profile {
    fn new(column: &Column, month_first: bool) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for value in column.values.iter().filter(|value| !value.trim().is_empty()) {
            *counts.entry(value).or_default() += 1;
        }
        let filled = counts.values().sum();
        let mut common: Vec<(String, usize)> =
            counts.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect();
        common.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        common.truncate(COMMON_MAX);
        let values: Vec<&str> = column.values.iter().map(String::as_str).collect();
        let name = column.name.as_deref().unwrap_or_default();
        Self {
            name: words::plain(name),
            filled,
            distinct: counts.len(),
            common,
            evidence: Evidence::of(values.iter().copied()),
            time: times::detect(&values, month_first),
        }
    }
}

/// A shape with a profile of every column.
pub(super) struct View<'a> {
    pub shape: &'a Shape,
    pub profiles: Vec<Profile>,
    /// Names that may tell a date: the contract's, a zip member's.
    pub hints: &'a [String],
    /// Columns that something was read from.
    used: Vec<Cell<bool>>,
}

impl<'a> View<'a> {
    pub(super) fn new(shape: &'a Shape, hints: &'a [String]) -> Self {
        let month_first = !shape.comma_likely;
        let profiles: Vec<Profile> = shape.columns.iter().map(|column| Profile::new(column, month_first)).collect();
        let used = profiles.iter().map(|_| Cell::new(false)).collect();
        Self { shape, profiles, hints, used }
    }

    /// Begins to look for another kind.
    pub(super) fn forget(&self) {
        self.used.iter().for_each(|used| used.set(false));
    }

    pub(super) fn take(&self, column: usize) {
        self.used[column].set(true);
    }

    /// The opposite of `take`.
    pub(super) fn give_back(&self, column: usize) {
        self.used[column].set(false);
    }

    pub(super) fn is_free(&self, column: usize) -> bool {
        !self.used[column].get()
    }

    pub(super) fn values(&self, column: usize) -> Vec<&str> {
        self.shape.columns[column].values.iter().map(String::as_str).collect()
    }

    pub(super) fn at(&self, column: usize) -> String {
        place(&self.shape.columns[column].at)
    }

    pub(super) fn name(&self, column: usize) -> String {
        format!("`{}`", shown(&self.shape.columns[column].shown(), 60))
    }

    /// The free column that `role` fits best, and how well: by its name and `judge`, which adds points or excludes it.
    pub(super) fn best(&self, role: Role, judge: impl Fn(&Profile) -> Option<i32>) -> Option<(usize, i32)> {
        let mut best: Option<(usize, i32)> = None;
        for (column, profile) in self.profiles.iter().enumerate().filter(|(column, _)| self.is_free(*column)) {
            let weight = words::weight(role, &profile.name);
            if weight < WEIGHT_MIN {
                continue;
            }
            let Some(points) = judge(profile) else { continue };
            if best.is_none_or(|(_, before)| weight + points > before) {
                best = Some((column, weight + points));
            }
        }
        best
    }

    /// The same for a column of numbers; one that is often empty comes after one that is not.
    pub(super) fn best_number(&self, role: Role) -> Option<(usize, i32)> {
        self.best(role, |profile| {
            let numeric = profile.evidence.is_numeric();
            numeric.then(|| 20 * profile.filled as i32 / self.shape.rows.max(1) as i32)
        })
    }

    /// The column that holds the time, the one with the time of day if there are two, and how it is read.
    fn time(&self) -> Option<(Vec<usize>, TimeForm)> {
        let share = |profile: &Profile| 30 * profile.filled as i32 / self.shape.rows.max(1) as i32;
        let points = |profile: &Profile| profile.time.as_ref().map(|form| share(profile) + 8 * i32::from(form.clock));
        let named = self.best(Role::Time, points).map(|(column, _)| column);
        let unnamed = || {
            let free = (0..self.profiles.len()).filter(|column| self.is_free(*column));
            let rank = |column: &usize| {
                let profile = &self.profiles[*column];
                // A number that could be a time need not be one, unless it rises.
                let form = profile.time.as_ref().filter(|form| !form.counts || form.sorted)?;
                (profile.filled * 2 > self.shape.rows).then_some((i32::from(form.clock), -(*column as i32)))
            };
            free.filter(|column| rank(column).is_some()).max_by_key(rank)
        };
        let column = named.or_else(unnamed)?;
        let form = self.profiles[column].time.clone()?;
        self.with_clock(column, &form).or(Some((vec![column], form)))
    }

    /// A date and the column that holds its time of day.
    fn with_clock(&self, date: usize, form: &TimeForm) -> Option<(Vec<usize>, TimeForm)> {
        if form.clock {
            return None;
        }
        let is_clock =
            |column: &usize| *column != date && self.is_free(*column) && times::is_clock(&self.values(*column));
        let clock = match self.shape.named {
            true => {
                let fitting = (0..self.profiles.len()).filter(is_clock);
                fitting
                    .max_by_key(|column| words::weight(Role::Clock, &self.profiles[*column].name))
                    .filter(|column| words::weight(Role::Clock, &self.profiles[*column].name) > 0)?
            }
            false => Some(date + 1).filter(|column| *column < self.profiles.len()).filter(is_clock)?,
        };
        let joined: Vec<String> =
            self.values(date).iter().zip(self.values(clock)).map(|(date, clock)| format!("{date} {clock}")).collect();
        let joined: Vec<&str> = joined.iter().map(String::as_str).collect();
        let month_first = form.keys.iter().any(|(_, value)| value.starts_with("\"%m"));
        Some((vec![date, clock], times::detect(&joined, month_first)?))
    }

    /// The entry of `timestamp`, and when it was found, the column it is read from.
    pub(super) fn timestamp(&self) -> (Entry, Option<usize>) {
        let Some((columns, form)) = self.time() else {
            return self
                .since_midnight()
                .map_or_else(|| (unknown("timestamp", "a time"), None), |(entry, column)| (entry, Some(column)));
        };
        columns.iter().for_each(|column| self.take(*column));
        let places: Vec<String> = columns.iter().map(|column| self.at(*column)).collect();
        let from = if places.len() == 1 { places[0].clone() } else { format!("[{}]", places.join(", ")) };
        let mut keys = vec![("from", from)];
        keys.extend(form.keys.iter().cloned());
        let column = columns[0];
        let told_zone = self.zone(column).filter(|_| form.naive);
        if form.naive {
            keys.push(("zone", quoted(told_zone.as_deref().unwrap_or("UTC"))));
        }
        let mut entry = Entry::column("timestamp", &keys);
        if let Some(rival) = &form.rival {
            let value = self.values(column).into_iter().find(|value| !value.is_empty()).unwrap_or_default();
            entry = entry.doubt(format!("dates such as {} fit {rival} as well; check one you know", shown(value, 40)));
        }
        if form.naive && told_zone.is_none() {
            entry = entry.doubt(
                "these times carry no offset and UTC is a guess; name the zone of the sender, such as Europe/Zurich",
            );
        }
        if !self.shape.named && form.counts {
            entry = entry.note("told by the size of the numbers");
        }
        (entry, Some(column))
    }

    /// The zone that the name of a time column or a column of zones tells.
    fn zone(&self, column: usize) -> Option<String> {
        if self.profiles[column].name.split(' ').any(|word| matches!(word, "utc" | "gmt")) {
            return Some("UTC".to_owned());
        }
        let zones = self
            .profiles
            .iter()
            .find(|profile| profile.name.split(' ').any(|word| matches!(word, "zone" | "timezone" | "tz")))?;
        let [(zone, _)] = zones.common.as_slice() else { return None };
        let zone = if zone == "GMT" { "UTC" } else { zone };
        Zone::named(zone).map(|_| zone.to_owned())
    }

    /// Whole numbers that rise through a day that only the name of the file can tell.
    fn since_midnight(&self) -> Option<(Entry, usize)> {
        let fits = |column: &usize| {
            let name = &self.profiles[*column].name;
            self.is_free(*column) && (!self.shape.named || words::weight(Role::Time, name) > 0)
        };
        let found = (0..self.profiles.len())
            .filter(fits)
            .find_map(|column| Some((column, times::day_count(&self.values(column))?)));
        let (column, unit) = found?;
        self.take(column);
        let told = self.hints.iter().find_map(|hint| times::date_in(hint));
        let date = told.clone().unwrap_or_else(|| "2000-01-01".to_owned());
        let keys = [
            ("from", self.at(column)),
            ("format", "\"since_midnight\"".to_owned()),
            ("unit", quoted(unit)),
            ("date", quoted(&date)),
            ("zone", "\"UTC\"".to_owned()),
        ];
        let day = match told {
            Some(date) => format!("the numbers count from a midnight; {date} in UTC is taken from the name of the file"),
            None => "placeholder: the numbers count from a midnight, and nothing tells of which day; put the date and the zone".to_owned(),
        };
        Some((Entry::column("timestamp", &keys).doubt(day), column))
    }

    /// An entry for a column of numbers, with how it is written where `general` does not say so.
    pub(super) fn number(&self, target: &str, column: usize, general: &Form) -> Entry {
        self.take(column);
        let mut keys = vec![("from", self.at(column))];
        keys.extend(self.marks(column, general));
        Entry::column(target, &keys)
    }

    /// What a column says of its numbers where they are not written as `general` says.
    pub(super) fn marks(&self, column: usize, general: &Form) -> Vec<(&'static str, String)> {
        let own = self.profiles[column].evidence.form();
        if own.decimal == general.decimal
            || self.profiles[column].evidence.whole == self.profiles[column].evidence.numbers
        {
            return Vec::new();
        }
        let mut keys = vec![("decimal", quoted(&own.decimal.to_string()))];
        // What the general form drops must not be dropped here when it is this column's decimal mark.
        keys.push((
            "thousands",
            quoted(&own.thousands.unwrap_or(if own.decimal == ',' { '.' } else { ',' }).to_string()),
        ));
        keys
    }

    /// How most numbers of the file are written: what `columns` show, and others where they agree with them.
    pub(super) fn form(&self, columns: &[usize]) -> Form {
        let mut evidence = Evidence::default();
        for column in columns {
            evidence.join(&self.profiles[*column].evidence);
        }
        for (column, profile) in self.profiles.iter().enumerate() {
            let telling = profile.evidence.is_numeric() && profile.time.is_none() && !profile.evidence.form().unsure;
            if telling && !columns.contains(&column) {
                evidence.join(&profile.evidence.without_symbols());
            }
        }
        evidence.form()
    }

    /// `[number]`, when numbers are not written plainly.
    pub(super) fn number_section(&self, form: &Form) -> Vec<Entry> {
        let mut entries = Vec::new();
        if form.decimal != '.' {
            entries.push(Entry::new("decimal", quoted(&form.decimal.to_string())));
        }
        if let Some(thousands) = form.thousands {
            let entry = Entry::new("thousands", quoted(&thousands.to_string()));
            entries.push(match form.unsure {
                true => entry.doubt("numbers such as 1,234 may have a decimal comma instead; if so: decimal = \",\" and thousands = \".\""),
                false => entry,
            });
        }
        if !form.strip.is_empty() {
            entries.push(Entry::new("strip", quoted(&form.strip)));
        }
        if form.plus {
            entries.push(Entry::new("plus", "true"));
        }
        entries
    }

    /// The columns that nothing was read from.
    pub(super) fn unmapped(&self) -> Vec<String> {
        let free = (0..self.profiles.len()).filter(|column| self.is_free(*column));
        let told = free.map(|column| shown(&self.shape.columns[column].shown(), 60));
        told.filter(|name| !name.is_empty()).take(60).collect()
    }

    /// Ends a draft: what the format is, what is left over.
    pub(super) fn close(&self, mut draft: Draft, form: &Form) -> Draft {
        draft.format = self.shape.format.clone();
        draft.number = self.number_section(form);
        draft.unmapped = self.unmapped();
        draft
    }

    /// Whether `column` holds words rather than numbers or times.
    pub(super) fn is_text(&self, column: usize) -> bool {
        let profile = &self.profiles[column];
        profile.filled > 0 && !profile.evidence.is_numeric() && profile.time.is_none()
    }
}

/// A required value that is nowhere: a text that every row is refused for, so that it cannot be overlooked.
pub(super) fn unknown(target: &str, what: &str) -> Entry {
    let doubt = format!("placeholder: no column looks like {what}, and every row is refused until one is named");
    Entry::column(target, &[("const", "\"?\"".to_owned())]).doubt(doubt)
}
