//! Instructions per message, counted by valgrind, against a committed baseline.
//!
//! `eipc-instructions check` compares and ends with 1 when a step got dearer than the tolerance; `eipc-instructions record` writes the
//! baseline. Counts do not depend on what else the machine does, so that they can decide what a timing cannot.
//! `eipc-instructions run STEP MESSAGES` is what valgrind watches.

mod baseline;
mod count;
mod plane;
mod step;

use std::process::ExitCode;

use baseline::Baseline;
use step::Step;

/// Whatever went wrong, in words.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["check"] => check(),
        ["record"] => record(),
        ["run", name, messages] => run(name, messages),
        _ => Err("usage: eipc-instructions check | record | run STEP MESSAGES".into()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<bool> {
    let baseline = Baseline::read()?;
    if let Some(difference) = baseline.difference() {
        println!("skipped: {difference}; `make instructions-record` makes a baseline here");
        return Ok(true);
    }
    let report = baseline.compare(&count::all()?);
    println!("{report}");
    Ok(report.is_within_tolerance())
}

fn record() -> Result<bool> {
    Baseline::write(&count::all()?)?;
    Ok(true)
}

fn run(name: &str, messages: &str) -> Result<bool> {
    let step = Step::find(name).ok_or_else(|| format!("no step {name}"))?;
    step.run(messages.parse()?)?;
    Ok(true)
}
