//! The fuzzer around [`fuzz::unpack`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::unpack(data));
