//! With next to no memory, groups and ids go to scratch space, and the result is what it is with plenty.

use crate::support::{Told, Way, told};
use flate2::Compression;
use flate2::write::GzEncoder;
use rows::time::{Interval, rfc3339};
use std::io::Write;

/// Too little for the groups and ids below, though enough for what must stay in memory of each id.
const MEMORY_BYTES: usize = 256 * 1024;

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Both ways, with several threads; the one with little memory must have put something aside.
#[track_caller]
fn both(bytes: &[u8], interval: Interval) -> [Told; 2] {
    let plenty = Way { interval, threads: 2, piece_bytes: 10_000, ..Way::default() };
    let [plenty, short] = [plenty, Way { memory: MEMORY_BYTES, ..plenty }].map(|way| told(bytes, way));
    assert_eq!(plenty.report.error, None);
    assert_eq!(short.report.error, None);
    assert_eq!(plenty.spilled, 0, "there was memory for everything");
    assert!(short.spilled > 2 * MEMORY_BYTES as u64, "only {} bytes were put aside", short.spilled);
    [plenty, short]
}

#[test]
fn bars_that_went_to_scratch_space_are_the_same() {
    let mut numbers = Numbers(1);
    for sequenced in ["", ",sequence"] {
        let mut csv = format!("symbol,price,volume,timestamp{sequenced}\n");
        for row in 0..20_000 {
            let symbol = numbers.below(60);
            let time = rfc3339((1_600_000_000 + numbers.below(3600) as i64) * 1_000_000_000);
            // One in a hundred does not fit 64 bits, so that bars of both widths meet.
            let wide = if numbers.below(100) == 0 { "12345678901.000000000001" } else { "7.5" };
            csv.push_str(&format!("S{symbol},{}.25,{wide},{time}", numbers.below(1000) + 1));
            csv.push_str(if sequenced.is_empty() { "\n" } else { "" });
            if !sequenced.is_empty() {
                csv.push_str(&format!(",{}\n", (row * 7919) % 20_000));
            }
        }
        let [plenty, short] = both(csv.as_bytes(), Interval::M1);
        assert!(plenty.bars.len() > 3000, "{}", plenty.bars.len());
        assert!(plenty.bars == short.bars);
        assert_eq!((plenty.report.good, plenty.report.rows), (short.report.good, short.report.rows));
    }
}

#[test]
fn totals_and_ids_that_went_to_scratch_space_are_the_same() {
    let mut numbers = Numbers(2);
    let mut csv = String::from("transaction_id,amount,currency,timestamp,merchant,status\n");
    for row in 0..30_000 {
        // One id in ten comes again, near or far; a few of those rows are bad for another reason as well.
        let id = if numbers.below(10) == 0 { numbers.below(row + 1) } else { row };
        let amount = if numbers.below(100) == 0 { "x".to_owned() } else { format!("-{}.5", numbers.below(100_000)) };
        let time = rfc3339((1_600_000_000 + numbers.below(864_000) as i64) * 1_000_000_000);
        let currency = ["EUR", "USD"][numbers.below(2) as usize];
        let status = ["completed", "failed", "pending"][numbers.below(3) as usize];
        csv.push_str(&format!("T{id},{amount},{currency},{time},Shop {},{status}\n", numbers.below(500)));
    }
    let [plenty, short] = both(csv.as_bytes(), Interval::D1);
    assert!(plenty.report.duplicate > 1000 && plenty.report.rejected > 100, "{:?}", plenty.report);
    assert!(plenty.totals.len() > 5000, "{}", plenty.totals.len());
    assert_eq!(plenty.json(), short.json());
    assert!(plenty.totals == short.totals && plenty.rejects == short.rejects);
}

/// How many ids will come is guessed by the first rows, and the table made for all of them, which there is memory for. A
/// table that grows would be beside the next one for a moment; there is no memory for that, so it is put aside instead. Of
/// a packed file, which is much shorter than its rows, too few are guessed: it shows what happens without.
#[test]
fn ids_that_fit_are_not_put_aside_because_their_table_grows() {
    let csv = distinct(12_000);
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(csv.as_bytes()).unwrap();
    let way = Way { memory: 800_000, piece_bytes: 10_000, ..Way::default() };
    let [plain, packed] = [csv.as_bytes(), &packed.finish().unwrap()].map(|bytes| told(bytes, way));
    assert_eq!((plain.report.good, packed.report.good), (12_000, 12_000));
    assert_eq!(plain.spilled, 0);
    assert!(packed.spilled > 50_000, "{} bytes", packed.spilled);
}

/// Without totals, ids may take what those would have.
#[test]
fn ids_have_more_room_when_there_are_no_totals() {
    let csv = distinct(12_000);
    let way = Way { memory: 560_000, piece_bytes: 10_000, ..Way::default() };
    let [with, without] = [true, false].map(|totals| told(csv.as_bytes(), Way { totals, ..way }));
    assert_eq!((with.report.good, without.report.good), (12_000, 12_000));
    assert!(with.spilled > 50_000, "{} bytes", with.spilled);
    assert_eq!(without.spilled, 0);
}

/// Transactions, each with an id of its own.
fn distinct(rows: u32) -> String {
    let mut csv = String::from("transaction_id,amount,currency,timestamp,merchant,status\n");
    for row in 0..rows {
        csv.push_str(&format!("T{row:06},1.5,EUR,2026-01-31T12:00:00Z,Shop,completed\n"));
    }
    csv
}
