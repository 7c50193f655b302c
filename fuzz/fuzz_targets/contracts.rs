//! The fuzzer around [`fuzz::contracts`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::contracts(data));
