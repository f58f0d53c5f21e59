//! The layouts of ClientHello and ServerHello (`docs/wire.md`, "EIPC/2 handshake").
//!
//! Bytes ↔ fields. What a field must be is checked in `client` and `server`, behind the tag; only what
//! chooses the key is read before.

use super::{preamble, refused};
use crate::error::Result;
use crate::message::Kind;
use crate::wire::Reader;

/// The only version of the handshake.
pub(super) const HS_VERSION: u8 = 1;
/// No key exchange.
pub(super) const KX_PSK: u8 = 0;
/// X25519.
pub(super) const KX_X25519: u8 = 1;

/// Bytes of a ServerHello's payload, and where its public key begins.
const SERVER_HELLO_LEN: usize = 80;
/// Where a ClientHello says which key it uses, and how long its service id is.
const KEY_ID_AT: usize = 8;
const FIXED_LEN: usize = 113;

/// Everything a ClientHello says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClientHello<'a> {
    pub(super) hs_version: u8,
    pub(super) kx: u8,
    pub(super) suites: u16,
    pub(super) features: u32,
    pub(super) key_id: u64,
    pub(super) nonce: [u8; 32],
    pub(super) public: [u8; 32],
    pub(super) channel_binding: [u8; 32],
    pub(super) service_id: &'a str,
}

/// The part of a ClientHello that chooses its key; all that is read before the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyChoice<'a> {
    pub(super) key_id: u64,
    pub(super) service_id: &'a [u8],
}

impl<'a> KeyChoice<'a> {
    /// Checks the layout, which is nothing but lengths.
    pub(super) fn read(payload: &'a [u8]) -> Result<Self> {
        let fields = || {
            let mut reader = Reader::new(payload.get(KEY_ID_AT..)?);
            let key_id = reader.u64()?;
            reader.take(FIXED_LEN - KEY_ID_AT - 9)?;
            let length = reader.u8().filter(|length| (1..=64).contains(length))?;
            let service_id = reader.take(length.into())?;
            reader.is_done().then_some(Self { key_id, service_id })
        };
        fields().ok_or(refused("malformed ClientHello"))
    }
}

impl<'a> ClientHello<'a> {
    /// Reads all fields. Call behind the tag.
    pub(super) fn read(payload: &'a [u8]) -> Result<Self> {
        let fields = || {
            let mut reader = Reader::new(payload);
            let hello = Self {
                hs_version: reader.u8()?,
                kx: reader.u8()?,
                suites: reader.u16()?,
                features: reader.u32()?,
                key_id: reader.u64()?,
                nonce: reader.array()?,
                public: reader.array()?,
                channel_binding: reader.array()?,
                service_id: {
                    let length = reader.u8()?;
                    core::str::from_utf8(reader.take(length.into())?).ok()?
                },
            };
            reader.is_done().then_some(hello)
        };
        fields().ok_or(refused("malformed ClientHello"))
    }

    /// Writes preamble and payload; the tag is still missing.
    pub(super) fn write(&self) -> Result<Vec<u8>> {
        let id_len = u8::try_from(self.service_id.len()).map_err(|_| refused("service id too long"))?;
        let mut payload = vec![self.hs_version, self.kx];
        payload.extend_from_slice(&self.suites.to_be_bytes());
        payload.extend_from_slice(&self.features.to_be_bytes());
        payload.extend_from_slice(&self.key_id.to_be_bytes());
        payload.extend_from_slice(&self.nonce);
        payload.extend_from_slice(&self.public);
        payload.extend_from_slice(&self.channel_binding);
        payload.push(id_len);
        payload.extend_from_slice(self.service_id.as_bytes());
        frame(Kind::Auth, &payload)
    }
}

/// Everything a ServerHello says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ServerHello {
    pub(super) hs_version: u8,
    pub(super) kx: u8,
    pub(super) suite: u8,
    pub(super) reserved: u8,
    pub(super) features: u32,
    pub(super) session_id: u64,
    pub(super) nonce: [u8; 32],
    pub(super) public: [u8; 32],
}

impl ServerHello {
    /// Reads all fields.
    pub(super) fn read(payload: &[u8]) -> Result<Self> {
        let fields = || {
            let mut reader = Reader::new(payload);
            let hello = Self {
                hs_version: reader.u8()?,
                kx: reader.u8()?,
                suite: reader.u8()?,
                reserved: reader.u8()?,
                features: reader.u32()?,
                session_id: reader.u64()?,
                nonce: reader.array()?,
                public: reader.array()?,
            };
            reader.is_done().then_some(hello)
        };
        fields().ok_or(refused("malformed ServerHello"))
    }

    /// Writes preamble and payload; the tag is still missing.
    pub(super) fn write(&self) -> Result<Vec<u8>> {
        let mut payload = Vec::with_capacity(SERVER_HELLO_LEN);
        payload.extend_from_slice(&[self.hs_version, self.kx, self.suite, self.reserved]);
        payload.extend_from_slice(&self.features.to_be_bytes());
        payload.extend_from_slice(&self.session_id.to_be_bytes());
        payload.extend_from_slice(&self.nonce);
        payload.extend_from_slice(&self.public);
        frame(Kind::Challenge, &payload)
    }
}

fn frame(kind: Kind, payload: &[u8]) -> Result<Vec<u8>> {
    let length = u32::try_from(payload.len()).map_err(|_| refused("hello too long"))?;
    let mut frame = preamble(kind, length).to_bytes().to_vec();
    frame.extend_from_slice(payload);
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_choice_reads_lengths_and_nothing_else() {
        let hello = ClientHello {
            hs_version: 9,
            kx: 9,
            suites: 0,
            features: 0,
            key_id: 0x0102_0304_0506_0708,
            nonce: [3; 32],
            public: [4; 32],
            channel_binding: [5; 32],
            service_id: "Any",
        };
        let frame = hello.write().unwrap();
        let payload = &frame[16..];
        assert_eq!(payload.len(), 116);
        assert_eq!(ClientHello::read(payload), Ok(hello));
        let choice = KeyChoice::read(payload).unwrap();
        assert_eq!((choice.key_id, choice.service_id), (hello.key_id, &b"Any"[..]));
        for cut in 0..payload.len() {
            assert!(KeyChoice::read(&payload[..cut]).is_err());
        }
        for (length, total) in [(0, 113), (65, 178), (2, 116), (4, 116)] {
            let mut wrong = payload.to_vec();
            wrong.resize(total, b'a');
            wrong[112] = length;
            assert!(KeyChoice::read(&wrong).is_err(), "{length}");
        }
    }

    #[test]
    fn a_server_hello_has_80_bytes() {
        let hello = ServerHello {
            hs_version: 1,
            kx: 1,
            suite: 1,
            reserved: 0,
            features: 1,
            session_id: 9,
            nonce: [1; 32],
            public: [2; 32],
        };
        let payload = hello.write().unwrap().split_off(16);
        assert_eq!(payload.len(), SERVER_HELLO_LEN);
        assert_eq!(ServerHello::read(&payload), Ok(hello));
        for cut in 0..payload.len() {
            assert!(ServerHello::read(&payload[..cut]).is_err());
        }
        assert!(ServerHello::read(&[&payload[..], &[0]].concat()).is_err());
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic() {
        let mut client = vec![7; 116];
        client[112] = 3;
        let accepted = eipc_testkit::noise::feed(&client, |bytes| {
            let is_whole = KeyChoice::read(bytes).is_ok();
            // What the first reader takes, the second takes but for the text.
            assert!(is_whole || ClientHello::read(bytes).is_err() || !(1..=64).contains(&bytes[112]));
            is_whole
        });
        assert!(accepted > 0);
        let accepted = eipc_testkit::noise::feed(&[7; 80], |bytes| ServerHello::read(bytes).is_ok());
        assert!(accepted > 0);
    }
}
