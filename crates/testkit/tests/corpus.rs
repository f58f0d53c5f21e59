//! The corpus that the fuzzer has found, replayed without it: an input that was a crash once stays none.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use eipc_testkit::fuzz::TARGETS;

#[test]
fn no_input_of_the_corpus_is_a_crash() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, target) in TARGETS {
        let files: Vec<_> =
            fs::read_dir(corpus.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() > 5, "{name} has hardly a corpus");
        for file in &files {
            let input = fs::read(file).unwrap();
            assert!(catch_unwind(|| target(&input)).is_ok(), "{}", file.display());
        }
        println!("{name}: {} inputs", files.len());
    }
}
