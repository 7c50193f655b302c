//! The fuzzer around [`fuzz::decimals`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::decimals(data));
