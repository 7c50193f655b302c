//! Where the amount of a transaction comes from: one column, one for each way, or a quantity times a price.

use super::draft::{Entry, inline, quoted};
use super::numbers::Form;
use super::view::{Profile, View, unknown};
use super::words::{self, Role};

/// A name this sure is believed over a pair of columns.
const SURE: i32 = 90;

/// Where the amount comes from.
pub(super) enum Amount {
    One { column: usize, sign: Option<(usize, String)>, sure: bool },
    TwoWays { credit: usize, debit: usize, negative_debit: bool },
    Product { quantity: usize, price: usize },
    Nowhere,
}

/// Finds it, and takes the columns.
pub(super) fn find(view: &View<'_>) -> Amount {
    let rows = view.shape.rows;
    let one = view.best_number(Role::Amount);
    if let Some((column, points)) = one
        && points >= SURE
        && view.profiles[column].filled * 10 >= rows * 9
    {
        return single(view, column, true);
    }
    if let Some(amount) = two_ways(view) {
        return amount;
    }
    if let Some((column, _)) = one {
        return single(view, column, true);
    }
    if let Some(amount) = product(view) {
        return amount;
    }
    let number = |column: &usize| {
        let profile = &view.profiles[*column];
        view.is_free(*column) && profile.evidence.is_numeric() && profile.time.is_none() && profile.filled * 2 > rows
    };
    let free: Vec<usize> = (0..view.profiles.len()).filter(number).collect();
    let broken =
        free.iter().find(|column| view.profiles[**column].evidence.whole < view.profiles[**column].evidence.numbers);
    match broken.or(free.first()) {
        Some(column) => single(view, *column, false),
        None => Amount::Nowhere,
    }
}

fn single(view: &View<'_>, column: usize, sure: bool) -> Amount {
    view.take(column);
    let sign = if view.profiles[column].evidence.negatives == 0 { sign(view) } else { None };
    if let Some((column, _)) = &sign {
        view.take(*column);
    }
    Amount::One { column, sign, sure }
}

/// The column that tells which way the money goes, and its word for out.
fn sign(view: &View<'_>) -> Option<(usize, String)> {
    let tells = |profile: &Profile| {
        let all = profile.common.iter().all(|(value, _)| words::goes_out(value).is_some());
        let letters = profile.common.iter().any(|(value, _)| value.len() > 1) || profile.distinct == 2;
        profile.filled == view.shape.rows && all && letters && profile.distinct <= 4
    };
    let column = (0..view.profiles.len()).find(|column| view.is_free(*column) && tells(&view.profiles[*column]))?;
    let out = view.profiles[column].common.iter().find(|(value, _)| words::goes_out(value) == Some(true))?;
    Some((column, out.0.clone()))
}

fn two_ways(view: &View<'_>) -> Option<Amount> {
    let number = |profile: &Profile| (profile.evidence.is_numeric() || profile.filled == 0).then_some(0);
    let (credit, _) = view.best(Role::Credit, number)?;
    view.take(credit);
    let debit = view.best(Role::Debit, number).map(|(column, _)| column).filter(|debit| {
        let pairs = view.values(credit).into_iter().zip(view.values(*debit));
        let single = pairs.filter(|(credit, debit)| credit.is_empty() != debit.is_empty()).count();
        single * 10 >= view.shape.rows * 9
    });
    let Some(debit) = debit else {
        view.give_back(credit);
        return None;
    };
    view.take(debit);
    let negative_debit = view.profiles[debit].evidence.negatives > 0;
    Some(Amount::TwoWays { credit, debit, negative_debit })
}

fn product(view: &View<'_>) -> Option<Amount> {
    let (quantity, _) = view.best_number(Role::Quantity)?;
    view.take(quantity);
    let Some((price, _)) = view.best_number(Role::UnitPrice) else {
        view.give_back(quantity);
        return None;
    };
    view.take(price);
    Some(Amount::Product { quantity, price })
}

impl Amount {
    /// The columns that hold numbers.
    pub(super) fn columns(&self) -> Vec<usize> {
        match self {
            Amount::One { column, .. } => vec![*column],
            Amount::TwoWays { credit, debit, .. } => vec![*credit, *debit],
            Amount::Product { quantity, price } => vec![*quantity, *price],
            Amount::Nowhere => Vec::new(),
        }
    }

    /// Whether names speak for it.
    pub(super) fn is_sure(&self) -> bool {
        matches!(self, Amount::One { sure: true, .. } | Amount::TwoWays { .. })
    }

    pub(super) fn entry(&self, view: &View<'_>, form: &Form) -> Entry {
        match self {
            Amount::One { column, sign, sure } => {
                let mut keys = vec![("from", view.at(*column))];
                keys.extend(view.marks(*column, form));
                if let Some((tells, out)) = sign {
                    keys.push(("negative_when", inline(&[("column", view.at(*tells)), ("equals", quoted(out))])));
                }
                let entry = Entry::column("amount", &keys);
                if *sure { entry } else { entry.doubt("taken for the amount because it is a number; no name says so") }
            }
            Amount::TwoWays { credit, debit, negative_debit } => {
                let mut keys = vec![("credit", view.at(*credit)), ("debit", view.at(*debit))];
                if !negative_debit {
                    return Entry::column("amount", &keys);
                }
                keys.push(("strip", quoted("-")));
                let doubt = "money out has a minus of its own, which is dropped because `debit` counts negative anyway";
                Entry::column("amount", &keys).doubt(doubt)
            }
            Amount::Product { quantity, price } => {
                let both = format!("[{}, {}]", view.at(*quantity), view.at(*price));
                let entry = Entry::column("amount", &[("multiply", both)]);
                entry.doubt("no column holds the amount; it is taken for the product of these two")
            }
            Amount::Nowhere => unknown("amount", "an amount"),
        }
    }

    /// The currency that signs or names tell, and why it is in doubt.
    pub(super) fn currency(&self, view: &View<'_>) -> (&'static str, &'static str) {
        let columns = self.columns();
        let by_sign = columns.iter().find_map(|column| match view.profiles[*column].evidence.sign()? {
            '€' => Some("EUR"),
            '£' => Some("GBP"),
            '₹' => Some("INR"),
            '$' => Some("USD"),
            '¥' => Some("JPY"),
            _ => None,
        });
        if let Some(code) = by_sign {
            return (code, "no column tells a currency; this is what the sign in the amounts may stand for");
        }
        let names =
            columns.iter().map(|column| view.profiles[*column].name.to_uppercase()).collect::<Vec<_>>().join(" ");
        let word = names.split(' ').filter(|word| word.len() == 3);
        let mut codes = word.filter_map(|word| crate::currency::check(word.as_bytes()).ok());
        match codes.next() {
            Some(code) => (code.code(), "no column tells a currency; this stands in the name of the column of amounts"),
            None => ("USD", "placeholder: the file does not tell the currency; put its ISO 4217 code here"),
        }
    }
}
