//! What must not matter does not: how the input is cut, how many threads there are, which path a row takes, in which
//! order rows with a sequence come, whether bars are made at once or rolled up. And sums are exact.

mod files;

use proptest::prelude::*;

use crate::exact::Exact;
use crate::support::{Bar, Told, Way, contract, told};
use files::{File, csv_file, json_array_file, ndjson_file};
use rows::contract::Contract;
use rows::time::Interval;

/// What is told of a file, whatever way it is read.
#[track_caller]
fn check_ways(
    file: &File,
    contract: Option<&Contract>,
    piece_bytes: usize,
    reads: &[usize],
) -> Result<(), TestCaseError> {
    let plain = Way { contract, ..Way::default() };
    let expected = told(&file.bytes, plain).everything();
    for threads in [1, 2, 3, 5] {
        let way = Way { threads, piece_bytes, reads, ..plain };
        prop_assert_eq!(&told(&file.bytes, way).everything(), &expected, "{} threads", threads);
    }
    Ok(())
}

fn cuts() -> impl Strategy<Value = (usize, Vec<usize>)> {
    let piece = prop::sample::select(vec![64, 100, 257, 1000, 100_000]);
    (piece, prop::collection::vec(prop::sample::select(vec![1, 2, 3, 7, 63, 64, 65, 1000]), 1..4))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn csv_is_the_same_however_it_is_cut(file in csv_file(), (piece, reads) in cuts()) {
        check_ways(&file, Some(&file.contract()), piece, &reads)?;
        check_ways(&file, None, piece, &reads)?;
    }

    #[test]
    fn ndjson_is_the_same_however_it_is_cut(file in ndjson_file(), (piece, reads) in cuts()) {
        check_ways(&file, Some(&file.contract()), piece, &reads)?;
    }

    #[test]
    fn json_arrays_are_the_same_however_they_are_cut(file in json_array_file(), (piece, reads) in cuts()) {
        check_ways(&file, Some(&file.contract()), piece, &reads)?;
    }

    #[test]
    fn the_quick_path_tells_what_the_slow_one_does(file in prop_oneof![csv_file(), ndjson_file()]) {
        // One column of the sender's own, of which nothing is asked, and no row is quick.
        let mut slow = file.contract();
        let column = contract(&format!("{}note = {{ const = \"x\", type = \"text\" }}\n", file.contract_text()));
        slow.columns = column.columns;
        let all = |contract: &Contract| told(&file.bytes, Way { contract: Some(contract), ..Way::default() });
        prop_assert_eq!(all(&file.contract()).everything(), all(&slow).everything());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn rejects_sent_again_are_refused_again(file in prop_oneof![csv_file(), ndjson_file(), json_array_file()]) {
        let contract = file.contract();
        let check = |bytes: &[u8]| told(bytes, Way { contract: Some(&contract), ..Way::default() });
        let first = check(&file.bytes);
        // A repeated id is no fault without the row it repeats, and a file that was refused says so instead.
        prop_assume!(first.report.duplicate == 0 && first.report.rejected > 0 && first.report.error.is_none());
        prop_assume!(!first.report.reasons.contains_key("duplicate_transaction_id"));
        let second = check(&first.rejects);
        let reasons = |told: &Told| -> Vec<Vec<String>> {
            told.report.rejects.iter().map(|reject| reject.reasons.clone()).collect()
        };
        prop_assert_eq!(reasons(&second), reasons(&first), "{}", String::from_utf8_lossy(&first.rejects));
        prop_assert_eq!(second.report.good, 0);
        prop_assert_eq!(&check(&second.rejects).rejects, &second.rejects);
    }
}

/// A trade of the properties below: instrument, seconds, price and volume.
type Trade = (u8, i64, String, String);

fn trades() -> impl Strategy<Value = Vec<Trade>> {
    // Few instants, so that many trades share one; two days, so that every interval has several bars.
    let time = prop_oneof![0i64..300, 0i64..172_800, Just(86_400)];
    prop::collection::vec((0u8..3, time, price(), volume()), 1..80)
}

fn price() -> impl Strategy<Value = String> {
    prop_oneof![
        "[1-9][0-9]{0,4}\\.[0-9]{1,4}",
        "[1-9][0-9]{0,18}",
        "0\\.[0-9]{0,8}[1-9]",
        "[1-9][0-9]{0,18}\\.[0-9]{1,18}",
    ]
}

fn volume() -> impl Strategy<Value = String> {
    prop_oneof![Just("0".to_owned()), price()]
}

fn as_csv<'a>(trades: impl Iterator<Item = (usize, &'a Trade)>) -> Vec<u8> {
    let mut csv = String::from("symbol,price,volume,timestamp,sequence\n");
    for (sequence, (symbol, seconds, price, volume)) in trades {
        let time = rows::time::rfc3339((1_600_000_000 + seconds) * 1_000_000_000);
        csv.push_str(&format!("S{symbol},{price},{volume},{time},{sequence}\n"));
    }
    csv.into_bytes()
}

fn bars_of(csv: &[u8], interval: Interval) -> Vec<Bar> {
    let Told { bars, report, .. } = told(csv, Way { interval, threads: 2, piece_bytes: 500, ..Way::default() });
    assert_eq!((report.good, &report.error), (report.rows, &None));
    bars
}

/// Bars of a minute as bars of `minutes`, put together by hand.
fn rolled_up(bars: &[Bar], minutes: i64) -> Vec<Bar> {
    let size = minutes * 60_000_000_000;
    let mut rolled: Vec<Bar> = Vec::new();
    for bar in bars {
        let time = bar.time.div_euclid(size) * size;
        match rolled.last_mut().filter(|last| last.time == time && last.symbol == bar.symbol) {
            Some(last) => {
                let is_higher = Exact::parse(&bar.high).is_greater_than(&Exact::parse(&last.high));
                let is_lower = Exact::parse(&last.low).is_greater_than(&Exact::parse(&bar.low));
                last.high = if is_higher { bar.high.clone() } else { last.high.clone() };
                last.low = if is_lower { bar.low.clone() } else { last.low.clone() };
                last.close.clone_from(&bar.close);
                last.count += bar.count;
                assert!(last.volume.merge(&bar.volume) && last.notional.merge(&bar.notional));
            }
            None => rolled.push(Bar { time, ..bar.clone() }),
        }
    }
    rolled
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn bars_rolled_up_are_bars_made_at_once(trades in trades()) {
        let csv = as_csv(trades.iter().enumerate());
        let minutes = bars_of(&csv, Interval::M1);
        let longer = [(Interval::M5, 5), (Interval::M15, 15), (Interval::H1, 60), (Interval::D1, 1440)];
        for (interval, count) in longer {
            prop_assert_eq!(rolled_up(&minutes, count), bars_of(&csv, interval), "{}", interval);
        }
        prop_assert_eq!(rolled_up(&bars_of(&csv, Interval::S1), 1), minutes);
    }

    #[test]
    fn rows_with_a_sequence_may_come_in_any_order(trades in trades(), seed: u64) {
        let in_order: Vec<(usize, &Trade)> = trades.iter().enumerate().collect();
        let mut shuffled = in_order.clone();
        let mut state = seed | 1;
        for last in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(last, (state >> 33) as usize % (last + 1));
        }
        let expected = bars_of(&as_csv(in_order.into_iter()), Interval::M5);
        prop_assert_eq!(bars_of(&as_csv(shuffled.into_iter()), Interval::M5), expected);
    }

    #[test]
    fn sums_of_trades_are_exact(trades in trades()) {
        let bars = bars_of(&as_csv(trades.iter().enumerate()), Interval::D1);
        let (mut volume, mut notional) = (Exact::zero(), Exact::zero());
        for (_, _, price, size) in &trades {
            let (price, size) = (Exact::parse(price), Exact::parse(size));
            volume = volume.plus(&size);
            notional = notional.plus(&price.times(&size));
        }
        let sum = |text: &dyn Fn(&Bar) -> String| {
            bars.iter().fold(Exact::zero(), |sum, bar| sum.plus(&Exact::parse(&text(bar)))).to_string()
        };
        prop_assert_eq!(sum(&|bar| bar.volume.to_string()), volume.to_string());
        prop_assert_eq!(sum(&|bar| bar.notional.to_string()), notional.to_string());
    }

    #[test]
    fn sums_of_transactions_are_exact(amounts in prop::collection::vec(("-?", price()), 1..80)) {
        let mut csv = String::from("transaction_id,amount,currency,timestamp,merchant,status\n");
        let mut expected = Exact::zero();
        for (id, (sign, amount)) in amounts.iter().enumerate() {
            csv.push_str(&format!("T{id},{sign}{amount},EUR,2026-01-31T12:00:00Z,Kiosk,completed\n"));
            expected = expected.plus(&Exact::parse(&format!("{sign}{amount}")));
        }
        let Told { totals, .. } = told(csv.as_bytes(), Way { threads: 2, piece_bytes: 300, ..Way::default() });
        prop_assert_eq!(totals.len(), 1);
        prop_assert_eq!(totals[0].count, amounts.len() as u64);
        prop_assert_eq!(totals[0].sum.to_string(), expected.to_string());
    }
}
