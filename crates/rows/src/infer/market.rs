//! Trades and bars: which columns hold what, by name where there are names, else by what the numbers do.

use crate::contract::Kind;

use super::draft::{Draft, Entry, quoted, shown};
use super::numbers::Form;
use super::ohlc;
use super::view::{Profile, View};
use super::words::{self, Role};

const PRICES: [(Role, &str); 4] =
    [(Role::Open, "open"), (Role::High, "high"), (Role::Low, "low"), (Role::Close, "close")];

/// Words in the column of a ticker that are none.
const NO_TICKERS: &[&str] = &[
    "ANY", "BUY", "SELL", "BID", "ASK", "BUYER", "SELLER", "LONG", "SHORT", "NONE", "NULL", "NAN", "TRUE", "FALSE",
    "DEBIT", "CREDIT",
];

/// Bars, if there are open, high, low and close.
pub(super) fn bars(view: &View<'_>) -> Option<Draft> {
    view.forget();
    let (prices, told) = if view.shape.named { (named_prices(view)?, true) } else { (found_prices(view)?, false) };
    prices.iter().for_each(|column| view.take(*column));
    let (time, time_column) = view.timestamp();
    let volume = match view.shape.named {
        true => view.best_number(Role::Volume).map(|(column, _)| column),
        false => free_numbers(view).into_iter().min_by_key(|column| (*column < prices[3], *column)),
    };
    let symbol = symbol(view);
    let numeric: Vec<usize> = prices.iter().copied().chain(volume).collect();
    let form = view.form(&numeric);
    let mut draft = Draft::new(Kind::Bars);
    draft.score = 100 + 10 * i32::from(time_column.is_some()) + 10 * i32::from(volume.is_some());
    draft.missing = usize::from(time_column.is_none());
    draft.columns.extend([symbol.0, time]);
    for ((_, target), column) in PRICES.into_iter().zip(prices) {
        let entry = view.number(target, column, &form);
        let entry = if target == "open" { with_noise(view, column, entry) } else { entry };
        draft.columns.push(match (told, target) {
            (false, "open") => {
                entry.doubt("open, high, low and close are told by which is the greatest and the least; check one bar")
            }
            _ => entry,
        });
    }
    draft.columns.push(match volume {
        Some(column) if told => view.number("volume", column, &form),
        Some(column) => {
            view.number("volume", column, &form).doubt("taken for the volume because it is a number and nothing else")
        }
        None => Entry::column("volume", &[("const", "\"0\"".to_owned())])
            .doubt("placeholder: no column looks like a volume"),
    });
    Some(view.close(draft, &form))
}

fn named_prices(view: &View<'_>) -> Option<[usize; 4]> {
    let mut columns = [0; 4];
    for (place, (role, _)) in PRICES.into_iter().enumerate() {
        let (column, _) = view.best_number(role)?;
        view.take(column);
        columns[place] = column;
    }
    Some(columns)
}

fn found_prices(view: &View<'_>) -> Option<[usize; 4]> {
    // The time may look like a price.
    let (_, time) = view.timestamp();
    let free = free_numbers(view);
    view.forget();
    let form = view.form(&free);
    let columns: Vec<Vec<Option<f64>>> = free.iter().map(|column| numbers(view, *column, &form)).collect();
    let falling = time.and_then(|column| view.profiles[column].time.as_ref()).is_some_and(|form| form.falling);
    let found = ohlc::find(&columns, falling)?;
    (time.is_some() || free.len() > 4).then_some(found.map(|place| free[place]))
}

fn free_numbers(view: &View<'_>) -> Vec<usize> {
    let numeric = |column: &usize| view.is_free(*column) && view.profiles[*column].evidence.is_numeric();
    (0..view.profiles.len()).filter(numeric).collect()
}

/// Numbers to compare, not to add: a guess needs no exactness.
fn numbers(view: &View<'_>, column: usize, form: &Form) -> Vec<Option<f64>> {
    let notation = form.notation(true);
    let number =
        |value: &&str| notation.parse(value.as_bytes()).ok().and_then(|number| number.to_string().parse().ok());
    view.values(column).iter().map(number).collect()
}

fn with_noise(view: &View<'_>, column: usize, entry: Entry) -> Entry {
    let noisy = |value: &&str| {
        value.split_once('.').is_some_and(|(_, decimals)| decimals.len() > 10 && !decimals.contains(['e', 'E']))
    };
    match view.values(column).into_iter().find(noisy) {
        Some(value) => entry.note(format!(
            "prices such as {} come from binary floating point; if they are points rather than prices, add scale = \"0.00001\" or the like",
            shown(value, 40)
        )),
        None => entry,
    }
}

/// Trades, if there are a price and a volume.
pub(super) fn trades(view: &View<'_>) -> Option<Draft> {
    view.forget();
    let (price, volume, time, time_column) = if view.shape.named {
        let (price, _) = view.best_number(Role::Price)?;
        view.take(price);
        let (volume, _) = view.best_number(Role::Volume)?;
        view.take(volume);
        let (time, time_column) = view.timestamp();
        (price, volume, time, time_column)
    } else {
        let (time, time_column) = view.timestamp();
        time_column?;
        let (price, volume) = price_and_volume(view)?;
        (price, volume, time, time_column)
    };
    view.take(price);
    view.take(volume);
    let (symbol, has_symbol) = symbol(view);
    let form = view.form(&[price, volume]);
    let mut draft = Draft::new(Kind::Trades);
    let (of_transactions, of_trades) = words::leanings(view.profiles.iter().map(|profile| profile.name.as_str()));
    let names = 10 * (of_trades.min(3) as i32 - of_transactions.min(3) as i32);
    draft.score = if view.shape.named { 60 } else { 50 } + 25 * i32::from(has_symbol) + names;
    draft.missing = usize::from(time_column.is_none());
    draft.columns.push(symbol);
    let entry = view.number("price", price, &form);
    draft.columns.push(match view.shape.named {
        true => entry,
        false => entry.doubt("the number that varies less is taken for the price, the other for the volume"),
    });
    draft.columns.push(view.number("volume", volume, &form));
    draft.columns.push(time);
    order(view, &mut draft);
    Some(view.close(draft, &form))
}

/// What tells the order of trades at the same time.
fn order(view: &View<'_>, draft: &mut Draft) {
    if let Some((column, _)) = view.best_number(Role::Sequence) {
        view.take(column);
        draft.columns.push(Entry::column("sequence", &[("from", view.at(column))]));
        return;
    }
    if !view.shape.named {
        return;
    }
    let rows = view.shape.rows;
    let Some((column, _)) = view.best(Role::TradeId, |profile| (profile.filled == rows).then_some(0)) else { return };
    view.take(column);
    draft.columns.push(Entry::column("trade_id", &[("from", view.at(column))]));
    let profile = &view.profiles[column];
    if profile.evidence.numbers < profile.filled {
        draft
            .bars
            .push(Entry::new("order", "\"position\"").note("the trade ids are no numbers that could order the trades"));
    }
}

/// Of two columns of numbers the price is the one that varies less.
fn price_and_volume(view: &View<'_>) -> Option<(usize, usize)> {
    let free = free_numbers(view);
    let form = view.form(&free);
    let mut spread: Vec<(f64, usize)> = Vec::new();
    for column in free {
        let numbers: Vec<f64> = numbers(view, column, &form).into_iter().flatten().collect();
        let mean = numbers.iter().sum::<f64>() / numbers.len().max(1) as f64;
        if numbers.iter().any(|number| *number < 0.0) || mean <= 0.0 {
            continue;
        }
        let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / numbers.len() as f64;
        spread.push((variance.sqrt() / mean, column));
    }
    // Two columns that are there for sure; of more the first two.
    spread.truncate(2);
    spread.sort_by(|left, right| left.0.total_cmp(&right.0));
    match spread.as_slice() {
        [(_, price), (_, volume)] => Some((*price, *volume)),
        _ => None,
    }
}

/// The entry of `symbol`, and whether the file tells it.
fn symbol(view: &View<'_>) -> (Entry, bool) {
    let rows = view.shape.rows;
    let short = |profile: &Profile| {
        let words = profile.common.iter().all(|(value, _)| value.chars().count() <= 40);
        let number = profile.evidence.is_numeric() || profile.time.is_some();
        (profile.filled * 10 >= rows * 9 && words && !number).then_some(0)
    };
    if let Some((column, _)) = view.best(Role::Symbol, short) {
        view.take(column);
        return (Entry::column("symbol", &[("from", view.at(column))]), true);
    }
    let derived =
        (0..view.profiles.len()).filter(|column| view.is_free(*column)).find_map(|column| from_channel(view, column));
    if let Some(entry) = derived {
        return (entry, true);
    }
    if !view.shape.named
        && let Some(column) =
            (0..view.profiles.len()).find(|column| view.is_free(*column) && looks_like_tickers(view, *column))
    {
        view.take(column);
        let entry = Entry::column("symbol", &[("from", view.at(column))]);
        return (entry.doubt("taken for the symbol by the look of its values"), true);
    }
    let entry = Entry::column("symbol", &[("const", "\"SYMBOL\"".to_owned())]);
    (entry.doubt("placeholder: the file does not name what is traded; put its symbol here"), false)
}

/// `live_trades_ethusd` tells of trades and names a symbol.
fn from_channel(view: &View<'_>, column: usize) -> Option<Entry> {
    let profile = &view.profiles[column];
    let is_channel = profile.name.split(' ').any(|word| matches!(word, "channel" | "stream" | "topic"));
    if !is_channel || profile.filled < view.shape.rows {
        return None;
    }
    let first = profile.common.first()?.0.as_str();
    let words = ["executions", "execution", "trades", "trade", "matches", "match", "candles", "candle", "kline"];
    let end = words.iter().find_map(|word| first.find(word).map(|at| at + word.len()))?;
    let rest = first[end..].trim_start_matches(['_', '.', ':', '@', '-', '/']);
    let prefix = &first[..first.len() - rest.len()];
    let names: Option<Vec<&str>> =
        profile.common.iter().map(|(value, _)| value.strip_prefix(prefix).filter(|name| !name.is_empty())).collect();
    let lower = names?.iter().any(|name| name.chars().any(char::is_lowercase));
    view.take(column);
    let mut keys = vec![("from", view.at(column)), ("strip_prefix", quoted(prefix))];
    if lower {
        keys.push(("upper", "true".to_owned()));
    }
    Some(Entry::column("symbol", &keys))
}

fn looks_like_tickers(view: &View<'_>, column: usize) -> bool {
    let profile = &view.profiles[column];
    let ticker = |value: &str| {
        (2..=20).contains(&value.len())
            && value
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_/.:=^".contains(&byte))
            && value.bytes().any(|byte| byte.is_ascii_uppercase())
            && !NO_TICKERS.contains(&value)
    };
    view.is_text(column) && profile.filled == view.shape.rows && profile.common.iter().all(|(value, _)| ticker(value))
}
