//! The single checks of a plan: one function for each kind of column.

use super::super::source::Place;
use super::*;
use crate::contract::{Check, Column, From};
use crate::decimal::Scale;
use crate::time::{self, Format, Pattern, Unit};

const TEXT_OPTIONS: &[&str] = &["strip_prefix", "upper", "map"];
const NUMBER_OPTIONS: &[&str] = &["decimal", "thousands", "strip", "plus", "scale"];
const TIME_OPTIONS: &[&str] = &["format", "unit", "zone", "space", "date_only", "date", "origin"];
const EXTRA_OPTIONS: &[&str] = &["type", "required", "one_of", "min", "max"];
const EXTRAS_MAX: usize = 24;
/// What to do about a number that is out of range, or has too many decimals.
const NUMBER_BOUNDS: [&str; 2] = ["values must be below 1e20 and have 38 digits at most", "18 decimals at most"];
const PRODUCT_BOUNDS: [&str; 2] = [
    "the two values must be below 1e20, their product below 1.7e20",
    "18 decimals at most, in the two values and in their product",
];

impl Compiler<'_> {
    pub(super) fn reason(&mut self, prefix: &str, column: &str, hint: &str) -> ReasonId {
        self.reasons.push(format!("{prefix}{column}"), column, hint)
    }

    /// A required column; tells when it is absent or carries options that mean nothing for it.
    fn column(&mut self, name: &str, allowed: &[&[&str]]) -> Option<Column> {
        let Some(column) = self.contract.columns.get(name) else {
            let kind = self.contract.kind.name();
            self.faults.push(format!("column `{name}` is missing; every {kind} contract needs it"));
            return None;
        };
        let set = toml::Table::try_from(column).expect("a column has a TOML form: it was read from one");
        for key in set.keys() {
            let common = matches!(key.as_str(), "from" | "const" | "optional");
            if !common && !allowed.iter().any(|group| group.contains(&key.as_str())) {
                self.faults.push(format!("columns.{name}: `{key}` means nothing for this column"));
            }
        }
        Some(column.clone())
    }

    fn slot(&mut self, at: &At) -> usize {
        match self.slots.iter().position(|known| known == at) {
            Some(slot) => slot,
            None => {
                self.slots.push(at.clone());
                self.slots.len() - 1
            }
        }
    }

    fn source(&mut self, name: &str, column: &Column) -> Option<TextSource> {
        // what an optional column is where the file lacks it; when a file came, nobody may have told
        let otherwise = column.optional == Some(true) && column.from.is_some() && column.constant.is_some();
        let is_from = otherwise && (self.present(column) || column.is_of_arrival());
        let place = match (&column.from, &column.constant) {
            (Some(From::One(at)), Some(_)) if is_from => Place::Slot(self.slot(at)),
            (Some(_), Some(value)) if otherwise && !is_from => Place::Constant(value.clone().into_bytes()),
            (Some(From::One(at)), None) => Place::Slot(self.slot(at)),
            (Some(From::Joined(places)), None) if !places.is_empty() => {
                Place::Joined(places.iter().map(|at| self.slot(at)).collect())
            }
            (None, Some(value)) => Place::Constant(value.clone().into_bytes()),
            _ => {
                self.faults.push(format!("columns.{name} needs either `from` or `const`"));
                return None;
            }
        };
        let bytes = |text: &String| text.clone().into_bytes();
        Some(TextSource {
            place,
            strip_prefix: column.strip_prefix.as_ref().map(bytes),
            upper: column.upper == Some(true),
            map: column.map.iter().map(|(theirs, ours)| (bytes(theirs), bytes(ours))).collect(),
        })
    }

    pub(super) fn text(&mut self, name: &str, more: &[&str], hint: &str) -> Option<Text> {
        let column = self.column(name, &[TEXT_OPTIONS, more]);
        let source = column.and_then(|column| self.source(name, &column));
        let missing = self.reason("missing_", name, hint);
        Some(Text { source: source?, missing })
    }

    /// A column that files and contracts may leave out.
    pub(super) fn optional_text(&mut self, name: &str) -> Option<TextSource> {
        let column = self.contract.columns.get(name)?;
        if column.optional == Some(true) && !self.present(column) {
            return None;
        }
        let column = self.column(name, &[TEXT_OPTIONS])?;
        self.source(name, &column)
    }

    fn present(&self, column: &Column) -> bool {
        match &column.from {
            Some(From::One(at)) => (self.has)(at),
            Some(From::Joined(places)) => places.iter().all(|at| (self.has)(at)),
            None => true,
        }
    }

    pub(super) fn sequence(&mut self) -> Option<Sequence> {
        let source = self.optional_text("sequence")?;
        let missing = self.reason("missing_", "sequence", "number every row, or drop the column");
        self.reason("invalid_", "sequence", "a sequence is a whole number from 0 to 18446744073709551615");
        Some(Sequence { source, missing })
    }

    pub(super) fn number(&mut self, name: &str, exponent: bool) -> Option<Number> {
        let column = self.column(name, &[NUMBER_OPTIONS]);
        let parts = column.and_then(|column| {
            let notation = self.notation(name, &column, exponent);
            Some((self.source(name, &column)?, notation?))
        });
        let missing = self.number_reasons(name, NUMBER_BOUNDS);
        let (source, notation) = parts?;
        Some(Number { source, notation, missing })
    }

    fn number_reasons(&mut self, name: &str, [range, decimals]: [&str; 2]) -> ReasonId {
        let missing = self.reason("missing_", name, "the value is empty");
        let form = "a number such as 1234.5: digits, a point, no spaces or marks; a contract can name other marks";
        self.reason("invalid_", name, form);
        self.reason("out_of_range_", name, range);
        self.reason("too_many_decimals_", name, decimals);
        missing
    }

    fn notation(&mut self, name: &str, column: &Column, exponent: bool) -> Option<Notation> {
        let general = &self.contract.number;
        let scale = column.scale.as_ref().or(general.scale.as_ref());
        let scale = match scale.map(|text| Scale::parse(text)) {
            None => None,
            Some(Ok(scale)) => Some(scale),
            Some(Err(why)) => {
                self.faults.push(format!("columns.{name}: {why}"));
                return None;
            }
        };
        Some(Notation {
            exponent,
            plus: column.plus.or(general.plus).unwrap_or(false),
            decimal: column.decimal.or(general.decimal).unwrap_or('.'),
            thousands: column.thousands.or(general.thousands),
            strip: column.strip.clone().or_else(|| general.strip.clone()).unwrap_or_default(),
            scale,
        })
    }

    pub(super) fn time(&mut self, name: &str) -> Option<Time> {
        let column = self.column(name, &[TIME_OPTIONS]);
        let parts = column.and_then(|column| {
            let reading = self.reading(name, &column);
            Some((self.source(name, &column)?, reading?))
        });
        let missing = self.reason("missing_", name, "the value is empty");
        self.reason("invalid_", name, "a time such as 2026-01-31T14:30:00Z; a contract can name other forms");
        let offset = "add Z or an offset such as +01:00, or name the zone in the contract";
        self.reasons.push(format!("{name}_without_offset"), name, offset);
        self.reasons.push(format!("{name}_out_of_range"), name, "times must lie between 1900 and 2100");
        let (source, reading) = parts?;
        Some(Time { source, reading, missing })
    }

    fn reading(&mut self, name: &str, column: &Column) -> Option<Reading> {
        let naive_zone = match &column.zone {
            Some(zone) => Some(self.zone(&format!("columns.{name}.zone"), zone)?),
            None => None,
        };
        let format = match column.format.as_deref().unwrap_or("iso") {
            "iso" => Format::Iso { space: column.space == Some(true), date_only: column.date_only == Some(true) },
            "epoch" => Format::Epoch(self.unit(name, column)?),
            "iso_or_epoch" => Format::IsoOrEpoch(self.unit(name, column)?),
            "since_midnight" => {
                let zone = naive_zone.clone().unwrap_or_else(Zone::utc);
                let date = column.date.as_deref().unwrap_or_default();
                let Some(midnight) = time::midnight(date, &zone) else {
                    self.faults.push(format!("columns.{name}: `date` is `{date}`, not a date such as 2026-01-31"));
                    return None;
                };
                Format::SinceMidnight { unit: self.unit(name, column)?, midnight }
            }
            "hours_since" => Format::HoursSince { origin: self.origin(name, column)? },
            pattern if pattern.contains('%') => match Pattern::compile(pattern) {
                Ok(pattern) => Format::Pattern(pattern),
                Err(why) => {
                    self.faults.push(format!("columns.{name}: format `{pattern}`: {why}"));
                    return None;
                }
            },
            other => {
                let known = "iso, epoch, iso_or_epoch, since_midnight, hours_since or a pattern with % fields";
                self.faults.push(format!("columns.{name}: format `{other}` is not one of {known}"));
                return None;
            }
        };
        Some(Reading { format, naive_zone })
    }

    fn origin(&mut self, name: &str, column: &Column) -> Option<i64> {
        let text = column.origin.as_deref().unwrap_or_default();
        let iso = Reading { format: Format::Iso { space: false, date_only: false }, naive_zone: None };
        let origin = iso.parse(text.as_bytes()).ok();
        if origin.is_none() {
            self.faults.push(format!("columns.{name}: `origin` is `{text}`, not a time with an offset"));
        }
        origin
    }

    fn unit(&mut self, name: &str, column: &Column) -> Option<Unit> {
        match column.unit.as_deref() {
            Some("s") => Some(Unit::S),
            Some("ms") => Some(Unit::Ms),
            Some("us") => Some(Unit::Us),
            Some("ns") => Some(Unit::Ns),
            other => {
                let shown = other.map_or("not there".to_owned(), |unit| format!("`{unit}`"));
                self.faults.push(format!("columns.{name}: `unit` is {shown}; it must be s, ms, us or ns"));
                None
            }
        }
    }

    pub(super) fn zone(&mut self, place: &str, name: &str) -> Option<Zone> {
        let zone = Zone::named(name);
        if zone.is_none() {
            self.faults.push(format!("{place} `{name}` is not a zone such as Europe/Zurich or +01:00"));
        }
        zone
    }

    pub(super) fn transaction_id(&mut self) -> Option<Id> {
        let name = "transaction_id";
        let by_line = self.contract.columns.get(name).is_some_and(|column| column.line == Some(true));
        let hint = "give every transaction an id of its own";
        if by_line {
            self.reason("missing_", name, hint);
            return Some(Id::Line);
        }
        self.text(name, &["line"], hint).map(Id::Text)
    }

    pub(super) fn amount(&mut self) -> Option<Amount> {
        let column = self.column("amount", &[NUMBER_OPTIONS, &["multiply", "credit", "debit", "negative_when"]]);
        let is_product = column.as_ref().is_some_and(|column| column.multiply.is_some());
        let parts = column.and_then(|column| {
            let notation = self.notation("amount", &column, false);
            let form = self.amount_form(&column);
            let negative_when = column
                .negative_when
                .as_ref()
                .map(|when| (TextSource::slot(self.slot(&when.column)), when.equals.clone().into_bytes()));
            Some((form?, notation?, negative_when))
        });
        let missing = self.number_reasons("amount", if is_product { PRODUCT_BOUNDS } else { NUMBER_BOUNDS });
        let (form, notation, negative_when) = parts?;
        Some(Amount { form, notation, missing, negative_when })
    }

    fn amount_form(&mut self, column: &Column) -> Option<AmountForm> {
        match (&column.multiply, &column.credit, &column.debit) {
            (None, None, None) => self.source("amount", column).map(AmountForm::One),
            (Some([left, right]), None, None) => {
                let pair = [self.slot(left), self.slot(right)];
                Some(AmountForm::Product(pair.map(TextSource::slot)))
            }
            (None, Some(credit), Some(debit)) => {
                let [credit, debit] = [self.slot(credit), self.slot(debit)].map(TextSource::slot);
                Some(AmountForm::CreditDebit { credit, debit })
            }
            _ => {
                self.faults.push("columns.amount needs `from`, `multiply`, or both `credit` and `debit`".into());
                None
            }
        }
    }

    pub(super) fn currency(&mut self, name: &str) -> Option<CurrencyCheck> {
        let column = self.column(name, &[TEXT_OPTIONS]);
        let source = column.and_then(|column| self.source(name, &column));
        let missing = self.reason("missing_", name, "name the currency by its ISO 4217 code");
        self.reason("invalid_", name, "three capital letters, such as EUR");
        self.reason("unknown_", name, "the code is not on the ISO 4217 list, or was withdrawn");
        self.reason("unsupported_", name, "the code is on the ISO 4217 list but is no money one can add up");
        Some(CurrencyCheck { source: source?, missing })
    }

    pub(super) fn extras(&mut self) -> Vec<Extra> {
        let contract = self.contract;
        let known = |name: &str| contract.kind.required().contains(&name) || contract.kind.optional().contains(&name);
        let names: Vec<&String> = contract.columns.keys().filter(|name| !known(name)).collect();
        if names.len() > EXTRAS_MAX {
            self.faults.push(format!("{} columns of the sender's own; {EXTRAS_MAX} can be checked", names.len()));
        }
        names.into_iter().take(EXTRAS_MAX).filter_map(|name| self.extra(name)).collect()
    }

    fn extra(&mut self, name: &str) -> Option<Extra> {
        let known = &self.contract.columns[name];
        if known.optional == Some(true) && !self.present(known) {
            return None;
        }
        let column = self.column(name, &[TEXT_OPTIONS, NUMBER_OPTIONS, TIME_OPTIONS, EXTRA_OPTIONS])?;
        let source = self.source(name, &column);
        let missing = self.reason("missing_", name, "the contract requires a value");
        self.reason("invalid_", name, "the value is not of the contract's type, or not one of its values");
        self.reason("out_of_range_", name, "the value lies outside the contract's bounds");
        let rule = match column.check.unwrap_or(Check::Text) {
            Check::Text => ExtraRule::Text { one_of: column.one_of.iter().map(|v| v.clone().into_bytes()).collect() },
            check @ (Check::Number | Check::Integer) => ExtraRule::Number {
                notation: self.notation(name, &column, false)?,
                whole: check == Check::Integer,
                min: self.bound(name, column.min.as_deref())?,
                max: self.bound(name, column.max.as_deref())?,
            },
            Check::Timestamp => ExtraRule::Time(self.reading(name, &column)?),
            Check::Currency => ExtraRule::Currency,
        };
        Some(Extra { source: source?, required: column.required == Some(true), missing, rule })
    }

    fn bound(&mut self, name: &str, text: Option<&str>) -> Option<Option<Decimal>> {
        let Some(text) = text else { return Some(None) };
        match Notation::default().parse(text.as_bytes()) {
            Ok(bound) => Some(Some(bound)),
            Err(_) => {
                self.faults.push(format!("columns.{name}: bound `{text}` is not a number"));
                None
            }
        }
    }
}
