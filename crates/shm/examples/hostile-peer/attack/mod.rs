//! Which attack, against whom, and what it reports.

mod memory;
mod offers;
mod peer;
mod rings;
mod socket;
mod stream;

use std::env;
use std::io::{self, BufRead};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eipc_core::{ClientConfig, Features, KeyTable, Psk, ServerConfig};
use eipc_shm::doorbell;

use crate::common::link::accept;
use peer::Peer;
use stream::Stream;

/// What a case counts: names and numbers.
pub(crate) type Report = Vec<(&'static str, u64)>;

/// The victim, and how to meet it.
pub(crate) struct Victim {
    path: PathBuf,
    service: String,
    psk: Arc<Psk>,
    /// The victim is a client that comes to us.
    listener: Option<(OwnedFd, Arc<ServerConfig>)>,
    pub(crate) count: u64,
    pub(crate) seed: u64,
    has_met: AtomicBool,
}

impl Victim {
    /// A connection at which the handshake has just been begun.
    pub(crate) fn stream(&self) -> Stream {
        match &self.listener {
            Some((listener, config)) => Stream::server(accept(listener), Arc::clone(config)),
            None => {
                let mut config = ClientConfig::new(Arc::clone(&self.psk), &self.service);
                config.features = Features(0b1101);
                Stream::client(doorbell::connect(&self.path).unwrap(), config)
            }
        }
    }

    /// A session that both use.
    pub(crate) fn meet(&self) -> Peer {
        self.told(Peer::meet(self.stream(), self.listener.is_some()))
    }

    /// A session that has the segment mapped; the victim may not have looked at it yet.
    pub(crate) fn meet_at_once(&self) -> Peer {
        self.told(Peer::meet_at_once(self.stream(), self.listener.is_some()))
    }

    fn told(&self, peer: Peer) -> Peer {
        if !self.has_met.swap(true, Ordering::Relaxed) {
            println!("mapped");
        }
        peer
    }
}

pub(crate) fn run() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [role, path, service, case, count, seed] = arguments.as_slice() else {
        panic!("usage: hostile-peer client|server SOCKET SERVICE CASE COUNT SEED");
    };
    let path = PathBuf::from(path);
    let psk = Arc::new(Psk::new(&key()).unwrap());
    let listener = (role == "server").then(|| {
        let mut keys = KeyTable::new();
        keys.insert(service, Arc::clone(&psk), &[]).unwrap();
        let mut config = ServerConfig::new("hostile", Box::new(keys));
        config.features = Features(0b1101);
        let listener = doorbell::listen(&path, 0o600).unwrap();
        println!("listening");
        (listener, Arc::new(config))
    });
    let victim = Victim {
        path,
        service: service.clone(),
        psk,
        listener,
        count: count.parse().unwrap(),
        seed: seed.parse().unwrap(),
        has_met: AtomicBool::new(false),
    };
    let report = play(case, &victim);
    let fields: Vec<String> = report.iter().map(|(name, number)| format!("\"{name}\":{number}")).collect();
    println!("{{{}}}", fields.join(","));
}

fn play(case: &str, victim: &Victim) -> Report {
    match case {
        "scribble" => memory::scribble(victim),
        "flip" => memory::flip(victim),
        "punch" => memory::punch(victim),
        "truncate" => memory::truncate(victim),
        "lying-flags" => rings::lying_flags(victim),
        "never-reads" => socket::never_reads(victim),
        "never-releases" => rings::never_releases(victim),
        "doorbells" => socket::doorbells(victim),
        "doorbells-by-rate" => socket::doorbells_by_rate(victim),
        "half-frame" => socket::half_frame(victim),
        "inherited" => socket::inherited(victim),
        "honest" => rings::honest(victim),
        _ if case.starts_with("offer-") => offers::offer(victim, case),
        _ => rings::lie(victim, case),
    }
}

/// Reads the key.
fn key() -> Vec<u8> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).unwrap();
    let hex = line.trim();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// Waits until the test closes stdin.
pub(crate) fn wait_for_the_test() {
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
}
