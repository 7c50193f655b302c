//! Every case of the corpus is under a contract that is one, and has answers.

use pipeline::rows::contract::Contract;
use testkit::corpus;

#[test]
fn every_case_has_a_contract_and_answers() {
    for case in corpus::cases() {
        let contract = Contract::parse(&case.contract);
        assert!(contract.is_ok(), "{}: {:?}\n{}", case.id, contract.err(), case.contract);
        let summary = &case.expected["summary"];
        assert!(summary["rows"].is_u64(), "{}: {summary}", case.id);
        assert!(["trades", "bars", "transactions"].contains(&case.schema.as_str()), "{}", case.schema);
        assert!(!case.bytes.is_empty(), "{}", case.file);
    }
}
