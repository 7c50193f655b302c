//! Every file of the corpus: the proposal alone must give this many good rows.

use super::*;

/// File, kind, rows and good rows of the sample.
const FILES: &[(&str, Kind, u64, u64)] = &[
    ("market/gct_binance_btcusdt_trades.csv", Kind::Trades, 1000, 1000),
    // The rest is refused under any contract: its high is below its open.
    ("market/gct_binance_btcusdt_candles_1d.csv", Kind::Bars, 365, 189),
    ("market/ejtrader_eurusd_d1.csv", Kind::Bars, 2400, 2400),
    ("market/mpf_issue568_d_mon_yy.csv", Kind::Bars, 205, 205),
    ("market/mpf_so60982755_padded.csv", Kind::Bars, 19, 19),
    ("market/mpf_pr451_duplicate_header.csv", Kind::Bars, 123, 123),
    ("market/mpf_issue142_tiny_prices.csv", Kind::Bars, 41, 41),
    ("market/lean_dydx_btcusd_20260101_minute.zip", Kind::Bars, 1410, 1410),
    ("market/cryptofeed_bitmex.ws", Kind::Trades, 13, 13),
    ("market/cryptofeed_bitstamp.ws", Kind::Trades, 10, 10),
    ("transactions/settlement_payments.csv", Kind::Transactions, 1798, 1798),
    ("transactions/settlement_refunds.csv", Kind::Transactions, 139, 139),
    ("transactions/uci_retail_2010-12-01.csv", Kind::Transactions, 3108, 3098),
    ("transactions/csv2ofx_stripe-default.csv", Kind::Transactions, 5, 5),
    ("transactions/csv2ofx_payoneer.csv", Kind::Transactions, 2, 2),
    ("transactions/csv2ofx_outbank.csv", Kind::Transactions, 4, 4),
    // Its header comes again at the end.
    ("transactions/csv2ofx_mint_extra.csv", Kind::Transactions, 5, 4),
    ("transactions/csv2ofx_mint_headerless.csv", Kind::Transactions, 4, 4),
    ("transactions/csv2ofx_gls.csv", Kind::Transactions, 1, 1),
    ("transactions/csv2ofx_ubs-ch-fr_trimmed.csv", Kind::Transactions, 3, 3),
    // Its currencies are no money.
    ("transactions/bitbank_withdrawals_ja.csv", Kind::Transactions, 3, 0),
];

/// The folder of the corpus; without it a printed line says so.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn corpus() -> Option<PathBuf> {
    let named = std::env::var_os("MILLRACE_CORPUS").map(PathBuf::from);
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let corpus = named.unwrap_or_else(|| PathBuf::from(beside));
    if !corpus.exists() {
        eprintln!("skipped: there is no corpus at {}", corpus.display());
        return None;
    }
    Some(corpus)
}

#[test]
fn proposals_for_the_corpus_give_good_rows() {
    let Some(corpus) = corpus() else { return };
    let mut problems = Vec::new();
    for (name, kind, rows, good) in FILES {
        let file = std::fs::read(corpus.join(name)).unwrap();
        let stem = name.rsplit('/').next().unwrap();
        let proposal = propose(Box::new(Cursor::new(file)), stem).unwrap();
        let contract = Contract::parse(&proposal.toml).unwrap();
        assert!(Plan::faults(&contract).is_empty(), "{name}\n{}", proposal.toml);
        if proposal.kind != *kind || proposal.rows < *rows || proposal.good < *good {
            problems.push(format!("{name}: {} of {} rows\n{}", proposal.good, proposal.rows, proposal.toml));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

#[test]
fn hostile_files_end_in_a_proposal_or_a_refusal() {
    let Some(corpus) = corpus() else { return };
    let mut folders = vec![corpus.join("torture"), corpus.join("canonical")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let input = Box::new(std::fs::File::open(&path).unwrap());
            match propose(input, "torture") {
                Ok(proposal) => {
                    let contract = Contract::parse(&proposal.toml);
                    let contract =
                        contract.unwrap_or_else(|error| panic!("{}: {error}\n{}", path.display(), proposal.toml));
                    assert!(Plan::faults(&contract).is_empty(), "{}\n{}", path.display(), proposal.toml);
                }
                Err(crate::Error::Refused(refusal)) => assert!(!refusal.message.is_empty()),
                Err(error) => panic!("{}: {error:?}", path.display()),
            }
        }
    }
    assert!(files > 0, "{} holds no hostile files", corpus.display());
}
