//! The two processes of a point: this one drives, and starts itself once more to answer.
//!
//! The control socket is one end of a pair, the other process' standard input: there is no path, no listener and nothing to
//! clean up, and each process sees the end of the other there.

use std::env;
use std::error::Error;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};

use eipc_core::crypto::random::Random;
use eipc_core::{Role, Suite};
use serde_json::json;

use crate::exchange::establish;
use crate::link::Link;
use crate::options::{Measure, Options};
use crate::{one_way, round_trip};

/// The first word of the answering process, in front of all the others.
const ANSWER: &str = "answer";

/// Runs the process that the command line asks for.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.split_first() {
        Some((first, rest)) if first == ANSWER => answer(&Options::read(rest)?),
        _ => {
            let options = Options::read(&words)?;
            let (ours, theirs) = UnixStream::pair()?;
            let mut answerer = Command::new(env::current_exe()?)
                .arg(ANSWER)
                .args(&words)
                .stdin(OwnedFd::from(theirs))
                .spawn()?;
            let result = drive(ours, &options);
            end(&mut answerer);
            println!("{}", result?);
            Ok(())
        }
    }
}

/// Ends it if it did not end by itself; why it did, it has said.
fn end(answerer: &mut Child) {
    let _ = answerer.kill();
    let _ = answerer.wait();
}

fn answer(options: &Options) -> Result<(), Box<dyn Error>> {
    pin_to(options.answering_core)?;
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut key = [0; 32];
    socket.read_exact(&mut key)?;
    let established = establish(socket.into(), Role::Server, &key, options.suite)?;
    let mut link = Link::new(established, options.size)?;
    match options.measure {
        Measure::RoundTrip => round_trip::echo(&mut link, options.size),
        Measure::OneWay(_) => one_way::count(&mut link, options.size),
    }
}

fn drive(mut socket: UnixStream, options: &Options) -> Result<serde_json::Value, Box<dyn Error>> {
    pin_to(options.driving_core)?;
    let key = Random::system().array().map_err(|_| "there are no random bytes")?;
    socket.write_all(&key)?;
    let established = establish(socket.into(), Role::Client, &key, options.suite)?;
    let mut link = Link::new(established, options.size)?;
    let result = match options.measure {
        Measure::RoundTrip => round_trip::drive(&mut link, options)?,
        Measure::OneWay(batch) => one_way::drive(&mut link, options, batch)?,
    };
    let suite = match options.suite {
        Suite::HmacSha256 => "hmac-sha256",
        Suite::Aes256Gcm => "aes-256-gcm",
        Suite::ChaCha20Poly1305 => "chacha20-poly1305",
    };
    Ok(json!({ "description": format!("Rust, EIPC/2, shm, {suite}, spinning"), "result": result }))
}

#[cfg(target_os = "linux")]
fn pin_to(core: Option<usize>) -> Result<(), Box<dyn Error>> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let Some(core) = core else { return Ok(()) };
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn pin_to(_: Option<usize>) -> Result<(), Box<dyn Error>> {
    Ok(())
}
