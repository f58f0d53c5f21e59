//! The attacker is the peer process: what the fuzzer has found of its scripts, replayed without it.
#![cfg(not(loom))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

mod common;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

#[test]
fn no_script_of_the_corpus_is_a_crash() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/shm_reader");
    let files: Vec<_> = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 5, "hardly a corpus");
    for file in &files {
        let script = fs::read(file).unwrap();
        let outcome = catch_unwind(|| common::reader::shm_reader(&script));
        assert!(outcome.is_ok(), "{}", file.display());
    }
    println!("shm_reader: {} scripts", files.len());
}
