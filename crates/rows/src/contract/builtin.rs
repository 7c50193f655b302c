//! The contracts that ship with Millrace: three of its own, and presets for what known senders write.

use std::sync::OnceLock;

use super::Contract;

/// Name and text; the first three are the ones a header is matched against when no contract is named.
const TEXTS: &[(&str, &str)] = &[
    ("trades", include_str!("../../contracts/trades.toml")),
    ("bars", include_str!("../../contracts/bars.toml")),
    ("transactions", include_str!("../../contracts/transactions.toml")),
    ("bitbank-withdrawals", include_str!("../../contracts/bitbank-withdrawals.toml")),
    ("bitflyer-websocket", include_str!("../../contracts/bitflyer-websocket.toml")),
    ("bitmex-websocket", include_str!("../../contracts/bitmex-websocket.toml")),
    ("bitstamp-websocket", include_str!("../../contracts/bitstamp-websocket.toml")),
    ("coinbase-websocket", include_str!("../../contracts/coinbase-websocket.toml")),
    ("gateway-payments-inr", include_str!("../../contracts/gateway-payments-inr.toml")),
    ("gateway-refunds-inr", include_str!("../../contracts/gateway-refunds-inr.toml")),
    ("gct-binance-candles", include_str!("../../contracts/gct-binance-candles.toml")),
    ("gct-binance-trades", include_str!("../../contracts/gct-binance-trades.toml")),
    ("gls-bank", include_str!("../../contracts/gls-bank.toml")),
    ("lean-crypto-minute", include_str!("../../contracts/lean-crypto-minute.toml")),
    ("mint", include_str!("../../contracts/mint.toml")),
    ("mint-headerless", include_str!("../../contracts/mint-headerless.toml")),
    ("mt5-daily", include_str!("../../contracts/mt5-daily.toml")),
    ("nse-daily", include_str!("../../contracts/nse-daily.toml")),
    ("ohlcv-daily", include_str!("../../contracts/ohlcv-daily.toml")),
    ("ohlcv-naive", include_str!("../../contracts/ohlcv-naive.toml")),
    ("ohlcv-padded", include_str!("../../contracts/ohlcv-padded.toml")),
    ("outbank", include_str!("../../contracts/outbank.toml")),
    ("payoneer", include_str!("../../contracts/payoneer.toml")),
    ("points", include_str!("../../contracts/points.toml")),
    ("stripe-payments", include_str!("../../contracts/stripe-payments.toml")),
    ("ubs-switzerland", include_str!("../../contracts/ubs-switzerland.toml")),
    ("uci-online-retail", include_str!("../../contracts/uci-online-retail.toml")),
];

const CORE: usize = 3;

/// The text of a built-in contract.
pub fn builtin_text(name: &str) -> Option<&'static str> {
    TEXTS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// A built-in contract.
pub fn builtin(name: &str) -> Option<&'static Contract> {
    static PARSED: OnceLock<Vec<Contract>> = OnceLock::new();
    let parsed = PARSED.get_or_init(|| {
        TEXTS.iter().map(|(_, text)| Contract::parse(text).expect("built-in contracts are tested to parse")).collect()
    });
    TEXTS.iter().position(|(known, _)| *known == name).map(|index| &parsed[index])
}

/// The names of all built-in contracts, Millrace's own first.
pub fn builtin_names() -> impl Iterator<Item = &'static str> {
    TEXTS.iter().map(|(name, _)| *name)
}

/// Whether `name` is one of the three contracts that a header is matched against.
pub fn is_core(name: &str) -> bool {
    TEXTS[..CORE].iter().any(|(known, _)| *known == name)
}
