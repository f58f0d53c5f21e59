//! Payloads of the control frames `X` (authenticated close) and `E` (alert), both directions
//! (`docs/wire.md`, "EIPC/2 data frames").
//!
//! The payload of `S` is deliberately not here: it belongs to the shared-memory crate and passes the core
//! as bytes. When these frames are sent is decided by `connection`.

use super::sec_header::MAX_COUNTER;
use crate::error::{Code, Error, Result};
use crate::message::Kind;
use crate::wire::limits::PREAMBLE_LEN;
use crate::wire::preamble::VERSION_2;
use crate::wire::{Preamble, Reader};

/// Why a side closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CloseReason {
    /// Nothing is wrong.
    Normal = 0,
    /// The session reached the end of its life.
    Time = 1,
    /// The key or session was revoked.
    Revoked = 2,
    /// The process is shutting down.
    Shutdown = 3,
}

impl CloseReason {
    /// Finds a reason by its number.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Normal),
            1 => Some(Self::Time),
            2 => Some(Self::Revoked),
            3 => Some(Self::Shutdown),
            _ => None,
        }
    }
}

/// What the peer says when it closes: nothing follows, and how far to drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// Why.
    pub reason: CloseReason,
    /// The counter of the last frame on the stream before this one.
    pub stream_last: u64,
    /// The counter of the last frame of each lane in shared memory; `None` when none was ever sent there.
    pub lanes: Option<[u64; 4]>,
}

impl CloseFrame {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let lanes: &[u64] = self.lanes.as_ref().map_or(&[], |lanes| lanes);
        let count = if self.lanes.is_some() { 4 } else { 0 };
        let mut payload = vec![self.reason as u8, count, 0, 0, 0, 0, 0, 0];
        payload.extend_from_slice(&self.stream_last.to_be_bytes());
        payload.extend(lanes.iter().flat_map(|last| last.to_be_bytes()));
        payload
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self> {
        Self::fields(payload).ok_or(Error::new(Code::BadPayload, "malformed close frame"))
    }

    fn fields(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let reason = CloseReason::from_byte(reader.u8()?)?;
        let count = reader.u8()?;
        let reserved = (reader.u16()?, reader.u32()?);
        let stream_last = reader.u64()?;
        let lanes = match count {
            0 => None,
            4 => Some([reader.u64()?, reader.u64()?, reader.u64()?, reader.u64()?]),
            _ => return None,
        };
        let counters = lanes.iter().flatten().chain([&stream_last]).all(|&last| last <= MAX_COUNTER);
        if reserved != (0, 0) || !counters || !reader.is_done() {
            return None;
        }
        Some(Self { reason, stream_last, lanes })
    }
}

/// What the one alert says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Alert {
    HandshakeRefused = 1,
    SessionError = 2,
}

impl Alert {
    pub(crate) const fn payload(self) -> [u8; 4] {
        [self as u8, 0, 0, 0]
    }

    pub(crate) fn decode(payload: &[u8]) -> Result<Self> {
        match payload {
            [1, 0, 0, 0] => Ok(Self::HandshakeRefused),
            [2, 0, 0, 0] => Ok(Self::SessionError),
            _ => Err(Error::new(Code::BadPayload, "malformed alert")),
        }
    }

    /// Returns the alert of a handshake: a frame without a tag, which proves nothing.
    pub(crate) fn unprotected_frame(self) -> Vec<u8> {
        let mut frame = ALERT_PREAMBLE.to_bytes().to_vec();
        frame.extend_from_slice(&self.payload());
        frame
    }

    /// Tells whether `frame` is an alert without a tag. Anybody on the path can send one, therefore it
    /// means no more than the loss of the connection.
    pub(crate) fn is_unprotected(frame: &[u8]) -> bool {
        match frame.split_first_chunk::<PREAMBLE_LEN>() {
            Some((preamble, payload)) => *preamble == ALERT_PREAMBLE.to_bytes() && payload.len() == 4,
            None => false,
        }
    }
}

const ALERT_PREAMBLE: Preamble =
    Preamble { version: VERSION_2, kind: Kind::Alert.byte(), flags: 0, header_len: 0, payload_len: 4 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_frames_lead_back_to_themselves() {
        for lanes in [None, Some([1, 0, 3, MAX_COUNTER])] {
            let close = CloseFrame { reason: CloseReason::Revoked, stream_last: 7, lanes };
            assert_eq!(CloseFrame::decode(&close.encode()), Ok(close));
        }
    }

    #[test]
    fn malformed_close_frames_are_refused() {
        let good = CloseFrame { reason: CloseReason::Normal, stream_last: 7, lanes: Some([1; 4]) }.encode();
        for (at, value) in
            [(0, 4), (1, 0), (1, 3), (1, 5), (2, 1), (3, 1), (4, 1), (7, 1), (8, 0x40), (16, 0x80)]
        {
            let mut bytes = good.clone();
            bytes[at] = value;
            assert!(CloseFrame::decode(&bytes).is_err(), "{at} {value}");
        }
        for cut in 0..good.len() {
            assert!(CloseFrame::decode(&good[..cut]).is_err());
        }
        let mut long = good;
        long.push(0);
        assert!(CloseFrame::decode(&long).is_err());
    }

    #[test]
    fn malformed_alerts_are_refused() {
        for payload in [&[0, 0, 0, 0][..], &[3, 0, 0, 0], &[1, 1, 0, 0], &[1, 0, 0, 1], &[1, 0, 0], &[]] {
            assert!(Alert::decode(payload).is_err());
        }
        assert!(Alert::is_unprotected(&Alert::HandshakeRefused.unprotected_frame()));
        assert!(!Alert::is_unprotected(b"EIPC"));
        let good = Alert::HandshakeRefused.unprotected_frame();
        for at in 0..PREAMBLE_LEN {
            let mut other = good.clone();
            other[at] ^= 1;
            assert!(!Alert::is_unprotected(&other), "byte {at}");
        }
        for length in [PREAMBLE_LEN, PREAMBLE_LEN + 3] {
            assert!(!Alert::is_unprotected(&good[..length]));
        }
        assert!(!Alert::is_unprotected(&[&good[..], &[0]].concat()));
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic() {
        let close = CloseFrame { reason: CloseReason::Normal, stream_last: 7, lanes: Some([1; 4]) };
        let closes = eipc_testkit::noise::feed(&close.encode(), |bytes| CloseFrame::decode(bytes).is_ok());
        let alerts = eipc_testkit::noise::feed(&[1, 0, 0, 0], |bytes| Alert::decode(bytes).is_ok());
        let frame = Alert::HandshakeRefused.unprotected_frame();
        let frames = eipc_testkit::noise::feed(&frame, |bytes| Alert::is_unprotected(bytes));
        assert!(closes > 0 && alerts > 0 && frames > 0);
    }
}
