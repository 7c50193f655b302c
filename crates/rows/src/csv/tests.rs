//! The scan, its twins and the grammar against a model of the reference rules; the corpus is in `tests/corpus.rs`.

mod corpus;
mod model;

use proptest::prelude::*;

use super::*;
use crate::scan::Scanner;

/// What a reader learns of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    kind: Kind,
    /// Line ends before it.
    line: usize,
    start: usize,
    end: usize,
    next: usize,
    spans: Vec<(usize, usize)>,
    fields: Vec<Vec<u8>>,
    fault: Option<QuoteFault>,
}

/// Everything the public functions say of the complete records of `buffer`.
fn seen(buffer: &[u8], index: &Index, dialect: &Dialect) -> Vec<Seen> {
    let mut all = Vec::new();
    for (number, record) in Records::new(buffer, index).enumerate() {
        let spans: Vec<_> = (0..record.fields()).map(|field| record.field_span(field)).collect();
        let mut parsed = Fields::default();
        if record.kind() == Kind::Comment {
            assert_eq!(spans, [(record.start(), record.end())]);
        } else {
            parse_record(buffer, record.start(), dialect, &mut parsed);
            assert_eq!(parsed.next(), record.next());
            assert_eq!(parsed.len(), record.fields());
            assert_eq!(parsed.is_blank(), record.kind() == Kind::Blank);
        }
        if record.kind() == Kind::Regular {
            let texts = spans.iter().map(|&(start, end)| text_of(&buffer[start..end], dialect));
            assert_eq!(texts.collect::<Vec<_>>(), parsed.iter().collect::<Vec<_>>(), "unquoted, and parsed");
        }
        assert_eq!(parsed.get(parsed.len()), None);
        assert_eq!(record.range(), record.start()..record.end());
        let again = index.record(buffer, number).expect("its number is below the length");
        assert_eq!((again.range(), again.next(), again.kind()), (record.range(), record.next(), record.kind()));
        all.push(Seen {
            kind: record.kind(),
            line: index.line_ends_before(number),
            start: record.start(),
            end: record.end(),
            next: record.next(),
            spans,
            fields: (0..parsed.len()).map(|field| parsed.get(field).expect("in range").to_vec()).collect(),
            fault: parsed.fault(),
        });
    }
    assert_eq!(all.len(), index.len());
    assert_eq!(all.is_empty(), index.is_empty());
    assert!(index.record(buffer, index.len()).is_none());
    all
}

fn text_of(field: &[u8], dialect: &Dialect) -> Vec<u8> {
    let Some(quote) = dialect.quote().filter(|quote| field.first() == Some(quote)) else {
        return field.to_vec();
    };
    let mut copied = b"what was there before".to_vec();
    match unquote(field, quote, &mut copied) {
        Unquoted::Inner => field[1..field.len() - 1].to_vec(),
        Unquoted::Copied => copied,
    }
}

/// Reads `text` in buffers that grow by `steps` bytes in turn; spans and lines are of the whole text.
fn seen_in_parts(text: &[u8], scanner: &Scanner, steps: &[usize]) -> Vec<Seen> {
    let mut index = Index::default();
    let mut all = Vec::new();
    let (mut start, mut end, mut line) = (0, 0, 0);
    for step in steps.iter().cycle() {
        end = (end + step).min(text.len());
        let buffer = &text[start..end];
        let complete = scanner.scan(buffer, end == text.len(), &mut index);
        for mut record in seen(buffer, &index, scanner.dialect()) {
            record.line += line;
            record.start += start;
            record.end += start;
            record.next += start;
            record.spans.iter_mut().for_each(|span| *span = (span.0 + start, span.1 + start));
            all.push(record);
        }
        assert!(complete <= buffer.len());
        line += index.line_ends_before(index.len());
        start += complete;
        if end == text.len() {
            assert_eq!(start, text.len(), "all is complete at the end of input");
            return all;
        }
    }
    unreachable!("the steps are repeated until the end")
}

fn scan_all(text: &[u8], scanner: &Scanner) -> Index {
    let mut index = Index::default();
    assert_eq!(scanner.scan(text, true, &mut index), text.len());
    index
}

/// The whole state, to compare two ways of making it.
fn parts(index: &Index) -> (&[u32], &[u32], Vec<usize>, [bool; 3]) {
    let lines = (0..=index.len()).map(|record| index.line_ends_before(record)).collect();
    let flags = [index.has_quote(), index.has_nul(), index.has_high()];
    (index.positions.as_slice(), index.entries.as_slice(), lines, flags)
}

/// Every way to read `text` gives what the model gives.
fn check(text: &[u8], dialect: &Dialect, steps: &[usize]) {
    let expected = model::records(text, dialect);
    let twins = Scanner::twins(dialect);
    let index = scan_all(text, &twins[0]);
    assert_eq!(seen(text, &index, dialect), expected);
    for twin in &twins[1..] {
        assert_eq!(parts(&index), parts(&scan_all(text, twin)), "the fastest way, and {twin:?}");
    }
    let mut by_grammar = Index::default();
    assert_eq!(by_grammar.fill_by_grammar(text, true, dialect), text.len());
    assert_eq!(parts(&index), parts(&by_grammar), "with SIMD, and by the grammar");

    let has_quote = dialect.quote().is_some_and(|quote| text.contains(&quote));
    assert_eq!(parts(&index).3, [has_quote, text.contains(&0), !text.is_ascii()]);
    let ended = text.last().is_none_or(|byte| matches!(byte, b'\n' | b'\r'))
        && expected.last().is_none_or(|record| record.end < text.len());
    let lines = index.line_ends_before(index.len()) - usize::from(!ended);
    assert_eq!(count_lines(text), lines as u64);

    for twin in &twins {
        assert_eq!(seen_in_parts(text, twin, steps), expected);
    }
    check_plain(text, &index, &expected);
}

/// Of every width, those records are plain that are regular, of that width, not too long and wanted.
fn check_plain(text: &[u8], index: &Index, expected: &[Seen]) {
    let mut plain = Plain::default();
    let (from, bytes_max) = (expected.len().min(1), 40);
    let unwanted = text.len() / 2;
    for width in 1..4 {
        let mut told = Vec::new();
        plain.find(index, from, width, bytes_max, |start, end| {
            told.push((start, end));
            !(start..end).contains(&unwanted)
        });
        let (mut records, mut others) = (plain.records().iter(), plain.others().iter());
        for (number, seen) in expected.iter().enumerate().skip(from) {
            // A line end of two bytes before it may count as well.
            let (start, length) =
                (seen.start - usize::from(text[..seen.start].ends_with(b"\r\n")), seen.end - seen.start);
            let right = matches!(seen.kind, Kind::Regular | Kind::Blank) && seen.spans.len() == width;
            let fits = length + (seen.start - start) <= bytes_max;
            if !(right && fits && !(start..seen.end).contains(&unwanted)) {
                assert_eq!(others.next(), Some(&(number as u32)));
                continue;
            }
            let record = records.next().expect("it is plain");
            let spans = (0..width as u32).map(|field| record.field_span(text, index.positions(), field));
            assert_eq!(spans.collect::<Vec<_>>(), seen.spans);
            assert_eq!(record.span(text, index.positions(), width), (seen.start as u32, seen.end as u32));
        }
        assert!(records.next().is_none() && others.next().is_none());
        assert!(told.is_sorted());
    }
    plain.find_none(index, from);
    assert!(plain.records().is_empty());
    assert!(plain.others().iter().copied().eq(from as u32..expected.len() as u32));
    let mut line_ends = index.line_ends();
    assert!((0..=index.len()).all(|record| line_ends.before(record) == index.line_ends_before(record) as u64));
}

fn dialects() -> impl Strategy<Value = Dialect> {
    let semicolon = Dialect::new(b';', Some(b'"')).expect("sound");
    let unquoted = Dialect::new(b',', None).expect("sound");
    let commented = Dialect::default().with_comment(b"a;").expect("sound");
    let quote_commented = Dialect::default().with_comment(b"\"a").expect("sound");
    prop::sample::select(vec![Dialect::default(), Dialect::default(), semicolon, unquoted, commented, quote_commented])
}

/// Text of few kinds of bytes, so that everything meets everything.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(b"aaa,,;\"\"\n\r\0\xc3\xa9".to_vec()), 0..300)
}

/// Text of fields that are mostly sound, so that the fast scan stays on its feet for longer than a block.
fn mostly_sound() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "abc,",
        "2026-01-02,",
        "\"a,\"\"b\r\n\",",
        "\"\",",
        ",",
        "\n",
        "x\r\n",
        "\"q\"\n",
        "\"\"\"\"\r",
        "5\" x,",
        "\"a\"b,",
    ];
    let weights = [8, 8, 4, 4, 4, 4, 4, 4, 2, 1, 1];
    let piece = prop::sample::select(
        pieces.iter().zip(weights).flat_map(|(piece, weight)| std::iter::repeat_n(*piece, weight)).collect::<Vec<_>>(),
    );
    prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat().into_bytes())
}

fn steps() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![Just(vec![1]), prop::collection::vec(1usize..200, 1..5)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn every_way_to_read_noise_is_the_models(text in noise(), dialect in dialects(), steps in steps()) {
        check(&text, &dialect, &steps);
    }

    #[test]
    fn every_way_to_read_mostly_sound_text_is_the_models(text in mostly_sound(), dialect in dialects(), steps in steps()) {
        check(&text, &dialect, &steps);
    }

    #[test]
    fn memory_alignment_changes_nothing(text in noise(), offset in 0usize..64) {
        let dialect = Dialect::default();
        let scanner = Scanner::new(dialect.clone());
        let moved = [vec![b'"'; offset], text.clone()].concat();
        let (there, here) = (scan_all(&moved[offset..], &scanner), scan_all(&text, &scanner));
        prop_assert_eq!(parts(&there), parts(&here));
    }
}

#[test]
fn every_length_and_place_of_a_short_pattern_is_the_models() {
    let patterns: [&[u8]; 8] =
        [b"\"a\"\"b\",c\r\n", b"\"x\"y,z\n", b"a\"b,c\n", b"\"open", b"\r", b"\"\"", b"\"a\r\n\"\"\"\r\n", b"\n"];
    for pattern in patterns {
        for before in 0..140 {
            // A row that ends right before the pattern, which so comes to stand on every bit of a block.
            let mut text = vec![b'x'; before];
            if let Some(last) = text.last_mut() {
                *last = b'\n';
            }
            text.extend_from_slice(pattern);
            check(&text, &Dialect::default(), &[64]);
            text.extend_from_slice(b"1,\"2\"\n3,4");
            check(&text, &Dialect::default(), &[3, 61]);
        }
    }
}

#[test]
fn what_the_rules_say_in_words() {
    let check_one = |text: &str, kind, fields: &[&str], fault| {
        let dialect = Dialect::default();
        let records = seen(text.as_bytes(), &scan_all(text.as_bytes(), &Scanner::new(dialect.clone())), &dialect);
        let found: Vec<_> = records[0].fields.iter().map(|field| String::from_utf8_lossy(field)).collect();
        assert_eq!(
            (records[0].kind, found, records[0].fault),
            (kind, fields.iter().map(|&f| f.into()).collect(), fault)
        );
    };
    check_one("a,b\r\nc", Kind::Regular, &["a", "b"], None);
    check_one("a,\n", Kind::Regular, &["a", ""], None);
    check_one("\n", Kind::Blank, &[""], None);
    check_one("\"\"\n", Kind::Regular, &[""], None);
    check_one("\"a\"\"b\",\"c\nd\"", Kind::Regular, &["a\"b", "c\nd"], None);
    check_one("5\" disk,a\n", Kind::Irregular, &["5\" disk", "a"], None);
    check_one("\"a\"b\"c,d\n", Kind::Irregular, &["ab\"c", "d"], Some(QuoteFault::Bad));
    check_one("a,\"b\"\"\n,c", Kind::Irregular, &["a", "b\"\n,c"], Some(QuoteFault::Unterminated));
}

#[test]
fn a_carriage_return_at_the_end_of_a_buffer_waits_for_a_line_feed() {
    let scanner = Scanner::new(Dialect::default());
    let mut index = Index::default();
    assert_eq!(scanner.scan(b"a\rb\r", false, &mut index), 2);
    assert_eq!(index.len(), 1);
    assert_eq!(scanner.scan(b"b\r\n", false, &mut index), 3);
    assert_eq!(scanner.scan(b"b\r", true, &mut index), 2);
    assert_eq!(index.len(), 1);
}

#[test]
fn a_comment_hides_its_quotes() {
    let dialect = Dialect::default().with_comment(b"#").expect("sound");
    let text = b"#\"open\na,b\n#";
    let kinds: Vec<_> = seen(text, &scan_all(text, &Scanner::new(dialect.clone())), &dialect)
        .iter()
        .map(|record| record.kind)
        .collect();
    assert_eq!(kinds, [Kind::Comment, Kind::Regular, Kind::Comment]);
}

#[test]
fn what_only_the_grammar_read_is_noticed_too() {
    let flags_of = |strange: &[u8]| {
        let text = [b"5\" ", &[b'x'; 200][..], strange, &[b'x'; 200], b"\n1,2\n"].concat();
        parts(&scan_all(&text, &Scanner::new(Dialect::default()))).3
    };
    assert_eq!(flags_of(b""), [true, false, false]);
    assert_eq!(flags_of(b"\0"), [true, true, false]);
    assert_eq!(flags_of("é".as_bytes()), [true, false, true]);
}

#[test]
fn lists_grow_past_their_first_room() {
    let text = b",\n".repeat(100_000);
    let index = scan_all(&text, &Scanner::new(Dialect::default()));
    assert_eq!(index.len(), 100_000);
    assert!(Records::new(&text, &index).all(|record| record.fields() == 2 && record.field_span(1).0 == record.end()));
}

#[test]
fn a_dialect_is_sound_or_not_made() {
    assert_eq!(Dialect::new(b',', Some(b'"')), Some(Dialect::default()));
    for (delimiter, quote) in [(b'\n', None), (b'\r', None), (0xa7, None), (b'"', Some(b'"')), (b',', Some(b'\r'))] {
        assert_eq!(Dialect::new(delimiter, quote), None, "{delimiter} {quote:?}");
    }
    assert_eq!(Dialect::default().with_comment(b"#\n"), None);
}

#[test]
fn delimiters_are_sniffed_outside_quotes() {
    let cases: [(&str, u8); 11] = [
        ("", b','),
        ("alone", b','),
        ("a,b\n1;2;3", b','),
        ("a;b;c,d\n", b';'),
        ("a\tb\tc", b'\t'),
        ("a|b", b'|'),
        ("\n\r\na;b", b';'),
        ("\"a,b,c\";d", b';'),
        ("\"x\";\"a,b,c,d\"", b';'),
        ("\"a\"x,b", b','),
        ("a,b;c", b','),
    ];
    for (text, delimiter) in cases {
        assert_eq!(sniff_delimiter(text.as_bytes()), delimiter, "{text:?}");
    }
}

#[test]
fn unquote_survives_fields_that_are_none() {
    for field in [&b""[..], b"\"", b"\"\"", b"\"\"\"", b"\"a"] {
        let mut into = Vec::new();
        unquote(field, b'"', &mut into);
        assert!(into.len() <= field.len());
    }
}
