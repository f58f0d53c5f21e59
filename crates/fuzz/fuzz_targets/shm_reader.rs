//! See crates/shm/tests/common/reader.rs.
#![no_main]

#[path = "../../shm/tests/common/mod.rs"]
mod common;

libfuzzer_sys::fuzz_target!(|input: &[u8]| common::reader::shm_reader(input));
