//! Suites, features, roles, planes and directions: what a handshake agrees on.

use crate::crypto::aead;
use crate::wire::limits::MAC_LEN;
use crate::wire::preamble::{FLAG_AEAD, FLAG_MAC};

/// How frames are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Suite {
    /// Authentication only: HMAC-SHA256.
    HmacSha256 = 1,
    /// Encryption and authentication: ChaCha20-Poly1305.
    ChaCha20Poly1305 = 2,
    /// Encryption and authentication: AES-256-GCM.
    Aes256Gcm = 3,
}

impl Suite {
    /// Finds a suite by its number on the wire.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::HmacSha256),
            2 => Some(Self::ChaCha20Poly1305),
            3 => Some(Self::Aes256Gcm),
            _ => None,
        }
    }

    /// Returns its number on the wire.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self as u8
    }

    pub(crate) const fn flags(self) -> u8 {
        match self {
            Self::HmacSha256 => FLAG_MAC,
            Self::ChaCha20Poly1305 | Self::Aes256Gcm => FLAG_AEAD,
        }
    }

    /// Returns the length of a tag in bytes.
    #[must_use]
    pub const fn tag_len(self) -> usize {
        match self {
            Self::HmacSha256 => MAC_LEN,
            Self::ChaCha20Poly1305 | Self::Aes256Gcm => aead::TAG_LEN,
        }
    }
}

/// A set of suites as ClientHello offers it. Bits without a meaning are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Suites(pub u16);

impl Suites {
    /// Every suite this build can protect frames with.
    pub const AVAILABLE: Self = Self(7);

    /// Makes a set of a list.
    #[must_use]
    pub fn of(suites: &[Suite]) -> Self {
        Self(suites.iter().fold(0, |bits, suite| bits | Self::bit(*suite)))
    }

    /// Tells whether `suite` is in the set.
    #[must_use]
    pub const fn contains(self, suite: Suite) -> bool {
        self.0 & Self::bit(suite) != 0
    }

    const fn bit(suite: Suite) -> u16 {
        1 << (suite.byte() - 1)
    }
}

/// What a session can do beyond the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Features(pub u32);

impl Features {
    /// Every lane counts without a gap; must be set.
    pub const STRICT_SEQUENCE: Self = Self(1);
    /// Descriptors of tensors.
    pub const TENSOR: Self = Self(2);
    /// Binary meta.
    pub const BINARY_META: Self = Self(4);
    /// A shared-memory data plane; application frames then never travel on the stream.
    pub const SHARED_MEMORY: Self = Self(8);

    /// Tells whether every bit of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the bits of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the bits both have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The bits that have a meaning in this version.
    pub(crate) const KNOWN: Self = Self(15);
}

impl Default for Features {
    fn default() -> Self {
        Self::STRICT_SEQUENCE.union(Self::BINARY_META)
    }
}

/// Which side of a session this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sent the ClientHello.
    Client,
    /// Answered it.
    Server,
}

impl Role {
    pub(crate) const fn sends(self) -> Direction {
        match self {
            Self::Client => Direction::ClientToServer,
            Self::Server => Direction::ServerToClient,
        }
    }

    pub(crate) const fn receives(self) -> Direction {
        match self {
            Self::Client => Direction::ServerToClient,
            Self::Server => Direction::ClientToServer,
        }
    }
}

/// Where frames travel; each plane has keys and counters of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plane {
    /// The stream; it has lane 0 only.
    Stream,
    /// Shared memory; the lane is the priority.
    SharedMemory,
}

/// Which way frames travel; each direction has keys and counters of its own, so that a reflected frame
/// does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the client.
    ClientToServer,
    /// From the server.
    ServerToClient,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_have_the_bits_of_the_wire_text() {
        let all = [Suite::HmacSha256, Suite::ChaCha20Poly1305, Suite::Aes256Gcm];
        assert_eq!(Suites::of(&all), Suites(7));
        assert_eq!(Suites::of(&all), Suites::AVAILABLE);
        assert_eq!(all.map(Suite::flags), [0x01, 0x04, 0x04]);
        assert_eq!(all.map(Suite::tag_len), [32, 16, 16]);
        assert!(all.iter().all(|suite| Suite::from_byte(suite.byte()) == Some(*suite)));
        assert_eq!((Suite::from_byte(0), Suite::from_byte(4)), (None, None));
        assert!(Suites(0xfff9).contains(Suite::HmacSha256) && !Suites(0xfff8).contains(Suite::HmacSha256));
    }
}
