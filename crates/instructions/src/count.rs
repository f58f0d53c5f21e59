//! Counting: valgrind runs a program for some messages and for more; the difference is theirs alone.

use std::collections::BTreeMap;
use std::process::Command;

use crate::Result;
use crate::step::{STEPS, Step};

/// As many messages as a lane holds of the longest, and a good deal fewer.
const FEW: u32 = 100;
const MANY: u32 = 900;

/// Instructions per message by the name of the step.
pub(crate) type Counts = BTreeMap<String, u64>;

/// Counts every step.
pub(crate) fn all() -> Result<Counts> {
    let mut programs = Counts::new();
    for step in STEPS {
        let (few, many) = (instructions(step, FEW)?, instructions(step, MANY)?);
        programs.insert(step.name.to_owned(), many.saturating_sub(few) / u64::from(MANY - FEW));
    }
    let alone = |step: &Step| {
        let whole = programs.get(step.name).copied().unwrap_or_default();
        let others: u64 = step.without.iter().filter_map(|name| programs.get(*name)).sum();
        (step.name.to_owned(), whole.saturating_sub(others))
    };
    Ok(STEPS.iter().map(alone).collect())
}

fn instructions(step: &Step, messages: u32) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["run", step.name, &messages.to_string()])
        .output()
        .map_err(|error| format!("valgrind cannot be run ({error}): apt-get install valgrind"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let count = text.lines().find_map(|line| line.split_once("I   refs:").map(|(_, count)| count));
    let digits: String = count.unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    if !output.status.success() {
        return Err(format!("{} failed under valgrind:\n{text}", step.name).into());
    }
    Ok(digits.parse().map_err(|_| format!("valgrind printed no count:\n{text}"))?)
}
