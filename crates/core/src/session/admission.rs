//! What the handshakes of one server share: recent nonces, the rate and the half-open count of each key,
//! and the ids of live sessions (`docs/wire.md`, "Server order of work").
//!
//! Everything is bounded. Reached only behind a verified ClientHello tag, so that a stranger can neither
//! fill nor spend it. Caps per source address are the owner's: the core knows no addresses.

use super::config::ServerConfig;
use crate::crypto::random::Random;
use crate::error::{Code, Error, Result};
use crate::time::Time;
use core::time::Duration;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How much one key may ask of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Client nonces remembered per key.
    pub nonces: usize,
    /// Handshakes of one key between hello and finish.
    pub half_open: usize,
    /// Handshakes one key may begin at once.
    pub burst: u32,
    /// Handshakes one key may begin per second in the long run.
    pub per_second: u32,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self { nonces: 1_024, half_open: 32, burst: 128, per_second: 64 }
    }
}

/// Keys remembered at once; beyond, the one longest unused is forgotten.
const MAX_KEYS: usize = 4_096;
/// Draws of a session id before giving up; one is enough unless the generator is broken.
const ID_DRAWS: usize = 8;

/// The shared state itself.
#[derive(Debug, Default)]
pub(crate) struct Admission(Mutex<Shared>);

#[derive(Debug, Default)]
struct Shared {
    keys: BTreeMap<u64, KeyState>,
    sessions: HashSet<u64>,
}

#[derive(Debug)]
struct KeyState {
    order: VecDeque<[u8; 32]>,
    seen: HashSet<[u8; 32]>,
    half_open: usize,
    tokens: Duration,
    refilled: Time,
}

/// One handshake between hello and finish; gives its place back when dropped.
#[derive(Debug)]
pub(crate) struct HalfOpen {
    admission: Arc<Admission>,
    key_id: u64,
}

/// The id of a live session, unique among its server's; given back when dropped.
#[derive(Debug)]
pub(crate) struct LiveSession {
    admission: Arc<Admission>,
    id: u64,
}

impl Admission {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        // Nothing in here can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HalfOpen {
    /// Admits a hello whose tag verified.
    pub(crate) fn admit(server: &ServerConfig, key_id: u64, nonce: [u8; 32], now: Time) -> Result<Self> {
        let limits = server.admission;
        let mut shared = server.shared.shared();
        shared.make_room(key_id);
        let full = Duration::from_secs(1) * limits.burst;
        let key = shared.keys.entry(key_id).or_insert_with(|| KeyState {
            order: VecDeque::new(),
            seen: HashSet::new(),
            half_open: 0,
            tokens: full,
            refilled: now,
        });
        if !key.remember(nonce, limits.nonces) {
            return Err(refused("the client nonce was used before"));
        }
        // A token is one second of a refill of one per second, so that no fraction is lost.
        let refill = now.since(key.refilled).saturating_mul(limits.per_second);
        key.tokens = key.tokens.saturating_add(refill).min(full);
        key.refilled = key.refilled.max(now);
        let Some(rest) = key.tokens.checked_sub(Duration::from_secs(1)) else {
            return Err(refused("too many handshakes of this key"));
        };
        if key.half_open >= limits.half_open {
            return Err(refused("too many unfinished handshakes of this key"));
        }
        key.tokens = rest;
        key.half_open += 1;
        Ok(Self { admission: Arc::clone(&server.shared), key_id })
    }
}

impl Drop for HalfOpen {
    fn drop(&mut self) {
        if let Some(key) = self.admission.shared().keys.get_mut(&self.key_id) {
            key.half_open = key.half_open.saturating_sub(1);
        }
    }
}

impl LiveSession {
    /// Draws an id that no live session has.
    pub(crate) fn register(server: &ServerConfig, random: &Random) -> Result<Self> {
        let mut shared = server.shared.shared();
        for _ in 0..ID_DRAWS {
            let id = random.array().map(u64::from_be_bytes).map_err(|_| no_randomness())?;
            if id != 0 && shared.sessions.insert(id) {
                return Ok(Self { admission: Arc::clone(&server.shared), id });
            }
        }
        Err(Error::new(Code::Internal, "no unused session id"))
    }

    pub(crate) const fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for LiveSession {
    fn drop(&mut self) {
        self.admission.shared().sessions.remove(&self.id);
    }
}

impl Shared {
    fn make_room(&mut self, key_id: u64) {
        if self.keys.len() < MAX_KEYS || self.keys.contains_key(&key_id) {
            return;
        }
        let idle = self.keys.iter().filter(|(_, key)| key.half_open == 0);
        if let Some(oldest) = idle.min_by_key(|(_, key)| key.refilled).map(|(id, _)| *id) {
            self.keys.remove(&oldest);
        }
    }
}

impl KeyState {
    /// Tells whether the nonce is new, and remembers it.
    fn remember(&mut self, nonce: [u8; 32], limit: usize) -> bool {
        if !self.seen.insert(nonce) {
            return false;
        }
        self.order.push_back(nonce);
        while self.order.len() > limit {
            if let Some(oldest) = self.order.pop_front() {
                self.seen.remove(&oldest);
            }
        }
        true
    }
}

fn refused(why: &'static str) -> Error {
    Error::new(Code::HandshakeFailed, why)
}

pub(crate) const fn no_randomness() -> Error {
    Error::new(Code::Internal, "the system's random generator failed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::KeyTable;

    fn server(limits: AdmissionLimits) -> ServerConfig {
        let mut config = ServerConfig::new("eipc", Box::new(KeyTable::new()));
        config.admission = limits;
        config
    }

    fn nonce(number: u32) -> [u8; 32] {
        let mut nonce = [0; 32];
        nonce[..4].copy_from_slice(&number.to_be_bytes());
        nonce
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_nonce_is_good_once_among_the_last_remembered() {
        let server = server(AdmissionLimits { nonces: 3, ..AdmissionLimits::default() });
        let admit = |key, number| HalfOpen::admit(&server, key, nonce(number), Time(0)).is_ok();
        assert!(admit(1, 1) && !admit(1, 1) && admit(2, 1));
        assert!(admit(1, 2) && admit(1, 3) && !admit(1, 1));
        assert!(admit(1, 4) && admit(1, 1), "forgotten after three others");
    }

    #[test]
    fn a_clone_is_the_same_server_at_another_address() {
        let one = server(AdmissionLimits { half_open: 2, burst: 3, ..AdmissionLimits::default() });
        let other = one.clone();
        let admit = |server, number| HalfOpen::admit(server, 1, nonce(number), Time(0));
        let first = admit(&one, 1).unwrap();
        assert!(admit(&other, 1).is_err(), "the nonce was used at the other address");
        let second = admit(&other, 2).unwrap();
        assert!(admit(&one, 3).is_err(), "half-open places are counted together");
        drop(first);
        let _third = admit(&one, 4).unwrap();
        drop(second);
        assert!(admit(&other, 5).is_err(), "the rate is shared");
        let ids = Random::fixed(&[7_u64, 7, 9].map(u64::to_be_bytes).concat());
        let _seven = LiveSession::register(&one, &ids).unwrap();
        assert_eq!(LiveSession::register(&other, &ids).unwrap().id(), 9, "7 lives at the other address");
    }

    #[test]
    fn half_open_places_are_given_back() {
        let server = server(AdmissionLimits { half_open: 2, ..AdmissionLimits::default() });
        let admit = |number| HalfOpen::admit(&server, 1, nonce(number), Time(0));
        let first = admit(1).unwrap();
        let _second = admit(2).unwrap();
        assert!(admit(3).is_err());
        drop(first);
        assert!(admit(4).is_ok());
    }

    #[test]
    fn the_rate_of_a_key_refills_with_time() {
        let server = server(AdmissionLimits { burst: 2, per_second: 4, ..AdmissionLimits::default() });
        let admit = |number, now| HalfOpen::admit(&server, 1, nonce(number), Time(now)).is_ok();
        assert!(admit(1, 0) && admit(2, 0) && !admit(3, 0));
        assert!(!admit(4, SECOND / 5) && admit(5, SECOND / 4) && !admit(6, SECOND / 4));
        assert!(admit(7, 100 * SECOND) && admit(8, 100 * SECOND) && !admit(9, 100 * SECOND));
        assert!(!admit(10, 0), "a clock that went back refills nothing");
    }

    #[test]
    fn a_stranger_to_the_table_takes_the_place_of_the_key_longest_unused() {
        // The attacker holds many keys and wants the server to remember them all, or to forget the others.
        let server = server(AdmissionLimits::default());
        let admit = |key: usize, now: usize| {
            let number = u32::try_from(now).unwrap();
            HalfOpen::admit(&server, key as u64, nonce(number), Time(now as u64)).unwrap()
        };
        let count = || server.shared.shared().keys.len();
        let has = |key: u64| server.shared.shared().keys.contains_key(&key);
        // Key 0 is the oldest, but one of its handshakes is under way.
        let under_way = admit(0, 0);
        for key in 1..MAX_KEYS {
            drop(admit(key, key));
        }
        assert_eq!(count(), MAX_KEYS);
        drop(admit(2, MAX_KEYS));
        assert_eq!(count(), MAX_KEYS, "a key that is known needs no place");
        drop(admit(MAX_KEYS, MAX_KEYS + 1));
        assert_eq!((count(), has(0), has(1), has(2)), (MAX_KEYS, true, false, true));
        drop(under_way);
        drop(admit(MAX_KEYS + 1, MAX_KEYS + 2));
        assert_eq!((count(), has(0), has(2)), (MAX_KEYS, false, true));
    }

    #[test]
    fn a_session_id_is_unique_while_it_lives() {
        let server = server(AdmissionLimits::default());
        let ids =
            |list: &[u64]| Random::fixed(&list.iter().flat_map(|id| id.to_be_bytes()).collect::<Vec<_>>());
        let first = LiveSession::register(&server, &ids(&[7])).unwrap();
        assert_eq!(LiveSession::register(&server, &ids(&[7, 0, 9])).unwrap().id(), 9);
        drop(first);
        assert_eq!(LiveSession::register(&server, &ids(&[7])).unwrap().id(), 7);
        let exhausted = LiveSession::register(&server, &ids(&[])).map(|live| live.id());
        assert_eq!(exhausted, Err(no_randomness()));
    }
}
