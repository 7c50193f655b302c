//! From contract text to checks: sources resolved to slots, reasons numbered in the order of the checks, and every
//! option that means nothing where it stands told to the author.

mod parts;

use super::*;
use crate::contract::Order;

/// Compiles as far as it can and tells everything that is wrong.
pub(super) fn compile(contract: &Contract, has: &dyn Fn(&At) -> bool) -> (Option<Plan>, Vec<Refusal>) {
    let mut compiler = Compiler { contract, has, slots: Vec::new(), reasons: ReasonTable::new(), faults: Vec::new() };
    let plan = compiler.plan();
    let faults = compiler.faults;
    (plan, faults.into_iter().map(|message| refusal(contract, message)).collect())
}

fn refusal(contract: &Contract, message: String) -> Refusal {
    Refusal::new(
        "invalid_contract",
        format!("contract `{}`: {message}", contract.name),
        "see docs/contracts.md; `millrace feed lint` lists every fault of a contract",
    )
}

struct Compiler<'a> {
    contract: &'a Contract,
    has: &'a dyn Fn(&At) -> bool,
    slots: Vec<At>,
    reasons: ReasonTable,
    faults: Vec<String>,
}

impl Compiler<'_> {
    fn plan(&mut self) -> Option<Plan> {
        self.check_names();
        let checks = match self.contract.kind {
            Kind::Trades => self.trades().map(Checks::Trades),
            Kind::Bars => self.bars().map(|checks| Checks::Bars(Box::new(checks))),
            Kind::Transactions => self.transactions().map(Checks::Transactions),
        };
        let extras = self.extras();
        let checks = self.close(checks)?;
        let zone = self.contract.bars.zone.as_deref().unwrap_or("UTC");
        let bars_zone = self.zone("bars.zone", zone)?;
        let order = self.order(&checks);
        Some(Plan {
            contract: self.contract.name.clone(),
            version: self.contract.version,
            kind: self.contract.kind,
            slots: std::mem::take(&mut self.slots),
            reasons: std::mem::replace(&mut self.reasons, ReasonTable::new()),
            bars_zone,
            checks,
            extras,
            order,
            keeps_trade_ids: false,
        })
    }

    /// The duplicate check comes after all others, the sender's own columns included.
    fn close(&mut self, checks: Option<Checks>) -> Option<Checks> {
        let mut checks = checks?;
        if let Checks::Transactions(transactions) = &mut checks {
            transactions.duplicate = self.reasons.push(
                "duplicate_transaction_id".into(),
                "transaction_id",
                "this id came before; remove the row, or give it an id of its own",
            );
        }
        Some(checks)
    }

    fn check_names(&mut self) {
        if self.contract.name.trim().is_empty() {
            self.faults.push("`name` is empty".into());
        }
        for condition in &self.contract.format.conditions {
            if condition.equals.is_empty() == condition.starts_with.is_none() {
                self.faults.push(format!("format.where `{}` needs either `equals` or `starts_with`", condition.path));
            }
        }
    }

    fn trades(&mut self) -> Option<TradeChecks> {
        let symbol = self.text("symbol", &[], "name the traded instrument in every row");
        let price = self.number("price", true);
        let non_positive_price = self.reason("non_positive_", "price", "a price must be greater than 0");
        let volume = self.number("volume", true);
        let negative_volume = self.reason("negative_", "volume", "a volume must be 0 or more");
        let time = self.time("timestamp");
        let sequence = self.sequence();
        let trade_id = self.optional_text("trade_id");
        Some(TradeChecks {
            symbol: symbol?,
            price: price?,
            non_positive_price,
            volume: volume?,
            negative_volume,
            time: time?,
            sequence,
            trade_id,
        })
    }

    fn bars(&mut self) -> Option<BarChecks> {
        let symbol = self.text("symbol", &[], "name the traded instrument in every row");
        let prices = ["open", "high", "low", "close"].map(|name| {
            let number = self.number(name, true);
            (number, self.reason("non_positive_", name, "a price must be greater than 0"))
        });
        let volume = self.number("volume", true);
        let negative_volume = self.reason("negative_", "volume", "a volume must be 0 or more");
        let inconsistent = self.reasons.push(
            "ohlc_inconsistent".into(),
            "high",
            "low must be the least and high the greatest of open, high, low and close",
        );
        let time = self.time("timestamp");
        let sequence = self.sequence();
        let [open, high, low, close] = prices.map(|(number, reason)| number.map(|number| (number, reason)));
        Some(BarChecks {
            symbol: symbol?,
            prices: [open?, high?, low?, close?],
            volume: volume?,
            negative_volume,
            inconsistent,
            time: time?,
            sequence,
        })
    }

    fn transactions(&mut self) -> Option<TransactionChecks> {
        let id = self.transaction_id();
        let amount = self.amount();
        let currency = self.currency("currency");
        let time = self.time("timestamp");
        let merchant = self.text("merchant", &[], "name the merchant in every row");
        let status = self.text("status", &[], "say whether the transaction is completed, pending or failed");
        let invalid_status = self.reason(
            "invalid_",
            "status",
            "a status is completed, pending or failed; a contract can map the sender's words to these",
        );
        Some(TransactionChecks {
            id: id?,
            amount: amount?,
            currency: currency?,
            time: time?,
            merchant: merchant?,
            status: status?,
            invalid_status,
            duplicate: invalid_status,
        })
    }

    fn order(&mut self, checks: &Checks) -> RowOrder {
        let (sequence, trade_id) = match checks {
            Checks::Trades(trades) => (trades.sequence.is_some(), trades.trade_id.is_some()),
            Checks::Bars(bars) => (bars.sequence.is_some(), false),
            Checks::Transactions(_) => (false, false),
        };
        match self.contract.bars.order {
            Some(Order::Position) => RowOrder::Position,
            Some(Order::Sequence) if sequence => RowOrder::Sequence,
            Some(Order::TradeId) if trade_id => RowOrder::TradeId,
            Some(order) => {
                self.faults.push(format!("bars.order is {order:?}, but there is no such column"));
                RowOrder::Position
            }
            None if sequence => RowOrder::Sequence,
            None if trade_id => RowOrder::TradeId,
            None => RowOrder::Position,
        }
    }
}
