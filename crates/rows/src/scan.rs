//! The structural scan of CSV: one pass that finds every separator and line end outside quotes.
//!
//! Bytes are looked at 64 at a time and turned into bit masks; everything after that is shared, safe code
//! (`Index::fill`). There are three ways to make the masks: with AVX-512, with AVX2, and a plain one for other machines;
//! they give identical masks. This is the only file of the workspace that may hold `unsafe`: calls into code compiled for
//! a CPU that was asked first, the loads of a block, and stores.
#![expect(unsafe_code, reason = "SIMD loads, plain stores, and a call chosen by the CPU at run time")]

use crate::csv::{Dialect, Index};

/// Bytes looked at in one step, one per bit of a mask.
pub(crate) const BLOCK: usize = 64;

/// Writes `value`, by itself.
///
/// Left alone, the compiler gathers eight positions in vectors before it writes them, one insertion at a time: that is
/// slower than eight plain writes, and makes the whole scan slower by a fifteenth.
#[inline(always)]
fn write(slot: &mut u32, value: u32) {
    // SAFETY: an exclusive reference is valid for a write; volatile only forbids to merge it with others.
    unsafe { std::ptr::write_volatile(slot, value) }
}

/// What stands where in one block: bit i speaks of byte i.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Masks {
    /// Delimiters, quoted or not.
    pub(crate) delimiter: u64,
    /// Line feeds.
    pub(crate) newline: u64,
    /// Carriage returns.
    pub(crate) carriage_return: u64,
    /// Quotes; none when the dialect has no quote.
    pub(crate) quote: u64,
    /// Bytes that have an odd number of quotes up to and including themselves.
    pub(crate) odd: u64,
    /// Not 0 when a NUL is in the block.
    pub(crate) nuls: u64,
    /// Not 0 when a byte outside ASCII is in the block.
    pub(crate) high: u64,
}

/// A way to look at blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kernel {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Plain,
}

/// Finds the records and fields of CSV text in one dialect. It keeps no state between buffers; share it freely.
#[derive(Debug, Clone)]
pub struct Scanner {
    dialect: Dialect,
    kernel: Kernel,
}

impl Scanner {
    /// A scanner that uses the fastest way this CPU knows.
    pub fn new(dialect: Dialect) -> Self {
        let [kernel, ..] = known()[..] else { unreachable!("the plain way is known everywhere") };
        Self { dialect, kernel }
    }

    /// A scanner for each way this CPU knows, the fastest first and the plain one, without SIMD, last: twins that are
    /// tested against each other.
    pub fn twins(dialect: &Dialect) -> Vec<Self> {
        known().iter().map(|kernel| Self { dialect: dialect.clone(), kernel: *kernel }).collect()
    }

    /// The dialect it reads.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// Replaces `index` by one of the complete records of `buffer`; answers how many bytes they take.
    ///
    /// `buffer` begins at a record's start. What is left after the complete records is the front of one that goes on in
    /// bytes not yet read: the caller puts it before them and scans it again, and gives up on a record that grows past
    /// its limit (or the work would be quadratic). A carriage return as the last byte is not complete either, as a line
    /// feed may follow. With `end_of_input` nothing follows: the last record is complete whatever its end, and the
    /// answer is the length of the buffer. Of a buffer over [`Index::BUFFER_BYTES_MAX`] only the front is read.
    pub fn scan(&self, buffer: &[u8], end_of_input: bool, index: &mut Index) -> usize {
        let end_of_input = end_of_input && buffer.len() <= Index::BUFFER_BYTES_MAX;
        let buffer = &buffer[..buffer.len().min(Index::BUFFER_BYTES_MAX)];
        if !self.dialect.comment().is_empty() {
            return index.fill_by_grammar(buffer, end_of_input, &self.dialect);
        }
        match self.kernel {
            // SAFETY: these kernels are only chosen from `known`, after the CPU said it has every feature of the function.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => unsafe { avx512::scan(&self.dialect, buffer, end_of_input, index) },
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => unsafe { avx2::scan(&self.dialect, buffer, end_of_input, index) },
            Kernel::Plain => {
                index.fill(buffer, end_of_input, &self.dialect, plain::masks(&self.dialect), plain::places())
            }
        }
    }
}

/// The kernels this CPU can run, the fastest first.
#[cfg(target_arch = "x86_64")]
fn known() -> &'static [Kernel] {
    let bits = is_x86_feature_detected!("pclmulqdq")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt");
    let wide = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi2");
    match (bits && is_x86_feature_detected!("avx2"), wide) {
        (true, true) => &[Kernel::Avx512, Kernel::Avx2, Kernel::Plain],
        (true, false) => &[Kernel::Avx2, Kernel::Plain],
        (false, _) => &[Kernel::Plain],
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn known() -> &'static [Kernel] {
    &[Kernel::Plain]
}

/// Writes where the bits stand, counted on from `at`, to the front of `room`, one after the other; what is behind them
/// is written over as well.
#[inline(always)]
fn places_by_bits(room: &mut [u32; BLOCK], at: u32, mut bits: u64) {
    let count = bits.count_ones();
    some_places::<0, 8>(room, at, &mut bits);
    if count > 8 {
        some_places::<8, 16>(room, at, &mut bits);
        if count > 16 {
            some_places::<16, BLOCK>(room, at, &mut bits);
        }
    }
}

/// Writes where the lowest bits stand, whether or not there are so many.
#[inline(always)]
fn some_places<const FROM: usize, const TO: usize>(room: &mut [u32; BLOCK], at: u32, bits: &mut u64) {
    for slot in &mut room[FROM..TO] {
        if TO == BLOCK && *bits == 0 {
            return;
        }
        write(slot, at.wrapping_add(bits.trailing_zeros()));
        *bits &= bits.wrapping_sub(1);
    }
}

/// Masks by AVX-512, of which one instruction compares a block and another puts places together. Every function here
/// may only run on a CPU that has the features in its attribute.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    use super::{BLOCK, Masks};
    use crate::csv::{Dialect, Index};

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    pub(super) fn scan(dialect: &Dialect, buffer: &[u8], end_of_input: bool, index: &mut Index) -> usize {
        index.fill(buffer, end_of_input, dialect, masks(dialect), places())
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    pub(super) fn masks(dialect: &Dialect) -> impl Fn(&[u8; BLOCK]) -> Masks + use<> {
        let delimiter = _mm512_set1_epi8(dialect.delimiter().cast_signed());
        let newline = _mm512_set1_epi8(b'\n'.cast_signed());
        let carriage_return = _mm512_set1_epi8(b'\r'.cast_signed());
        let quote_byte = _mm512_set1_epi8(dialect.quote().unwrap_or_default().cast_signed());
        let quote_exists = if dialect.quote().is_some() { u64::MAX } else { 0 };
        move |block| {
            // SAFETY: a block is 64 readable bytes, as many as are loaded, and this load asks for no alignment.
            let bytes = unsafe { _mm512_loadu_si512((&raw const *block).cast()) };
            let quote = _mm512_cmpeq_epi8_mask(bytes, quote_byte) & quote_exists;
            Masks {
                delimiter: _mm512_cmpeq_epi8_mask(bytes, delimiter),
                newline: _mm512_cmpeq_epi8_mask(bytes, newline),
                carriage_return: _mm512_cmpeq_epi8_mask(bytes, carriage_return),
                quote,
                odd: super::avx2::prefix_xor(quote),
                nuls: _mm512_testn_epi8_mask(bytes, bytes),
                high: _mm512_movepi8_mask(bytes),
            }
        }
    }

    /// As `places_by_bits`, sixteen at a time.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    pub(super) fn places() -> impl Fn(&mut [u32; BLOCK], u32, u64) {
        static ALL: [u8; BLOCK] = {
            let mut all = [0; BLOCK];
            let mut place = 0;
            while place < BLOCK {
                all[place] = place as u8;
                place += 1;
            }
            all
        };
        // SAFETY: as the load above.
        let all = unsafe { _mm512_loadu_si512((&raw const ALL).cast()) };
        move |room, at, bits| {
            let (at, places) = (_mm512_set1_epi32(at.cast_signed()), _mm512_maskz_compress_epi8(bits, all));
            let (quarters, _) = room.as_chunks_mut::<16>();
            let put = |quarter: &mut [u32; 16], places: __m128i| {
                let places = _mm512_add_epi32(_mm512_cvtepu8_epi32(places), at);
                // SAFETY: a quarter is 64 bytes that are ours to write, and this store asks for no alignment.
                unsafe { _mm512_storeu_si512((&raw mut *quarter).cast(), places) }
            };
            put(&mut quarters[0], _mm512_extracti32x4_epi32::<0>(places));
            if bits.count_ones() > 16 {
                put(&mut quarters[1], _mm512_extracti32x4_epi32::<1>(places));
                put(&mut quarters[2], _mm512_extracti32x4_epi32::<2>(places));
                put(&mut quarters[3], _mm512_extracti32x4_epi32::<3>(places));
            }
        }
    }
}

/// Masks by AVX2. Every function here may only run on a CPU that has the features in its attribute.
#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use super::{BLOCK, Masks};
    use crate::csv::{Dialect, Index};

    /// The whole scan, so that the loop over the blocks is compiled for these features too: a function with features
    /// does not inline into one without, and a call per block would cost more than the block.
    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    pub(super) fn scan(dialect: &Dialect, buffer: &[u8], end_of_input: bool, index: &mut Index) -> usize {
        index.fill(buffer, end_of_input, dialect, masks(dialect), places())
    }

    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    pub(super) fn masks(dialect: &Dialect) -> impl Fn(&[u8; BLOCK]) -> Masks + use<> {
        let delimiter = _mm256_set1_epi8(dialect.delimiter().cast_signed());
        let newline = _mm256_set1_epi8(b'\n'.cast_signed());
        let carriage_return = _mm256_set1_epi8(b'\r'.cast_signed());
        let quote_byte = _mm256_set1_epi8(dialect.quote().unwrap_or_default().cast_signed());
        let quote_exists = if dialect.quote().is_some() { u64::MAX } else { 0 };
        let zero = _mm256_setzero_si256();
        move |block| {
            let (first, second) = load(block);
            let quote = equal(first, second, quote_byte) & quote_exists;
            let least = _mm256_min_epu8(first, second);
            Masks {
                delimiter: equal(first, second, delimiter),
                newline: equal(first, second, newline),
                carriage_return: equal(first, second, carriage_return),
                quote,
                odd: prefix_xor(quote),
                nuls: any(_mm256_cmpeq_epi8(least, zero)),
                high: any(_mm256_or_si256(first, second)),
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,pclmulqdq,bmi1,bmi2,lzcnt,popcnt")]
    fn places() -> impl Fn(&mut [u32; BLOCK], u32, u64) {
        |room, at, bits| super::places_by_bits(room, at, bits)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(block: &[u8; BLOCK]) -> (__m256i, __m256i) {
        let (halves, _) = block.as_chunks::<32>();
        // SAFETY: a half is 32 readable bytes, as many as are loaded, and this load asks for no alignment.
        unsafe {
            (_mm256_loadu_si256((&raw const halves[0]).cast()), _mm256_loadu_si256((&raw const halves[1]).cast()))
        }
    }

    /// Not 0 when a byte has its top bit.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn any(bytes: __m256i) -> u64 {
        u64::from(_mm256_movemask_epi8(bytes).cast_unsigned())
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn equal(first: __m256i, second: __m256i, byte: __m256i) -> u64 {
        let low = _mm256_movemask_epi8(_mm256_cmpeq_epi8(first, byte)).cast_unsigned();
        let high = _mm256_movemask_epi8(_mm256_cmpeq_epi8(second, byte)).cast_unsigned();
        u64::from(low) | (u64::from(high) << 32)
    }

    /// Bit i of the answer is the xor of bits 0 to i: a product without carries by all ones.
    #[inline]
    #[target_feature(enable = "pclmulqdq")]
    pub(super) fn prefix_xor(bits: u64) -> u64 {
        let product = _mm_clmulepi64_si128::<0>(_mm_set_epi64x(0, bits.cast_signed()), _mm_set1_epi8(-1));
        _mm_cvtsi128_si64(product).cast_unsigned()
    }
}

/// Masks without SIMD: eight bytes at a time in one integer.
mod plain {
    use super::{BLOCK, Masks};
    use crate::csv::Dialect;

    const ONES: u64 = 0x0101_0101_0101_0101;
    const LOW_SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    const HIGH: u64 = 0x8080_8080_8080_8080;

    #[inline(always)]
    pub(super) fn masks(dialect: &Dialect) -> impl Fn(&[u8; BLOCK]) -> Masks + use<> {
        let delimiter = ONES * u64::from(dialect.delimiter());
        let quote_byte = ONES * u64::from(dialect.quote().unwrap_or_default());
        let quote_exists = if dialect.quote().is_some() { u64::MAX } else { 0 };
        move |block| {
            let (words, _) = block.as_chunks::<8>();
            let words: [u64; 8] = std::array::from_fn(|word| u64::from_le_bytes(words[word]));
            let quote = equal(&words, quote_byte) & quote_exists;
            Masks {
                delimiter: equal(&words, delimiter),
                newline: equal(&words, ONES * u64::from(b'\n')),
                carriage_return: equal(&words, ONES * u64::from(b'\r')),
                quote,
                odd: prefix_xor(quote),
                nuls: words.iter().fold(0, |found, &word| found | zero_bytes(word)),
                high: words.iter().fold(0, |found, &word| found | word) & HIGH,
            }
        }
    }

    #[inline(always)]
    pub(super) fn places() -> impl Fn(&mut [u32; BLOCK], u32, u64) {
        |room, at, bits| super::places_by_bits(room, at, bits)
    }

    #[inline(always)]
    fn equal(words: &[u64; 8], byte_everywhere: u64) -> u64 {
        // The top bits of the eight bytes, spread eight apart, meet in the product's top byte.
        const GATHER: u64 = 0x0102_0408_1020_4080;
        let mut mask = 0;
        for (place, word) in words.iter().enumerate() {
            let found = zero_bytes(word ^ byte_everywhere) >> 7;
            mask |= (found.wrapping_mul(GATHER) >> 56) << (8 * place);
        }
        mask
    }

    /// The top bit of each byte that is zero; no carry leaves a byte, so none is taken for zero wrongly.
    #[inline(always)]
    fn zero_bytes(word: u64) -> u64 {
        !(((word & LOW_SEVEN) + LOW_SEVEN) | word | LOW_SEVEN)
    }

    #[inline(always)]
    fn prefix_xor(mut bits: u64) -> u64 {
        for shift in [1, 2, 4, 8, 16, 32] {
            bits ^= bits << shift;
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a mask means, byte by byte.
    fn model(block: &[u8; BLOCK], dialect: &Dialect) -> Masks {
        let bits = |wanted: &dyn Fn(u8) -> bool| {
            block.iter().rev().fold(0u64, |mask, &byte| (mask << 1) | u64::from(wanted(byte)))
        };
        let quote = bits(&|byte| Some(byte) == dialect.quote());
        let mut odd = 0;
        for place in 0..BLOCK {
            odd |= u64::from((quote << (BLOCK - 1 - place)).count_ones() % 2) << place;
        }
        Masks {
            delimiter: bits(&|byte| byte == dialect.delimiter()),
            newline: bits(&|byte| byte == b'\n'),
            carriage_return: bits(&|byte| byte == b'\r'),
            quote,
            odd,
            nuls: u64::from(block.contains(&0)),
            high: u64::from(!block.is_ascii()),
        }
    }

    fn check(block: &[u8; BLOCK], dialect: &Dialect) {
        let expected = model(block, dialect);
        // Of these two it only counts whether there are any.
        let known_of = |masks: Masks| Masks { nuls: masks.nuls.min(1), high: masks.high.min(1), ..masks };
        for kernel in known() {
            let masks = match kernel {
                // SAFETY: `known` gives these kernels only when the CPU has every feature of the functions.
                #[cfg(target_arch = "x86_64")]
                Kernel::Avx512 => (unsafe { avx512::masks(dialect) })(block),
                #[cfg(target_arch = "x86_64")]
                Kernel::Avx2 => (unsafe { avx2::masks(dialect) })(block),
                Kernel::Plain => plain::masks(dialect)(block),
            };
            assert_eq!(known_of(masks), expected, "{kernel:?}");
        }
    }

    #[test]
    fn a_mark_that_is_alone_in_a_block_is_seen_wherever_it_is() {
        for (place, mark) in (0..BLOCK).flat_map(|place| b"\0\xc3,\n\r\"".iter().map(move |mark| (place, *mark))) {
            let mut block = [b'a'; BLOCK];
            block[place] = mark;
            check(&block, &Dialect::default());
        }
    }

    #[test]
    fn this_machine_runs_a_kernel_the_tests_are_about() {
        if cfg!(target_arch = "x86_64") {
            assert_ne!(known(), [Kernel::Plain], "no SIMD kernel is tested on this CPU");
        }
    }

    proptest! {
        #[test]
        fn all_kernels_make_the_masks_of_the_model(block: [u8; BLOCK], delimiter in 0u8..128, quote: Option<u8>) {
            if let Some(dialect) = Dialect::new(delimiter, quote) {
                check(&block, &dialect);
            }
        }

        #[test]
        fn all_kernels_make_the_masks_of_the_model_when_marks_are_many(
            block in proptest::collection::vec(prop::sample::select(b"a,\"\n\r\0\xc3".to_vec()), BLOCK),
            quote in prop::sample::select(vec![None, Some(b'"')]),
        ) {
            let block: &[u8; BLOCK] = block.as_slice().try_into().expect("as many as a block holds");
            check(block, &Dialect::new(b',', quote).expect("a sound dialect"));
        }

        #[test]
        fn places_are_those_of_the_bits(bits: u64, fewer: u64, at in 0u32..1 << 30) {
            for bits in [bits, bits & fewer, bits & fewer & fewer.rotate_left(7) & bits.rotate_left(31), u64::MAX] {
                let expected: Vec<u32> = (0..64).filter(|bit| bits >> bit & 1 == 1).map(|bit| at + bit).collect();
                let mut room = [0; BLOCK];
                places_by_bits(&mut room, at, bits);
                prop_assert_eq!(&room[..expected.len()], &expected[..]);
                #[cfg(target_arch = "x86_64")]
                if known().contains(&Kernel::Avx512) {
                    room = [0; BLOCK];
                    // SAFETY: the CPU has every feature of the function.
                    (unsafe { avx512::places() })(&mut room, at, bits);
                    prop_assert_eq!(&room[..expected.len()], &expected[..]);
                }
            }
        }
    }
}
