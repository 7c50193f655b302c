//! Currencies: the alphabetic codes of ISO 4217 that are in use, and which of them are money one can total.

/// The codes in use, in order, but for those in `UNSUPPORTED`.
const CODES: &str = "\
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF \
    CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD \
    HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD \
    MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN \
    PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD \
    TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XCD XCG XOF XPF YER ZAR ZMW ZWG ";
/// Codes in use that are no money: metals, bond units, drawing rights, testing, none.
const UNSUPPORTED: &str = "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX ";

const LETTERS: usize = 26;
const UNKNOWN: u8 = u8::MAX;
const NOT_MONEY: u8 = u8::MAX - 1;
/// For every three letters: the index in `CODES`, or one of the two marks above.
static TABLE: [u8; LETTERS * LETTERS * LETTERS] = table();

/// A currency in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(u8);

/// Why a text is not a currency that can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CurrencyFault {
    /// The text is empty.
    Missing,
    /// It is not three letters A to Z.
    Invalid,
    /// It is not on the list of ISO 4217, or was withdrawn from it.
    Unknown,
    /// It is on the list but no money: a metal, a bond unit, drawing rights, testing, none.
    Unsupported,
}

impl Currency {
    /// How many currencies there are; `index` is below it.
    pub const COUNT: usize = CODES.len() / 4;

    /// The three letters.
    #[inline]
    pub fn code(self) -> &'static str {
        let start = usize::from(self.0) * 4;
        &CODES[start..start + 3]
    }

    /// The currency at a place on the list.
    pub fn by_index(index: usize) -> Option<Currency> {
        (index < Self::COUNT).then_some(Currency(index as u8))
    }

    /// Its place on the list, which is in the order of the codes.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The currency of a code.
#[inline]
pub fn check(code: &[u8]) -> Result<Currency, CurrencyFault> {
    let &[a, b, c] = code else {
        return Err(if code.is_empty() { CurrencyFault::Missing } else { CurrencyFault::Invalid });
    };
    let [a, b, c] = [a, b, c].map(|letter| usize::from(letter.wrapping_sub(b'A')));
    if a.max(b).max(c) >= LETTERS {
        return Err(CurrencyFault::Invalid);
    }
    match TABLE[place(a, b, c)] {
        UNKNOWN => Err(CurrencyFault::Unknown),
        NOT_MONEY => Err(CurrencyFault::Unsupported),
        index => Ok(Currency(index)),
    }
}

const fn place(a: usize, b: usize, c: usize) -> usize {
    (a * LETTERS + b) * LETTERS + c
}

const fn table() -> [u8; LETTERS * LETTERS * LETTERS] {
    let mut table = [UNKNOWN; LETTERS * LETTERS * LETTERS];
    let mut at = 0;
    while at < CODES.len() {
        table[place_in(CODES, at)] = (at / 4) as u8;
        at += 4;
    }
    at = 0;
    while at < UNSUPPORTED.len() {
        table[place_in(UNSUPPORTED, at)] = NOT_MONEY;
        at += 4;
    }
    table
}

const fn place_in(codes: &str, at: usize) -> usize {
    let codes = codes.as_bytes();
    place((codes[at] - b'A') as usize, (codes[at + 1] - b'A') as usize, (codes[at + 2] - b'A') as usize)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn codes_are_told_apart() {
        for (code, expected) in [
            ("USD", Ok("USD")),
            ("AED", Ok("AED")),
            ("ZWG", Ok("ZWG")),
            ("", Err(CurrencyFault::Missing)),
            ("usd", Err(CurrencyFault::Invalid)),
            ("US", Err(CurrencyFault::Invalid)),
            ("USDT", Err(CurrencyFault::Invalid)),
            ("U D", Err(CurrencyFault::Invalid)),
            ("€", Err(CurrencyFault::Invalid)),
            ("ABC", Err(CurrencyFault::Unknown)),
            ("DEM", Err(CurrencyFault::Unknown)),
            ("XAU", Err(CurrencyFault::Unsupported)),
            ("XXX", Err(CurrencyFault::Unsupported)),
        ] {
            assert_eq!(check(code.as_bytes()).map(Currency::code), expected, "{code:?}");
        }
    }

    #[test]
    fn every_code_finds_itself() {
        for (index, code) in CODES.split_whitespace().enumerate() {
            let currency = check(code.as_bytes()).expect("a currency in use");
            assert_eq!((currency.code(), currency.index()), (code, index));
        }
        assert!(CODES.split_whitespace().is_sorted());
        assert_eq!(CODES.split_whitespace().count(), Currency::COUNT);
        const { assert!(Currency::COUNT < NOT_MONEY as usize) };
    }

    /// The published list: entity, currency, code, number, minor unit, withdrawn. Names may hold quoted commas, so the
    /// fields are counted from the end.
    #[test]
    #[expect(clippy::print_stdout, reason = "a test that did not run says so")]
    fn the_list_equals_the_reference() {
        let corpus = std::env::var_os("MILLRACE_CORPUS")
            .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
        let Ok(list) = std::fs::read_to_string(corpus.join("reference/iso4217_codes_all.csv")) else {
            println!("skipped: no reference list of currencies in {}", corpus.display());
            return;
        };
        let mut reference: Vec<&str> = list
            .lines()
            .skip(1)
            .map(|line| line.rsplit(',').collect::<Vec<_>>())
            .filter(|fields| fields[0].is_empty() && !fields[3].is_empty())
            .map(|fields| fields[3])
            .collect();
        reference.sort_unstable();
        reference.dedup();
        let mut ours: Vec<&str> = CODES.split_whitespace().chain(UNSUPPORTED.split_whitespace()).collect();
        ours.sort_unstable();
        assert_eq!(ours, reference);
    }
}
