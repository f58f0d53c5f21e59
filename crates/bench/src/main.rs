//! EIPC between two Rust processes: the real handshake and hand-over, then sealed frames through shared memory, spinning.
//!
//! A native contestant of benches/ (`benches/harness/native.js`): one process drives, starts a second one that answers, and
//! prints one line of JSON. It shows what sealing, opening and the rings cost without Node; a user of Node gets
//! `crates/node`, which does the same in the event loop. Ends with code 69 where it cannot run, 1 when a message was wrong
//! or missing.

#[cfg(unix)]
mod exchange;
#[cfg(unix)]
mod link;
#[cfg(unix)]
mod one_way;
#[cfg(unix)]
mod options;
#[cfg(unix)]
mod payload;
#[cfg(unix)]
mod processes;
#[cfg(unix)]
mod round_trip;

use std::process::ExitCode;

/// What a program says that cannot do its work here (sysexits.h).
#[cfg(not(unix))]
const UNAVAILABLE: u8 = 69;

#[cfg(unix)]
fn main() -> ExitCode {
    match processes::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    eprintln!("the Rust driver hands its segment over beside a Unix socket");
    ExitCode::from(UNAVAILABLE)
}
