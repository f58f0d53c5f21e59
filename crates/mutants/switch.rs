//! Asks which mutant is active. Exists only in the copies that `eipc-mutants` makes.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

enum Mode {
    /// No check is removed, and nobody wants to know which are reached.
    Off,
    /// One check is removed.
    Active(u32),
    /// No check is removed; every one that is reached is told to the file.
    Record(PathBuf),
}

static MODE: OnceLock<Mode> = OnceLock::new();
static REACHED: [AtomicBool; COUNT] = [const { AtomicBool::new(false) }; COUNT];

fn mode() -> Mode {
    if let Some(number) = std::env::var("EIPC_MUTANT").ok().and_then(|text| text.parse().ok()) {
        return Mode::Active(number);
    }
    std::env::var_os("EIPC_MUTANTS_REACHED").map_or(Mode::Off, |path| Mode::Record(path.into()))
}

/// Tells whether the check `number` is to be removed.
#[inline]
pub(crate) fn on(number: u32) -> bool {
    match MODE.get_or_init(mode) {
        Mode::Off => false,
        Mode::Active(active) => *active == number,
        Mode::Record(file) => {
            record(file, number);
            false
        }
    }
}

/// Allocates nothing and leaves no descriptor open: some tests count both.
#[cold]
fn record(file: &PathBuf, number: u32) {
    let is_known = REACHED.get(number as usize).is_none_or(|seen| seen.swap(true, Ordering::Relaxed));
    if !is_known {
        let mut line = *b"0000000000\n";
        let mut rest = number;
        for digit in line[..10].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let opened = OpenOptions::new().create(true).append(true).open(file);
        let _ = opened.and_then(|mut file| file.write_all(&line));
    }
}
