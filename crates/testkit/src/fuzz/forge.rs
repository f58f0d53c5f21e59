//! An attacker that holds a key: handshake and data frames of EIPC/2 with any field and the right tag, from the text of
//! docs/wire.md, for sessions without X25519 and with suite 1.

use arbitrary::Arbitrary;
use eipc_core::crypto::digest::sha256;
use eipc_core::crypto::mac::MacKey;

/// The key that both sides have.
pub(crate) const PSK: [u8; 32] = [0x81; 32];

/// HKDF-Extract.
fn extract(salt: &[u8], input: &[u8]) -> [u8; 32] {
    MacKey::new(salt).sign(input)
}

/// HKDF-Expand for up to 32 bytes.
fn expand(key: &[u8; 32], label: &[&[u8]]) -> [u8; 32] {
    MacKey::new(key).sign(&[&label.concat(), [1].as_slice()].concat())
}

/// What follows from the key alone.
pub(crate) struct Attacker {
    prk0: [u8; 32],
    prk1: [u8; 32],
}

impl Attacker {
    pub(crate) fn new() -> Self {
        let prk0 = extract(b"EIPC/2 psk", &PSK);
        let prk1 = extract(&expand(&prk0, &[b"EIPC/2 derived"]), &[0; 32]);
        Self { prk0, prk1 }
    }

    pub(crate) fn key_id(&self) -> [u8; 8] {
        *expand(&self.prk0, &[b"EIPC/2 key id"]).first_chunk().unwrap()
    }

    pub(crate) fn client_hello(&self, payload: &[u8]) -> Vec<u8> {
        let frame = [&preamble(b'A', 0, payload.len())[..], payload].concat();
        signed(&expand(&self.prk0, &[b"EIPC/2 ch mac"]), frame)
    }

    /// A ServerHello to a client, and the keys of the session it begins.
    pub(crate) fn server_hello(&self, client_hello: &[u8], payload: &[u8]) -> (Vec<u8>, Session) {
        let frame = [&preamble(b'H', 0, payload.len())[..], payload].concat();
        let th1 = sha256(&[b"EIPC/2 th1\0", client_hello, &frame]);
        let tag = MacKey::new(&expand(&self.prk1, &[b"EIPC/2 sh mac"])).sign(&th1);
        let session = self.session(th1, &tag, payload);
        ([&frame[..], &tag].concat(), session)
    }

    /// The answer to a ServerHello, and the keys of the session.
    pub(crate) fn client_finish(
        &self,
        client_hello: &[u8],
        server_hello: &[u8],
    ) -> Option<(Vec<u8>, Session)> {
        let (frame, tag) = server_hello.split_last_chunk::<32>()?;
        let th1 = sha256(&[b"EIPC/2 th1\0", client_hello, frame]);
        let session = self.session(th1, tag, frame.get(16..)?);
        let finish = preamble(b'R', 0, 0);
        let tag = MacKey::new(&expand(&self.prk1, &[b"EIPC/2 cf mac"])).sign(&session.th2);
        Some(([&finish[..], &tag].concat(), session))
    }

    fn session(&self, th1: [u8; 32], server_tag: &[u8; 32], server_payload: &[u8]) -> Session {
        let th2 = sha256(&[b"EIPC/2 th2\0", &th1, server_tag, &preamble(b'R', 0, 0)]);
        let master = expand(&self.prk1, &[b"EIPC/2 master", &th2]);
        let key = |direction: &[u8]| expand(&master, &[b"EIPC/2 ", direction, b" key"]);
        let mut session_id = [0; 8];
        session_id.iter_mut().zip(server_payload.iter().skip(8)).for_each(|(to, from)| *to = *from);
        Session { th2, c2s: key(b"c2s"), s2c: key(b"s2c"), session_id }
    }
}

/// The keys of a session's stream.
pub(crate) struct Session {
    th2: [u8; 32],
    pub(crate) c2s: [u8; 32],
    pub(crate) s2c: [u8; 32],
    session_id: [u8; 8],
}

/// A data frame whose tag is right, or not.
#[derive(Arbitrary, Clone, Debug)]
pub(crate) struct DataFrame {
    kind: Kind,
    /// Added to what would be right.
    counter: u8,
    lane: u8,
    session: u8,
    epoch: u8,
    suite: u8,
    meta_kind: u8,
    reserved: u8,
    has_wrong_tag: bool,
    meta: Meta,
    payload: Payload,
}

#[derive(Arbitrary, Clone, Debug)]
enum Kind {
    Known(u8),
    Any(u8),
}

#[derive(Arbitrary, Clone, Debug)]
enum Payload {
    Any(Vec<u8>),
    /// Of a close frame, with what is added to the counter that would be right.
    Close {
        reason: u8,
        has_lanes: bool,
        more: u8,
    },
}

#[derive(Arbitrary, Clone, Debug)]
enum Meta {
    Empty,
    Binary(u8),
    Any(Vec<u8>),
}

const KINDS: &[u8] = b"iftaphucCXESAHR";

impl DataFrame {
    /// A SessionAccept with nothing wrong but perhaps its payload.
    pub(crate) fn accept(payload: Vec<u8>) -> Self {
        Self {
            kind: Kind::Any(b'R'),
            counter: 0,
            lane: 0,
            session: 0,
            epoch: 0,
            suite: 0,
            meta_kind: 0,
            reserved: 0,
            has_wrong_tag: false,
            meta: Meta::Empty,
            payload: Payload::Any(payload),
        }
    }

    /// The frame for a session, as the next after `last`.
    pub(crate) fn build(&self, session: &Session, key: &[u8; 32], last: u64) -> Vec<u8> {
        let kind = match self.kind {
            Kind::Known(at) => KINDS[usize::from(at) % KINDS.len()],
            Kind::Any(byte) => byte,
        };
        let (meta_kind, meta) = match &self.meta {
            Meta::Empty => (0, b"{}".to_vec()),
            Meta::Binary(priority) => (1, [&[*priority][..], &[0; 23]].concat()),
            Meta::Any(bytes) => (1, bytes.clone()),
        };
        let mut session_id = session.session_id;
        session_id[7] ^= self.session;
        let sequence = u64::from(self.lane) << 62
            | last.wrapping_add(1).wrapping_add(u64::from(self.counter)) & (u64::MAX >> 2);
        let header = [
            &session_id[..],
            &sequence.to_be_bytes(),
            &u16::from(self.epoch).to_be_bytes(),
            &[1_u8.wrapping_add(self.suite), meta_kind ^ self.meta_kind],
            &u32::from(self.reserved).to_be_bytes(),
            &meta,
        ]
        .concat();
        let payload = self.payload(last);
        let frame = [&preamble(kind, header.len(), payload.len())[..], &header, &payload].concat();
        let mut frame = signed(key, frame);
        if self.has_wrong_tag {
            *frame.last_mut().unwrap() ^= 1;
        }
        frame
    }

    /// The payload, as the next after `last`.
    pub(crate) fn payload(&self, last: u64) -> Vec<u8> {
        match &self.payload {
            Payload::Any(bytes) => bytes.clone(),
            Payload::Close { reason, has_lanes, more } => {
                let lanes = if *has_lanes { 4 } else { 0 };
                let counter = last.wrapping_add(u64::from(*more));
                [
                    &[*reason, lanes, 0, 0, 0, 0, 0, 0][..],
                    &counter.to_be_bytes(),
                    &vec![0; 8 * usize::from(lanes)],
                ]
                .concat()
            }
        }
    }

    /// Whether nothing is wrong with it but perhaps kind, meta and payload.
    pub(crate) fn is_next(&self) -> bool {
        let odd = [self.counter, self.lane & 3, self.session, self.epoch, self.suite, self.reserved];
        odd == [0; 6] && !self.has_wrong_tag
    }
}

pub(crate) fn preamble(kind: u8, header_len: usize, payload_len: usize) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&[b'E', b'I', b'P', b'C', 0, 2, kind, 1]);
    bytes[8..12].copy_from_slice(&u32::try_from(header_len).unwrap().to_be_bytes());
    bytes[12..].copy_from_slice(&u32::try_from(payload_len).unwrap().to_be_bytes());
    bytes
}

fn signed(key: &[u8; 32], mut frame: Vec<u8>) -> Vec<u8> {
    let tag = MacKey::new(key).sign(&frame);
    frame.extend_from_slice(&tag);
    frame
}
