//! Transactions: where the id, the amount and the rest come from.

use crate::contract::Kind;
use crate::currency;

use super::amount;
use super::draft::{Draft, Entry, inline, quoted, shown};
use super::view::{Profile, View};
use super::words::{self, Role};

/// Different words that a column of states has at most.
const STATES_MAX: usize = 12;

/// Transactions. There is always a draft, in the worst case one of placeholders.
pub(super) fn transactions(view: &View<'_>) -> Draft {
    view.forget();
    let status = status_column(view);
    status.iter().for_each(|column| view.take(*column));
    let currency = currency_column(view);
    currency.iter().for_each(|column| view.take(*column));
    let id = id_column(view);
    if let Some((column, true)) = id {
        view.take(column);
    }
    let amount = amount::find(view);
    let (time, time_column) = view.timestamp();
    let merchant = merchant_column(view);
    merchant.iter().for_each(|column| view.take(*column));
    let form = view.form(&amount.columns());
    let mut draft = Draft::new(Kind::Transactions);
    draft.columns = vec![
        id_entry(view, id),
        amount.entry(view, &form),
        currency_entry(view, currency, &amount),
        time,
        merchant_entry(view, merchant),
        status_entry(view, status),
    ];
    let (of_transactions, of_trades) = words::leanings(view.profiles.iter().map(|profile| profile.name.as_str()));
    // A word in a column without a name may be anything.
    let has_merchant = merchant.is_some_and(|column| view.shape.named || is_wordy(view, column));
    let found = [
        id.is_some_and(|(_, unique)| unique),
        currency.is_some(),
        has_merchant,
        status.is_some(),
        time_column.is_some(),
    ];
    draft.score = 30
        + 10 * found.into_iter().filter(|found| *found).count() as i32
        + if amount.is_sure() { 20 } else { 0 }
        + 12 * (of_transactions.min(4) as i32)
        - 10 * (of_trades.min(3) as i32);
    draft.missing = usize::from(time_column.is_none()) + usize::from(amount.columns().is_empty());
    view.close(draft, &form)
}

/// The column of the id, and whether it has another in every row.
fn id_column(view: &View<'_>) -> Option<(usize, bool)> {
    let rows = view.shape.rows;
    let unique = |profile: &Profile| profile.filled == rows && profile.distinct == rows;
    let points = |profile: &Profile| match unique(profile) {
        true => Some(60),
        false if profile.filled * 2 > rows => Some(0),
        false => None,
    };
    let named = view.best(Role::Id, |profile| profile.time.is_none().then(|| points(profile)).flatten());
    if let Some((column, _)) = named {
        return Some((column, unique(&view.profiles[column])));
    }
    let code = |value: &str| {
        value.len() >= 6
            && value.bytes().any(|byte| byte.is_ascii_digit())
            && !value.contains([' ', '.', ',', '/', ':'])
    };
    let looks = |column: &usize| {
        let profile = &view.profiles[*column];
        unique(profile) && rows >= 3 && profile.time.is_none() && profile.common.iter().all(|(value, _)| code(value))
    };
    (0..view.profiles.len())
        .filter(|column| !view.shape.named && view.is_free(*column))
        .find(looks)
        .map(|column| (column, true))
}

fn id_entry(view: &View<'_>, id: Option<(usize, bool)>) -> Entry {
    let by_line = Entry::column("transaction_id", &[("line", "true".to_owned())]);
    match id {
        Some((column, true)) => {
            let entry = Entry::column("transaction_id", &[("from", view.at(column))]);
            match view.shape.named {
                true => entry,
                false => entry.doubt("taken for the id because no value comes twice"),
            }
        }
        Some((column, false)) => {
            let profile = &view.profiles[column];
            by_line.doubt(format!(
                "{} is no id of a row: {} different values in {} rows of {}. The line makes the id instead, so that a row sent again \
                 in another file is not noticed; name a column whose values never come twice if there is one",
                view.name(column),
                profile.distinct,
                profile.filled,
                view.shape.rows
            ))
        }
        None => by_line.doubt(
            "no column looks like an id. The line makes it, so that a row sent again in another file is not noticed",
        ),
    }
}

/// How many of the values are codes of money, in percent.
fn money_share(profile: &Profile) -> i32 {
    let total: usize = profile.common.iter().map(|(_, count)| count).sum();
    let is_money = |value: &str| currency::check(value.trim().to_uppercase().as_bytes()).is_ok();
    let money: usize = profile.common.iter().filter(|(value, _)| is_money(value)).map(|(_, count)| count).sum();
    (100 * money / total.max(1)) as i32
}

fn currency_column(view: &View<'_>) -> Option<usize> {
    let rows = view.shape.rows.max(1);
    let is_code = |profile: &Profile| {
        let short = |value: &str| {
            (2..=6).contains(&value.trim().len()) && value.trim().bytes().all(|byte| byte.is_ascii_alphabetic())
        };
        profile.filled * 2 > rows && profile.common.iter().all(|(value, _)| short(value))
    };
    let named = view.best(Role::Currency, |profile| is_code(profile).then(|| money_share(profile) / 2));
    let looks = |column: &usize| {
        let profile = &view.profiles[*column];
        let codes = profile
            .common
            .iter()
            .all(|(value, _)| value.len() == 3 && value.bytes().all(|byte| byte.is_ascii_uppercase()));
        view.is_free(*column) && profile.filled == rows && codes && money_share(profile) >= 90
    };
    named.map(|(column, _)| column).or_else(|| (0..view.profiles.len()).find(looks))
}

fn currency_entry(view: &View<'_>, column: Option<usize>, amount: &amount::Amount) -> Entry {
    let Some(column) = column else {
        let (code, why) = amount.currency(view);
        let entry = Entry::column("currency", &[("const", quoted(code))]);
        return entry.doubt(why);
    };
    let profile = &view.profiles[column];
    let mut keys = vec![("from", view.at(column))];
    if profile.common.iter().any(|(value, _)| value.chars().any(char::is_lowercase)) {
        keys.push(("upper", "true".to_owned()));
    }
    let entry = Entry::column("currency", &keys);
    let is_money = |value: &str| currency::check(value.trim().to_uppercase().as_bytes()).is_ok();
    let strange: Vec<String> = profile
        .common
        .iter()
        .filter(|(value, _)| !is_money(value))
        .take(5)
        .map(|(value, _)| shown(value, 12))
        .collect();
    match strange.is_empty() {
        true => entry,
        false => entry
            .doubt(format!("found {}: no ISO 4217 code of money, so that such rows are refused", strange.join(", "))),
    }
}

fn merchant_column(view: &View<'_>) -> Option<usize> {
    let rows = view.shape.rows.max(1) as i32;
    let points = |profile: &Profile| {
        let text = profile.filled > 0 && !profile.evidence.is_numeric() && profile.time.is_none();
        let constant = rows > 2 && profile.distinct == 1;
        // One that is often empty costs rows; a few empty ones still tell more than another column.
        let gaps = 60 * (rows - profile.filled as i32) / rows;
        text.then_some(-gaps - 45 * i32::from(constant))
    };
    let named = view.best(Role::Merchant, points).map(|(column, _)| column);
    let wordy = |column: usize| view.values(column).iter().filter(|value| value.trim().contains(' ')).count();
    let free = (0..view.profiles.len()).filter(|column| view.is_free(*column) && view.is_text(*column));
    named.or_else(|| free.max_by_key(|column| (wordy(*column), std::cmp::Reverse(*column))))
}

fn is_wordy(view: &View<'_>, column: usize) -> bool {
    view.profiles[column].common.iter().any(|(value, _)| value.trim().contains(' '))
}

fn merchant_entry(view: &View<'_>, column: Option<usize>) -> Entry {
    let Some(column) = column else {
        let entry = Entry::column("merchant", &[("const", "\"unknown\"".to_owned())]);
        return entry.doubt("placeholder: no column names who was paid");
    };
    let profile = &view.profiles[column];
    let (rows, filled) = (view.shape.rows, profile.filled);
    let mut entry = Entry::column("merchant", &[("from", view.at(column))]);
    if words::weight(Role::Merchant, &profile.name) < 75 {
        entry = entry.doubt(match view.shape.named {
            true => "no column is called merchant or the like; this one comes nearest",
            false => "taken for the merchant because it holds words",
        });
    }
    if filled < rows {
        entry = entry.doubt(format!("{} of {rows} rows have none and are refused", rows - filled));
    }
    entry
}

fn status_column(view: &View<'_>) -> Option<usize> {
    let points = |profile: &Profile| {
        let known = profile.common.iter().filter(|(value, _)| words::status(value).is_some()).count();
        let states = (1..=STATES_MAX).contains(&profile.distinct) && !profile.evidence.is_numeric();
        let exact = words::weight(Role::Status, &profile.name) >= 95;
        (states && (known > 0 || exact)).then_some(10 * known as i32)
    };
    let named = view.best(Role::Status, points).map(|(column, _)| column);
    let all_known = |column: &usize| {
        let profile = &view.profiles[*column];
        let known = |value: &str| words::status(value).is_some() && words::goes_out(value).is_none();
        profile.filled == view.shape.rows && profile.filled > 0 && profile.common.iter().all(|(value, _)| known(value))
    };
    named.or_else(|| (0..view.profiles.len()).find(all_known))
}

fn status_entry(view: &View<'_>, column: Option<usize>) -> Entry {
    let Some(column) = column else {
        let entry = Entry::column("status", &[("const", "\"completed\"".to_owned())]);
        return entry.doubt("placeholder: no column tells a status, so every row counts as completed");
    };
    let profile = &view.profiles[column];
    let mut map: Vec<(String, String)> = Vec::new();
    let mut strange = Vec::new();
    let ours = ["completed", "pending", "failed"];
    for (word, _) in &profile.common {
        match words::status(word) {
            Some(_) if ours.contains(&word.as_str()) => {}
            Some(status) => map.push((quoted(word), quoted(status))),
            None => strange.push(shown(word, 30)),
        }
    }
    map.sort();
    let mut keys = vec![("from", view.at(column))];
    if !map.is_empty() {
        let pairs: Vec<(&str, String)> = map.iter().map(|(word, status)| (word.as_str(), status.clone())).collect();
        keys.push(("map", inline(&pairs)));
    }
    let mut entry = Entry::column("status", &keys);
    if !map.is_empty() {
        let told: Vec<&str> = map.iter().map(|(word, _)| word.as_str()).collect();
        entry =
            entry.note(format!("the meaning of {} is taken from the words; other words are refused", told.join(", ")));
    }
    if !strange.is_empty() {
        let told = strange.join(", ");
        entry = entry.doubt(format!(
            "{told}: say in `map` whether this means completed, pending or failed; until then such rows are refused"
        ));
    }
    entry
}
