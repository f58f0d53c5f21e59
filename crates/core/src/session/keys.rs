//! The key schedule of EIPC/2 (`docs/wire.md`, "EIPC/2 handshake"): from the PSK to the keys of frames.
//!
//! The construction is the TLS 1.3 psk / psk_dhe schedule with other labels. Every long-lived value is a
//! [`Secret`]; when a lane moves from one epoch to the next is decided in `epoch`.

use super::suite::{Direction, Plane};
use crate::crypto::CryptoError;
use crate::crypto::kdf::{expand, expand_into, extract};
use crate::crypto::mac::MacKey;
use crate::crypto::secret::Secret;
use crate::error::{Code, Error, Result};
use core::fmt;

/// The shortest pre-shared key.
const MIN_PSK_LEN: usize = 32;

/// A pre-shared key, ready for handshakes. The key itself is not kept.
pub struct Psk {
    hello: MacKey,
    key_id: u64,
    derived: Secret<32>,
}

/// What is wrong with a phrase, and what to do.
pub(super) const PHRASE: &str = "the key consists of printable characters only, and a phrase can be guessed: use 32 random bytes \
     (`eipc keygen` makes them), with hex: or base64: in front where they are written as text";

impl Psk {
    /// Derives what handshakes need from the bytes of a key.
    ///
    /// # Errors
    /// [`Code::Key`] below 32 bytes, or when every byte is printable: a phrase, whose hello would be an
    /// oracle for guessing it offline.
    pub fn new(key: &[u8]) -> Result<Self> {
        let printable = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r');
        if key.len() >= MIN_PSK_LEN && key.iter().all(printable) {
            return Err(Error::new(Code::Key, PHRASE));
        }
        Self::dangerous_passphrase(key)
    }

    /// As [`Psk::new`], but takes a phrase. Whoever records a handshake can try phrases at leisure.
    ///
    /// # Errors
    /// [`Code::Key`] below 32 bytes.
    pub fn dangerous_passphrase(key: &[u8]) -> Result<Self> {
        if key.len() < MIN_PSK_LEN {
            return Err(Error::with(Code::Key, format!("{} bytes, at least 32 are needed", key.len())));
        }
        Self::derive(key).map_err(internal)
    }

    fn derive(key: &[u8]) -> core::result::Result<Self, CryptoError> {
        let prk0 = prk0(key)?;
        let hello = expand::<32>(&prk0, &[b"EIPC/2 ch mac"])?;
        let key_id = expand::<8>(&prk0, &[b"EIPC/2 key id"])?;
        Ok(Self {
            hello: MacKey::new(hello.expose()),
            key_id: u64::from_be_bytes(*key_id.expose()),
            derived: expand(&prk0, &[b"EIPC/2 derived"])?,
        })
    }

    /// Returns the public name of the key, by which a server finds it.
    #[must_use]
    pub const fn key_id(&self) -> u64 {
        self.key_id
    }

    /// Returns the key of the ClientHello's tag.
    pub(crate) const fn hello_key(&self) -> &MacKey {
        &self.hello
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Psk({:016x})", self.key_id)
    }
}

fn prk0(key: &[u8]) -> core::result::Result<Secret<32>, CryptoError> {
    extract(b"EIPC/2 psk", key)
}

/// What both sides know once the key exchange is done, before either has proved it.
pub(crate) struct KeySchedule {
    prk1: Secret<32>,
    server_proof: MacKey,
    client_proof: MacKey,
}

impl KeySchedule {
    /// Joins the PSK with the agreed secret; without one, 32 zero bytes take its place.
    pub(crate) fn new(psk: &Psk, shared: Option<&Secret<32>>) -> Result<Self> {
        Self::derive(psk, shared.map_or(&[0; 32], Secret::expose)).map_err(internal)
    }

    fn derive(psk: &Psk, shared: &[u8; 32]) -> core::result::Result<Self, CryptoError> {
        let prk1 = extract(psk.derived.expose(), shared)?;
        let server = expand::<32>(&prk1, &[b"EIPC/2 sh mac"])?;
        let client = expand::<32>(&prk1, &[b"EIPC/2 cf mac"])?;
        Ok(Self {
            server_proof: MacKey::new(server.expose()),
            client_proof: MacKey::new(client.expose()),
            prk1,
        })
    }

    /// Returns the key of ServerHello's tag.
    pub(crate) const fn server_proof(&self) -> &MacKey {
        &self.server_proof
    }

    /// Returns the key of ClientFinish's tag.
    pub(crate) const fn client_proof(&self) -> &MacKey {
        &self.client_proof
    }

    /// Binds the schedule to the whole handshake. Call only after the peer's proof verified.
    pub(crate) fn into_master(self, th2: &[u8; 32]) -> Result<Master> {
        expand(&self.prk1, &[b"EIPC/2 master", th2]).map(Master).map_err(internal)
    }
}

/// The master secret of one epoch.
pub(crate) struct Master(Secret<32>);

impl Master {
    /// Returns what secrets for other purposes are exported from. Meaningful at epoch 0 only.
    pub(crate) fn exporter(&self) -> Result<Exporter> {
        expand(&self.0, &[b"EIPC/2 exp master"]).map(Exporter).map_err(internal)
    }

    /// Derives the master secret of the next epoch; there is no way back.
    pub(crate) fn next(&self) -> Result<Self> {
        expand(&self.0, &[b"EIPC/2 rekey"]).map(Self).map_err(internal)
    }

    /// Makes a copy for another lane.
    pub(crate) fn duplicate(&self) -> Self {
        Self(self.0.duplicate())
    }

    /// Derives the secrets of one direction of one plane.
    pub(crate) fn traffic(&self, plane: Plane, direction: Direction) -> Result<Traffic> {
        let plane: &[u8] = match plane {
            Plane::Stream => b"",
            Plane::SharedMemory => b"shm ",
        };
        let direction: &[u8] = match direction {
            Direction::ClientToServer => b"c2s",
            Direction::ServerToClient => b"s2c",
        };
        let derive = || {
            Ok(Traffic {
                key: expand(&self.0, &[b"EIPC/2 ", plane, direction, b" key"])?,
                iv: expand(&self.0, &[b"EIPC/2 ", plane, direction, b" iv"])?,
            })
        };
        derive().map_err(internal)
    }
}

#[cfg(test)]
impl Master {
    /// Makes a known master secret, so that a test can forge what only a key holder could.
    pub(crate) fn known() -> Self {
        let fill = |out: &mut [u8; 32]| {
            out.fill(0x5a);
            Ok::<_, CryptoError>(())
        };
        Self(Secret::fill(fill).unwrap())
    }
}

/// The secrets of one direction of one plane in one epoch.
pub(crate) struct Traffic {
    pub(crate) key: Secret<32>,
    pub(crate) iv: Secret<12>,
}

/// Exports secrets that belong to a session, for purposes outside EIPC.
pub struct Exporter(Secret<32>);

impl Exporter {
    /// Fills `out` with the secret named `label`.
    ///
    /// # Errors
    /// [`Code::Internal`] when `out` is longer than 8 160 bytes.
    pub fn export(&self, label: &[u8], out: &mut [u8]) -> Result<()> {
        expand_into(&self.0, &[b"EIPC/2 exp\0", label], out).map_err(internal)
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Exporter")
    }
}

/// No primitive used here can refuse its arguments; if one does, nothing may go on.
pub(crate) fn internal(_: CryptoError) -> Error {
    Error::new(Code::Internal, "a cryptographic primitive refused")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::agreement::EphemeralKey;
    use crate::crypto::random::Random;
    use crate::session::handshake_v2::{transcript_1, transcript_2};
    use eipc_testkit::vectors;

    /// Every intermediate value of every vector: the schedule does not depend on the suite.
    #[test]
    fn the_schedule_is_that_of_the_vectors() {
        for vector in vectors::eipc2() {
            let name = vector.text("name");
            let same = |field: &str, secret: &[u8]| assert_eq!(vector.bytes(field), secret, "{name} {field}");
            let key = vector.bytes("psk_hex");
            let psk = Psk::new(&key).unwrap();
            same("prk0", prk0(&key).unwrap().expose());
            same("key_id", &psk.key_id().to_be_bytes());
            let client_hello = vector.bytes("client_hello");
            let server_hello = vector.bytes("server_hello");
            let (signed, tag) = server_hello.split_at(96);
            let shared = (vector.number("kx") == 1).then(|| {
                let private = Random::fixed(&vector.bytes("client_x25519_private"));
                let key = EphemeralKey::generate(&private).unwrap();
                let shared = key.agree(signed[64..].first_chunk().unwrap()).unwrap();
                same("dh", shared.expose());
                shared
            });
            let schedule = KeySchedule::new(&psk, shared.as_ref()).unwrap();
            same("prk1", schedule.prk1.expose());
            let th1 = transcript_1(&client_hello, signed);
            same("th1", &th1);
            let th2 = transcript_2(&th1, tag);
            same("th2", &th2);
            let master_0 = schedule.into_master(&th2).unwrap();
            same("master_0", master_0.0.expose());
            let mut exported = [0; 48];
            let label = vector.text("export_label");
            master_0.exporter().unwrap().export(label.as_bytes(), &mut exported).unwrap();
            same("export_48", &exported);
            let master_1 = master_0.next().unwrap();
            same("master_1", master_1.0.expose());
            for (epoch, master) in [(0, &master_0), (1, &master_1)] {
                for (prefix, plane) in [("", Plane::Stream), ("shm_", Plane::SharedMemory)] {
                    for (way, direction) in
                        [("c2s", Direction::ClientToServer), ("s2c", Direction::ServerToClient)]
                    {
                        let traffic = master.traffic(plane, direction).unwrap();
                        assert_eq!(vector.epoch(epoch, &format!("{prefix}{way}_key")), traffic.key.expose());
                        assert_eq!(vector.epoch(epoch, &format!("{prefix}{way}_iv")), traffic.iv.expose());
                    }
                }
            }
        }
    }

    #[test]
    fn debug_prints_no_key() {
        let psk = Psk::new(&[0xab; 32]).unwrap();
        assert_eq!(format!("{psk:?}"), format!("Psk({:016x})", psk.key_id()));
        assert!(!format!("{psk:?}").contains("abab"));
    }
}
