//! The value a report shows for a column of the contract: the sender's own text, before it was translated.

use std::borrow::Cow;

use super::{AmountForm, Checks, Fetched, Id, Plan, TextSource};

impl Plan {
    /// The text of `column` in `row`.
    pub(crate) fn shown_value<'a>(&'a self, column: &str, row: Fetched<'a>) -> Cow<'a, [u8]> {
        if let Some(source) = self.shown_source(column) {
            return source.raw(row);
        }
        match (&self.checks, column) {
            (Checks::Transactions(checks), "amount") => match &checks.amount.form {
                AmountForm::One(source) => source.raw(row),
                AmountForm::Product([left, right]) => joined(left, b" * ", right, row),
                AmountForm::CreditDebit { credit, debit } => joined(credit, b" / ", debit, row),
            },
            _ => Cow::Borrowed(b""),
        }
    }

    fn shown_source(&self, column: &str) -> Option<&TextSource> {
        match (&self.checks, column) {
            (Checks::Trades(checks), "symbol") => Some(&checks.symbol.source),
            (Checks::Trades(checks), "price") => Some(&checks.price.source),
            (Checks::Trades(checks), "volume") => Some(&checks.volume.source),
            (Checks::Trades(checks), "timestamp") => Some(&checks.time.source),
            (Checks::Trades(checks), "sequence") => checks.sequence.as_ref().map(|check| &check.source),
            (Checks::Bars(checks), "symbol") => Some(&checks.symbol.source),
            (Checks::Bars(checks), "open") => Some(&checks.prices[0].0.source),
            (Checks::Bars(checks), "high") => Some(&checks.prices[1].0.source),
            (Checks::Bars(checks), "low") => Some(&checks.prices[2].0.source),
            (Checks::Bars(checks), "close") => Some(&checks.prices[3].0.source),
            (Checks::Bars(checks), "volume") => Some(&checks.volume.source),
            (Checks::Bars(checks), "timestamp") => Some(&checks.time.source),
            (Checks::Bars(checks), "sequence") => checks.sequence.as_ref().map(|check| &check.source),
            (Checks::Transactions(checks), "transaction_id") => match &checks.id {
                Id::Text(check) => Some(&check.source),
                Id::Line => None,
            },
            (Checks::Transactions(checks), "currency") => Some(&checks.currency.source),
            (Checks::Transactions(checks), "timestamp") => Some(&checks.time.source),
            (Checks::Transactions(checks), "merchant") => Some(&checks.merchant.source),
            (Checks::Transactions(checks), "status") => Some(&checks.status.source),
            _ => {
                let extra =
                    self.extras.iter().find(|extra| self.reasons.get(extra.missing).column.as_deref() == Some(column));
                extra.map(|extra| &extra.source)
            }
        }
    }
}

fn joined<'a>(left: &TextSource, mark: &[u8], right: &TextSource, row: Fetched<'a>) -> Cow<'a, [u8]> {
    Cow::Owned([&*left.raw(row), mark, &*right.raw(row)].concat())
}
