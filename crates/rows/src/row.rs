//! One row, checked with every reason told. This is the meaning of a contract; the quick path of `batch` only
//! accepts rows that these functions would accept with the same values.

use std::borrow::Cow;

use crate::currency::{self, Currency, CurrencyFault};
use crate::decimal::{Decimal, NumberFault};
use crate::plan::{
    Amount, AmountForm, BarChecks, CurrencyCheck, Extra, ExtraRule, Fetched, Id, Number, Sequence, Text, TextSource,
    Time, TradeChecks, TransactionChecks,
};
use crate::reason::{ReasonId, Reasons};
use crate::time::TimeFault;

/// A trade; its values mean something only when there is no reason against it.
#[derive(Debug)]
pub(crate) struct Trade<'a> {
    pub symbol: Cow<'a, [u8]>,
    pub price: Decimal,
    pub volume: Option<Decimal>,
    pub time: i64,
    pub sequence: u64,
    pub trade_id: Option<Cow<'a, [u8]>>,
}

/// A bar.
#[derive(Debug)]
pub(crate) struct Bar<'a> {
    pub symbol: Cow<'a, [u8]>,
    /// Open, high, low, close.
    pub prices: [Decimal; 4],
    pub volume: Option<Decimal>,
    pub time: i64,
    pub sequence: u64,
}

/// A transaction.
#[derive(Debug)]
pub(crate) struct Transaction<'a> {
    /// None when the line is the id.
    pub id: Option<Cow<'a, [u8]>>,
    pub amount: Option<Decimal>,
    pub currency: Option<Currency>,
    pub time: i64,
    pub merchant: Cow<'a, [u8]>,
    pub status: Option<Status>,
}

/// The states of a transaction, in the order of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    Completed,
    Failed,
    Pending,
}

impl Status {
    pub const ALL: [Status; 3] = [Status::Completed, Status::Failed, Status::Pending];

    #[inline]
    pub fn read(text: &[u8]) -> Option<Status> {
        match text {
            b"completed" => Some(Status::Completed),
            b"failed" => Some(Status::Failed),
            b"pending" => Some(Status::Pending),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Pending => "pending",
        }
    }
}

pub(crate) fn trade<'a>(checks: &'a TradeChecks, row: Fetched<'a>, reasons: &mut Reasons) -> Trade<'a> {
    let symbol = text(&checks.symbol, row, reasons);
    let price = number(&checks.price, row, reasons);
    if price.is_some_and(|price| price <= Decimal::ZERO) {
        reasons.add(checks.non_positive_price);
    }
    let volume = number(&checks.volume, row, reasons);
    if volume.is_some_and(|volume| volume < Decimal::ZERO) {
        reasons.add(checks.negative_volume);
    }
    let time = time(&checks.time, row, reasons);
    let sequence = checks.sequence.as_ref().map_or(0, |check| sequence(check, row, reasons));
    let trade_id = checks.trade_id.as_ref().map(|source| source.text(row));
    Trade { symbol, price: price.unwrap_or_default(), volume, time, sequence, trade_id }
}

pub(crate) fn bar<'a>(checks: &'a BarChecks, row: Fetched<'a>, reasons: &mut Reasons) -> Bar<'a> {
    let symbol = text(&checks.symbol, row, reasons);
    let mut prices = [Decimal::ZERO; 4];
    let mut complete = true;
    for ((check, non_positive), price) in checks.prices.iter().zip(&mut prices) {
        match number(check, row, reasons) {
            Some(value) => {
                *price = value;
                if value <= Decimal::ZERO {
                    reasons.add(*non_positive);
                }
            }
            None => complete = false,
        }
    }
    let volume = number(&checks.volume, row, reasons);
    if volume.is_some_and(|volume| volume < Decimal::ZERO) {
        reasons.add(checks.negative_volume);
    }
    let [open, high, low, close] = prices;
    if complete && (high < open.max(close).max(low) || low > open.min(close).min(high)) {
        reasons.add(checks.inconsistent);
    }
    let time = time(&checks.time, row, reasons);
    let sequence = checks.sequence.as_ref().map_or(0, |check| sequence(check, row, reasons));
    Bar { symbol, prices, volume, time, sequence }
}

pub(crate) fn transaction<'a>(
    checks: &'a TransactionChecks,
    row: Fetched<'a>,
    reasons: &mut Reasons,
) -> Transaction<'a> {
    let id = match &checks.id {
        Id::Line => None,
        Id::Text(check) => Some(text(check, row, reasons)),
    };
    let amount = amount(&checks.amount, row, reasons);
    let currency = currency_of(&checks.currency, row, reasons);
    let time = time(&checks.time, row, reasons);
    let merchant = checks.merchant.source.text(row);
    if is_blank(&merchant) {
        reasons.add(checks.merchant.missing);
    }
    let status_text = text(&checks.status, row, reasons);
    let status = Status::read(&status_text);
    if status.is_none() && !status_text.is_empty() {
        reasons.add(checks.invalid_status);
    }
    Transaction { id, amount, currency, time, merchant, status }
}

/// The checks of the sender's own columns.
pub(crate) fn extras(extras: &[Extra], row: Fetched<'_>, reasons: &mut Reasons) {
    for extra in extras {
        let value = extra.source.text(row);
        if value.is_empty() {
            if extra.required {
                reasons.add(extra.missing);
            }
        } else if let Some(steps) = extra_fault(&extra.rule, &value) {
            reasons.add(extra.missing.after(steps));
        }
    }
}

/// White space only, as Unicode has it.
#[inline(always)]
pub(crate) fn is_blank(text: &[u8]) -> bool {
    match text.first() {
        None => true,
        Some(first) if first.is_ascii_graphic() => false,
        Some(_) => is_all_white(text),
    }
}

#[inline(never)]
fn is_all_white(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.chars().all(is_white))
}

/// Also the four separator characters that Python's `str.strip` takes for white space.
fn is_white(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

fn text<'a>(check: &'a Text, row: Fetched<'a>, reasons: &mut Reasons) -> Cow<'a, [u8]> {
    let text = check.source.text(row);
    if text.is_empty() {
        reasons.add(check.missing);
    }
    text
}

/// The four faults of a number, as steps from its `missing` reason.
fn number_step(fault: NumberFault) -> u8 {
    match fault {
        NumberFault::Missing => 0,
        NumberFault::Invalid => 1,
        NumberFault::OutOfRange => 2,
        NumberFault::TooManyDecimals => 3,
    }
}

fn settle(number: Result<Decimal, NumberFault>, missing: ReasonId, reasons: &mut Reasons) -> Option<Decimal> {
    match number {
        Ok(value) => Some(value),
        Err(fault) => {
            reasons.add(missing.after(number_step(fault)));
            None
        }
    }
}

fn number(check: &Number, row: Fetched<'_>, reasons: &mut Reasons) -> Option<Decimal> {
    settle(check.notation.parse(&check.source.text(row)), check.missing, reasons)
}

fn amount(check: &Amount, row: Fetched<'_>, reasons: &mut Reasons) -> Option<Decimal> {
    let parse = |source: &TextSource| check.notation.parse(&source.text(row));
    let amount = match &check.form {
        AmountForm::One(source) => parse(source),
        AmountForm::Product([left, right]) => {
            let (left, right) = (parse(left), parse(right));
            left.and_then(|left| left.checked_mul(right?))
        }
        AmountForm::CreditDebit { credit, debit } => match (credit.text(row).is_empty(), debit.text(row).is_empty()) {
            (false, false) => Err(NumberFault::Invalid),
            (false, true) => parse(credit),
            (true, _) => parse(debit).map(Decimal::negated),
        },
    };
    let negative = check.negative_when.as_ref().is_some_and(|(source, value)| *source.text(row) == **value);
    let amount = if negative { amount.map(Decimal::negated) } else { amount };
    settle(amount, check.missing, reasons)
}

fn currency_of(check: &CurrencyCheck, row: Fetched<'_>, reasons: &mut Reasons) -> Option<Currency> {
    match currency::check(&check.source.text(row)) {
        Ok(currency) => Some(currency),
        Err(fault) => {
            reasons.add(check.missing.after(currency_step(fault)));
            None
        }
    }
}

fn currency_step(fault: CurrencyFault) -> u8 {
    match fault {
        CurrencyFault::Missing => 0,
        CurrencyFault::Invalid => 1,
        CurrencyFault::Unknown => 2,
        CurrencyFault::Unsupported => 3,
    }
}

fn time(check: &Time, row: Fetched<'_>, reasons: &mut Reasons) -> i64 {
    match check.reading.parse(&check.source.text(row)) {
        Ok(time) => time,
        Err(fault) => {
            let steps = match fault {
                TimeFault::Missing => 0,
                TimeFault::Invalid => 1,
                TimeFault::WithoutOffset => 2,
                TimeFault::OutOfRange => 3,
            };
            reasons.add(check.missing.after(steps));
            0
        }
    }
}

fn sequence(check: &Sequence, row: Fetched<'_>, reasons: &mut Reasons) -> u64 {
    let text = check.source.text(row);
    match whole(&text) {
        Some(value) => value,
        None => {
            reasons.add(check.missing.after(u8::from(!text.is_empty())));
            0
        }
    }
}

/// A whole number without sign.
pub(crate) fn whole(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// 1: invalid, 2: out of range, as steps from the extra's `missing` reason.
fn extra_fault(rule: &ExtraRule, value: &[u8]) -> Option<u8> {
    match rule {
        ExtraRule::Text { one_of } => (!one_of.is_empty() && !one_of.iter().any(|known| known == value)).then_some(1),
        ExtraRule::Number { notation, whole, min, max } => match notation.parse(value) {
            Err(NumberFault::OutOfRange) => Some(2),
            Err(_) => Some(1),
            Ok(number) if *whole && !number.is_whole() => Some(1),
            Ok(number) => {
                let outside = min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max);
                outside.then_some(2)
            }
        },
        ExtraRule::Time(reading) => match reading.parse(value) {
            Err(TimeFault::OutOfRange) => Some(2),
            Err(_) => Some(1),
            Ok(_) => None,
        },
        ExtraRule::Currency => match currency::check(value) {
            Err(CurrencyFault::Missing | CurrencyFault::Invalid) => Some(1),
            Err(_) => Some(2),
            Ok(_) => None,
        },
    }
}
