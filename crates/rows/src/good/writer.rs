//! Good rows from batches into row groups, as they are folded.

use super::Sinks;
use super::columns::Layout;
use super::encoder::{Encoder, Thread};
use super::footer::Origin;
use super::group::Group;
use super::labels::Labels;
use crate::batch::{BarRow, Batch, FileNames, Names, REFUSED, Trades, Transactions, WIDE};
use crate::contract::Kind;
use crate::decimal::Decimal;
use crate::limits::GOOD_GROUPS_MAX;
use crate::plan::Plan;
use crate::source::Scratch;
use crate::{Refusal, Result};

/// The good rows of one file on their way to a Parquet file. Row groups begin and end at the same rows however the file
/// was cut, so that the same rows are the same bytes.
pub(crate) struct Writer {
    layout: Layout,
    group: Group,
    labels: Labels,
    groups: usize,
    /// Rows taken.
    pub rows: u64,
    line_ids: LineIds,
    thread: Thread,
}

impl Writer {
    pub fn new(sinks: Sinks, plan: &Plan, scratch: Box<dyn Scratch>) -> Result<Self> {
        let layout = Layout::of(plan);
        let encoder = Encoder::new(sinks, layout, Origin::of(plan), scratch)?;
        let mut writer = Self {
            layout,
            group: Group::default(),
            labels: Labels::default(),
            groups: 0,
            rows: 0,
            line_ids: LineIds::default(),
            thread: Thread::new(encoder),
        };
        writer.begin_group();
        Ok(writer)
    }

    /// Takes the good rows of the next batch but those in `repeats`. `names` are those of the file so far.
    pub fn add(
        &mut self,
        batch: &mut Batch,
        names: &mut FileNames,
        repeats: &[u32],
        member: Option<&str>,
    ) -> Result<()> {
        let numbers = names.of(&mut batch.names);
        self.labels.follow(names);
        match self.layout.kind {
            Kind::Trades => self.add_trades(&batch.trades, &batch.input, numbers, &names.names),
            Kind::Bars => self.add_bars(&batch.bars, numbers, &names.names),
            Kind::Transactions => {
                let rows = Good { transactions: &batch.transactions, input: &batch.input, repeats, member };
                self.add_transactions(rows, numbers, &names.names)
            }
        }
    }

    /// Writes what is left, and the footer.
    pub fn finish(&mut self) -> Result<()> {
        if self.group.rows() > 0 {
            self.send()?;
        }
        Ok(self.thread.finish()?)
    }

    fn add_trades(&mut self, trades: &Trades, input: &[u8], numbers: &[u32], names: &Names) -> Result<()> {
        let mut wide = trades.wide.iter().peekable();
        let mut start = 0;
        while start < trades.rows.len() {
            let Self { group, labels, layout, .. } = self;
            let mut end = start;
            for trade in &trades.rows[start..] {
                group.labels.push(labels.number(numbers[trade.name as usize], names, &mut group.dictionary));
                if layout.trade_id {
                    group.texts.push(trades.id_text.get(end, input));
                }
                end += 1;
                if group.is_full() {
                    break;
                }
            }
            let rows = &trades.rows[start..end];
            group.times.extend(rows.iter().map(|trade| trade.time));
            if layout.sequence {
                group.wholes.extend_from_slice(&trades.sequence[start..end]);
            }
            if let [prices, volumes] = &mut group.numbers[..] {
                if wide.peek().is_none() {
                    prices.nano.extend(rows.iter().map(|trade| trade.price));
                    volumes.nano.extend(rows.iter().map(|trade| trade.volume));
                } else {
                    for trade in rows {
                        let full = wide.next_if(|_| trade.price == WIDE).map(|(_, numbers)| *numbers);
                        let own = || [trade.price, trade.volume].map(Decimal::from_nano);
                        let [price, volume] = full.unwrap_or_else(own);
                        prices.push(price);
                        volumes.push(volume);
                    }
                }
            }
            start = end;
            self.taken(rows.len())?;
        }
        Ok(())
    }

    fn add_bars(&mut self, bars: &[BarRow], numbers: &[u32], names: &Names) -> Result<()> {
        for bar in bars {
            let Self { group, labels, layout, .. } = self;
            group.labels.push(labels.number(numbers[bar.name as usize], names, &mut group.dictionary));
            group.times.push(bar.time);
            if layout.sequence {
                group.wholes.push(bar.sequence);
            }
            let values = bar.prices.into_iter().chain([bar.volume]);
            group.numbers.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
            self.taken(1)?;
        }
        Ok(())
    }

    fn add_transactions(&mut self, good: Good<'_>, numbers: &[u32], names: &Names) -> Result<()> {
        let Good { transactions, repeats, member, .. } = good;
        let mut wide = transactions.wide.iter().peekable();
        let mut ids = good.ids();
        let mut start = 0;
        // Rows from one repeat to the next, or to where the group is full.
        for repeat in repeats.iter().map(|repeat| *repeat as usize).chain([transactions.rows.len()]) {
            while start < repeat {
                let Self { group, labels, line_ids, .. } = self;
                let mut end = start;
                for row in &transactions.rows[start..repeat] {
                    group.labels.push(labels.number(numbers[row.merchant as usize], names, &mut group.dictionary));
                    group.texts.push(ids.next().unwrap_or_else(|| line_ids.next(row.line, member)));
                    end += 1;
                    if group.is_full() {
                        break;
                    }
                }
                let rows = &transactions.rows[start..end];
                group.times.extend_from_slice(&transactions.times[start..end]);
                group.wholes.extend(rows.iter().map(|row| row.line));
                group.codes.extend(rows.iter().map(|row| row.group));
                let amounts = &mut group.numbers[0];
                if wide.peek().is_none() {
                    amounts.nano.extend(rows.iter().map(|row| row.amount));
                } else {
                    for row in rows {
                        match wide.next_if(|_| row.amount == WIDE) {
                            Some((_, amount)) => amounts.push(*amount),
                            None => amounts.nano.push(row.amount),
                        }
                    }
                }
                start = end;
                self.taken(rows.len())?;
            }
            if let Some(repeat) = transactions.rows.get(repeat) {
                ids.next();
                wide.next_if(|_| repeat.amount == WIDE);
                start += 1;
            }
        }
        Ok(())
    }

    /// Counts rows that are in the group now, and gives the group away if it is full.
    fn taken(&mut self, rows: usize) -> Result<()> {
        self.rows += rows as u64;
        if self.group.is_full() { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<()> {
        if self.groups == GOOD_GROUPS_MAX {
            let message = format!("the file has more than {} good rows", self.rows);
            return Err(Refusal::new("too_many_good_rows", message, "split the file").into());
        }
        self.groups += 1;
        let full = std::mem::take(&mut self.group);
        self.group = self.thread.write(full)?;
        self.begin_group();
        Ok(())
    }

    fn begin_group(&mut self) {
        self.group.clear(self.layout);
        self.labels.begin_group();
    }
}

/// The transactions of a batch.
struct Good<'a> {
    transactions: &'a Transactions,
    input: &'a [u8],
    repeats: &'a [u32],
    member: Option<&'a str>,
}

impl<'a> Good<'a> {
    /// The ids of the good rows, one after the other; none at all if the line is the id.
    fn ids(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let (transactions, input) = (self.transactions, self.input);
        let owners = transactions.id_owner.iter().enumerate();
        owners.filter(|(_, owner)| **owner & REFUSED == 0).map(move |(id, _)| transactions.id_text.get(id, input))
    }
}

/// Ids made from lines: each is another one, as lines are; where several rows stand in one, they are counted.
#[derive(Debug, Default)]
struct LineIds {
    text: Vec<u8>,
    last: Option<u64>,
    member: Option<String>,
    count: u64,
}

impl LineIds {
    fn next(&mut self, line: u64, member: Option<&str>) -> &[u8] {
        if self.member.as_deref() != member {
            self.member = member.map(str::to_owned);
            self.last = None;
        }
        self.count = if self.last == Some(line) { self.count + 1 } else { 1 };
        self.last = Some(line);
        let member = member.map(|member| format!("{member}:")).unwrap_or_default();
        let count = if self.count > 1 { format!(".{}", self.count) } else { String::new() };
        self.text = format!("{member}{line}{count}").into_bytes();
        &self.text
    }
}
