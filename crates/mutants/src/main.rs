//! Removes each check of the receiver and of both handshake roles in turn: for each some test must fail. With
//! `--orderings` it weakens each memory ordering of the shared-memory rings instead: for each some model must fail.
//!
//! All mutants are built at once, into a copy of the sources under `target/` in which every check asks the
//! environment whether it is the one to be left out. Then each is switched on while the tests that reach it
//! run. `make mutants` and `make loom-mutants` run it all; an argument narrows it to the mutants whose place or
//! check contains it, for example `cargo run -p eipc-mutants -- session/epoch.rs`.
#![forbid(unsafe_code)]

mod by_hand;
mod constness;
mod equivalent;
mod find;
mod programs;
mod report;
mod rewrite;
mod suite;
mod tree;
mod trial;

use equivalent::List;
use rewrite::Mutant;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use suite::Suite;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let started = Instant::now();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let mut arguments = std::env::args().skip(1).peekable();
    let suite = match arguments.next_if_eq("--orderings") {
        Some(_) => Suite::Orderings,
        None => Suite::Checks,
    };
    let filter = arguments.next().unwrap_or_default();
    let out = root.join(suite.folder());
    let found = tree::write(&root, &out.join("src"), suite)?;
    let list = match suite {
        Suite::Checks => List::read(&found.mutants)?,
        Suite::Orderings => List::default(), // whatever no model sees is to be weakened in the code
    };
    let is_chosen = |mutant: &Mutant| mutant.to_string().contains(&filter);
    let chosen: Vec<_> = found.mutants.iter().enumerate().filter(|(_, mutant)| is_chosen(mutant)).collect();
    if chosen.is_empty() {
        return Err(format!(
            "no mutant is named with {filter:?}; give a part of a path, for example session/open.rs"
        )
        .into());
    }
    let passed = || started.elapsed().as_secs();
    eprintln!("{} of {} mutants chosen; building all into one copy", chosen.len(), found.mutants.len());
    let tests = programs::build(&out.join("src"), &root, suite)?;
    eprintln!("{} s: running {} tests without a mutant", passed(), tests.len());
    let known = trial::learn(tests, &out)?;
    eprintln!("{} s: running the tests with each mutant", passed());
    let numbers: Vec<usize> = chosen.iter().map(|(number, _)| *number).collect();
    let fates = trial::judge(&numbers, &known)?;
    let judged: Vec<_> = chosen.into_iter().map(|(_, mutant)| mutant).zip(fates).collect();
    let uncovered: Vec<_> =
        found.uncovered.iter().filter(|left| left.to_string().contains(&filter)).collect();
    Ok(report::print(&judged, &list, &uncovered, passed()))
}
