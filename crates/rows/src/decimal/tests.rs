//! Numbers: the rule against written cases and a slow twin, the hot path against the rule, totals against hand sums.

use ethnum::I256;
use proptest::prelude::*;

use super::NumberFault::{Invalid, Missing, OutOfRange, TooManyDecimals};
use super::{Decimal, Notation, NumberFault, Scale, Sum18, Sum36, quick, quick_at, ratio10};

fn price() -> Notation {
    Notation { exponent: true, ..Notation::default() }
}

fn check(notation: &Notation, text: &str, expected: Result<&str, NumberFault>) {
    let read = notation.parse(text.as_bytes()).map(|number| number.to_string());
    assert_eq!(read, expected.map(str::to_owned), "{text:?} in {notation:?}");
}

fn number(text: &str) -> Decimal {
    price().parse(text.as_bytes()).expect("a number")
}

#[test]
fn plain_numbers() {
    for (text, expected) in [
        ("187.2301", Ok("187.2301")),
        ("-0", Ok("0")),
        ("-0.000", Ok("0")),
        ("007.50", Ok("7.5")),
        ("-12", Ok("-12")),
        ("99999999999999999999.999999999999999999", Ok("99999999999999999999.999999999999999999")),
        ("100000000000000000000", Err(OutOfRange)),
        ("-100000000000000000000.0000000000000000001", Err(OutOfRange)),
        ("0.0000000000000000001", Err(TooManyDecimals)),
        ("0.0000000000000000010", Ok("0.000000000000000001")),
        ("", Err(Missing)),
        ("-", Err(Invalid)),
        (".5", Err(Invalid)),
        ("5.", Err(Invalid)),
        ("+5", Err(Invalid)),
        ("1e5", Err(Invalid)),
        (" 1", Err(Invalid)),
        ("1,5", Err(Invalid)),
        ("1.2.3", Err(Invalid)),
        ("NaN", Err(Invalid)),
        ("१", Err(Invalid)),
    ] {
        check(&Notation::default(), text, expected);
    }
    assert_eq!(Notation::default().parse(b"1\xff"), Err(Invalid));
}

#[test]
fn exponents() {
    for (text, expected) in [
        ("2.1e-4", Ok("0.00021")),
        ("1E+3", Ok("1000")),
        ("0e60", Ok("0")),
        ("0e61", Err(OutOfRange)),
        ("1e-61", Err(OutOfRange)),
        ("1e000060", Err(OutOfRange)),
        ("1e0000060", Err(Invalid)),
        ("1e19", Ok("10000000000000000000")),
        ("1e20", Err(OutOfRange)),
        ("1e-18", Ok("0.000000000000000001")),
        ("1e-19", Err(TooManyDecimals)),
        ("0.00000000000000000000000000000000000000001e40", Ok("0.1")),
        ("1e", Err(Invalid)),
        ("1e+", Err(Invalid)),
        ("1e1.5", Err(Invalid)),
        ("e5", Err(Invalid)),
    ] {
        check(&price(), text, expected);
    }
}

#[test]
fn long_texts() {
    let zeros = "0".repeat(100_000);
    check(&price(), &format!("{zeros}1.5{zeros}"), Ok("1.5"));
    check(&price(), &format!("1.{zeros}1"), Err(TooManyDecimals));
    check(&price(), &format!("1{zeros}"), Err(OutOfRange));
    check(&price(), &format!("0.{zeros}1"), Err(TooManyDecimals));
    check(&price(), &format!("0.{zeros}1x"), Err(Invalid));
}

#[test]
fn marks() {
    let german = Notation { decimal: ',', thousands: Some('.'), ..Notation::default() };
    check(&german, "1.234.567,89", Ok("1234567.89"));
    check(&german, "1,2,3", Err(Invalid));
    check(&german, ".", Err(Missing));
    let comma = Notation { decimal: ',', ..Notation::default() };
    check(&comma, "1.5", Ok("1.5"));
    check(&comma, "1,5", Ok("1.5"));
    let french = Notation { decimal: ',', thousands: Some('\u{202f}'), ..Notation::default() };
    check(&french, "1\u{202f}234,5", Ok("1234.5"));
    check(&french, "1\u{a0}234,5", Err(Invalid));
    let swiss = Notation { thousands: Some('’'), strip: "CHF ".into(), plus: true, ..Notation::default() };
    check(&swiss, "CHF 1’234.50", Ok("1234.5"));
    check(&swiss, "CHF +7", Ok("7"));
    check(&swiss, "+-7", Ok("-7"));
    check(&swiss, "++7", Err(Invalid));
    check(&swiss, "7+", Err(Invalid));
    check(&swiss, "CHF", Err(Missing));
    check(&swiss, "+", Err(Missing));
    assert_eq!(swiss.parse(b"1\xe2\x80"), Err(Invalid));
    assert!(price().is_plain() && !comma.is_plain() && !swiss.is_plain());
}

#[test]
fn scales() {
    let scaled = |scale: &str| Notation { scale: Some(Scale::parse(scale).expect("a scale")), ..price() };
    check(&scaled("0.00001"), "123456", Ok("1.23456"));
    check(&scaled("100"), "0.00000000000000000001", Ok("0.000000000000000001"));
    check(&scaled("100"), "1000000000000000000", Err(OutOfRange));
    check(&scaled("-1"), "2", Ok("-2"));
    check(&scaled("-1"), "0", Ok("0"));
    // One eighth takes three decimals away from a number that ends in eight.
    check(&scaled("0.125"), "8", Ok("1"));
    check(&scaled("1.25e2"), "0.00000000000000000008", Ok("0.00000000000000001"));
    check(&scaled("3"), "33333333333333333333.333333333333333334", Err(OutOfRange));
    check(&scaled("3"), "33333333333333333333.333333333333333333", Ok("99999999999999999999.999999999999999999"));
    check(&scaled("3"), "33333333333333333333.3333333333333333333", Err(TooManyDecimals));
    for wrong in ["", "0", "0.00", "x", "1,5", "1.0000000001", "+1"] {
        assert!(Scale::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn shown() {
    assert_eq!(Decimal::from_nano(i64::MIN).to_string(), "-9223372036.854775808");
    assert_eq!(Decimal::from_units(i128::MIN).to_string(), "-170141183460469231731.687303715884105728");
    assert_eq!((-number("1.5")).to_string(), "-1.5");
    assert_eq!(number("1.5").nano(), Some(1_500_000_000));
    assert_eq!(number("1e-10").nano(), None);
    assert_eq!(number("1e10").nano(), None);
}

#[test]
fn quick_reads_what_it_should() {
    for (text, expected) in [
        ("187.2301", Some(187_230_100_000)),
        ("1250", Some(1_250_000_000_000)),
        ("-0.00021", Some(-210_000)),
        ("0.123456789", Some(123_456_789)),
        ("0.1234567890", None),
        ("123456.7890123", Some(123_456_789_012_300)),
        ("9223372036.854775807", Some(i64::MAX)),
        ("9223372036.854775808", None),
        ("-9223372036.854775808", Some(i64::MIN)),
        ("00000000000000000000000000001.5", Some(1_500_000_000)),
        ("1e3", None),
        ("", None),
        ("-", None),
        (".", None),
        (".1", None),
        ("1.", None),
        ("1234567.", None),
        ("12345678.", None),
        (".12345678", None),
        ("1.2.3", None),
        ("1..23456789", None),
        ("--1", None),
        ("1\u{0}", None),
    ] {
        assert_eq!(quick(text.as_bytes()), expected, "{text:?}");
        let buffer = [b"x,", text.as_bytes(), b",\xff9.345678901234567"].concat();
        assert_eq!(quick_at(&buffer, 2, 2 + text.len()), expected, "{text:?} in a buffer");
    }
    assert_eq!(quick_at(b"12", 1, 3), None);
    assert_eq!(quick_at(b"12", 3, 3), None);
    assert_eq!(quick_at(b"12345678901234567890", 3, 1), None);
}

#[test]
fn products() {
    let check = |left: &str, right: &str, expected: Result<&str, NumberFault>| {
        let product = number(left).checked_mul(number(right)).map(|product| product.to_string());
        assert_eq!(product, expected.map(str::to_owned), "{left} times {right}");
    };
    check("6", "2.55", Ok("15.3"));
    check("-0.000000001", "0.000000001", Ok("-0.000000000000000001"));
    check("0.0000000001", "0.000000001", Err(TooManyDecimals));
    // Past what a file may write, up to what an `i128` holds.
    check("10000000000", "10000000000", Ok("100000000000000000000"));
    check("99999999999999999999", "-1.000000000000000001", Ok("-100000000000000000098.999999999999999999"));
    check("-17014118346046923173", "10", Ok("-170141183460469231730"));
    check("56713727820156410577.229101238628035242", "3", Ok("170141183460469231731.687303715884105726"));
    check("56713727820156410577.229101238628035243", "3", Err(OutOfRange));
    check("-56713727820156410577.229101238628035243", "3", Err(OutOfRange));
    check("99999999999999999999", "99999999999999999999", Err(OutOfRange));
    check("99999999999999999999", "0", Ok("0"));
    let extreme = Decimal::from_units(i128::MIN);
    assert_eq!(extreme.checked_mul(extreme), Err(OutOfRange));
}

#[test]
fn totals() {
    let mut total = Sum18::ZERO;
    for text in ["0.1", "0.2", "-0.000000000000000001"] {
        assert!(total.add(number(text)));
    }
    assert_eq!(total.to_string(), "0.299999999999999999");
    let mut notional = Sum36::default();
    assert!(notional.add_product(number("187.2301"), number("100")));
    assert!(notional.add_product(number("-0.000000000000000001"), number("0.000000000000000001")));
    assert!(notional.add_units18(1));
    assert_eq!(notional.to_string(), "18723.010000000000000000999999999999999999");
    let mut full = Sum18::from_units(I256::MAX);
    assert!(!full.add_units(1) && !full.merge(&Sum18::from_units(I256::ONE)));
    assert_eq!(full.units(), I256::MAX);
    assert!(full.merge(&Sum18::from_units(I256::MIN)));
    assert_eq!(full.to_string(), "-0.000000000000000001");
    assert_eq!(Sum18::ZERO.to_string(), "0");
    assert_eq!(Sum36::from_units(I256::MIN).to_string().len(), 79);
}

#[test]
fn ratios() {
    let check = |numerator: &str, denominator: &str, expected: &str| {
        let numerator = I256::from(number(numerator).units()) * I256::from(10i128.pow(18));
        let denominator = I256::from(number(denominator).units());
        assert_eq!(ratio10(numerator, denominator).as_deref(), Some(expected));
    };
    check("1", "3", "0.3333333333");
    check("2", "3", "0.6666666667");
    check("-20", "3", "-6.666666667");
    check("10", "4", "2.5");
    check("0", "4", "0");
    check("10000000005", "1", "10000000000");
    check("10000000015", "1", "10000000020");
    check("10000000005.000000000000000001", "1", "10000000010");
    check("99999999995", "1", "100000000000");
    check("0.99999999995", "1", "1");
    check("0.000000000000000001", "99999999999999999999", "0.00000000000000000000000000000000000001");
    check("99999999999999999999", "0.000000000000000001", "100000000000000000000000000000000000000");
    assert_eq!(ratio10(I256::ONE, I256::ZERO), None);
    assert_eq!(ratio10(I256::MIN, I256::MIN).as_deref(), Some("0.000000000000000001"));
    assert_eq!(ratio10(I256::MAX, I256::MIN).as_deref(), Some("-0.000000000000000001"));
}

/// The rule again, the slow way: units of 1e-18 from the text, its zeros dropped first.
fn twin(negative: bool, whole: &str, fraction: &str) -> Result<i128, NumberFault> {
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    if whole.len() > 20 {
        return Err(OutOfRange);
    }
    if fraction.len() > 18 {
        return Err(TooManyDecimals);
    }
    let size: i128 = format!("0{whole}{fraction:0<18}").parse().expect("38 digits");
    Ok(if negative { -size } else { size })
}

proptest! {
    #[test]
    fn numbers_equal_their_twin(negative: bool, whole in "[0-9]{1,24}", fraction in "([0-9]{1,12}0{0,4}[0-9]{0,12})?") {
        let point = if fraction.is_empty() { "" } else { "." };
        let text = format!("{}{whole}{point}{fraction}", if negative { "-" } else { "" });
        let expected = twin(negative, &whole, &fraction);
        prop_assert_eq!(Notation::default().parse(text.as_bytes()).map(Decimal::units), expected);
        let nano = expected.ok().and_then(|units| Decimal::from_units(units).nano()).filter(|_| fraction.len() <= 9);
        prop_assert_eq!(quick(text.as_bytes()), nano);
        if let Ok(units) = expected {
            let shown = Decimal::from_units(units).to_string();
            prop_assert_eq!(Notation::default().parse(shown.as_bytes()).map(Decimal::units), Ok(units));
        }
    }

    #[test]
    fn quick_agrees_with_the_rule(text in "[-0-9.]{0,22}|-?[0-9]{1,10}\\.[0-9]{1,9}|[0-9.e+x ]{0,10}", after in "[0-9.,]{0,20}") {
        let read = quick(text.as_bytes());
        let buffer = format!("{text}{after}");
        prop_assert_eq!(quick_at(buffer.as_bytes(), 0, text.len()), read);
        if let Some(nano) = read {
            prop_assert_eq!(Notation::default().parse(text.as_bytes()), Ok(Decimal::from_nano(nano)));
        }
    }

    #[test]
    fn any_bytes_are_answered(text: Vec<u8>, start in 0usize..40, end in 0usize..40) {
        let german = Notation { decimal: ',', thousands: Some('.'), strip: "€ ".into(), plus: true, ..price() };
        let _ = (german.parse(&text), price().parse(&text), quick(&text));
        prop_assert_eq!(quick_at(&text, start, end), text.get(start..end).and_then(quick));
    }

    #[test]
    fn a_ratio_is_the_nearest(numerator in 1u64.., denominator in 1u64..) {
        let text = ratio10(I256::from(numerator) * I256::from(10i128.pow(18)), I256::from(denominator))
            .expect("a denominator");
        let shown: f64 = text.parse().expect("a number");
        let exact = numerator as f64 / denominator as f64;
        prop_assert!((shown / exact - 1.0).abs() < 5.1e-10, "{} for {}/{}", text, numerator, denominator);
        let digits = text.trim_start_matches(['0', '.']).replace('.', "");
        prop_assert!(digits.trim_end_matches('0').len() <= 10, "{}", text);
    }
}
