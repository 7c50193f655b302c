//! Contracts: any text is a contract or a refusal, and a contract that is sound can be held against any file.

use rows::contract::Contract;
use rows::plan::Plan;
use rows::time::Interval;

use super::whole::{Way, comes_back, same_in_all};

/// What stands between the contract and the file to check; without it a small file is made up.
const MARK: &str = "\n=====\n";
const SAMPLE: &[u8] = b"symbol,price,volume,timestamp\nABC,1.5,2,2021-07-22T22:31:00Z\nABC,,-2,2021-07-22\n";
const CHOPPED: Way = Way { read_bytes: 7, ..Way::PLAIN };

/// A contract, and behind the mark the file to hold it against.
pub fn contracts(data: &[u8]) {
    let mark = data.windows(MARK.len()).position(|window| window == MARK.as_bytes());
    let (text, file) = match mark {
        Some(at) => (&data[..at], &data[at + MARK.len()..]),
        None => (data, SAMPLE),
    };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let contract = match Contract::parse(text) {
        Ok(contract) => contract,
        Err(refusal) => {
            assert_eq!(refusal.code, "invalid_contract");
            return;
        }
    };
    let written = contract.to_toml();
    let again = Contract::parse(&written).unwrap_or_else(|refusal| panic!("{refusal}:\n{written}"));
    assert_eq!(again, contract, "{written}");
    let faults = Plan::faults(&contract);
    for has in [true, false] {
        let plan = Plan::new(&contract, |_| has);
        assert!(!has || plan.is_ok() == faults.is_empty(), "{faults:?}");
    }
    let told = same_in_all(file, Some(&contract), Interval::M1, &[CHOPPED]);
    comes_back(&told, &contract, Interval::M1);
}
