//! See crates/testkit/src/fuzz.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| eipc_testkit::fuzz::audit(input));
