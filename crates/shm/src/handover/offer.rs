//! The offer of a segment, and the header page that it promises.

use ring::digest::{SHA256, digest};

use super::{Fields, OfferError};
use crate::layout::{ABI, Capacities, Layout};

/// Length in bytes of a memfd's offer; a name comes behind it.
const OFFER_LEN: usize = 72;
/// Bytes of the offer that the layout hash covers.
const HASHED_LEN: usize = 64;
/// "/e" and 26 characters of base32; macOS allows 31.
const NAME_LEN: usize = 28;
/// Length in bytes of the header page.
pub const HEADER_PAGE_LEN: usize = 4_096;

const OP_OFFER: u8 = 1;

/// How a segment is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentKind {
    /// As a descriptor beside the offer's first byte (Linux).
    Memfd,
    /// By the name in the offer (macOS, Windows).
    Named,
}

/// Describes the segment that a server made for this connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    kind: SegmentKind,
    capacities: Capacities,
    generation: u64,
    name: String,
}

impl Offer {
    /// Describes a segment that is passed as a descriptor. `generation` is the session's id.
    #[must_use]
    pub fn memfd(capacities: Capacities, generation: u64) -> Self {
        Self { kind: SegmentKind::Memfd, capacities, generation, name: String::new() }
    }

    /// Describes a segment with a name of the form "/e" + 26 characters `a-z2-7`; `None` for any other name.
    #[must_use]
    pub fn named(capacities: Capacities, generation: u64, name: &str) -> Option<Self> {
        is_name(name.as_bytes()).then(|| Self {
            kind: SegmentKind::Named,
            capacities,
            generation,
            name: name.to_owned(),
        })
    }

    /// Returns how the segment is passed on.
    #[must_use]
    pub const fn kind(&self) -> SegmentKind {
        self.kind
    }

    /// Returns the capacities of the lanes.
    #[must_use]
    pub const fn capacities(&self) -> &Capacities {
        &self.capacities
    }

    /// Returns the layout of the segment.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        Layout::new(self.capacities)
    }

    /// Returns the size of the segment in bytes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.capacities.total()
    }

    /// Returns the generation: the session's id.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the segment's name, empty for a memfd.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes the payload of the `S` frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(OFFER_LEN + self.name.len());
        payload.extend_from_slice(&self.hashed());
        // A name has 28 bytes: `named` and `decode` make no other.
        payload.push(u8::try_from(self.name.len()).unwrap_or(0));
        payload.extend_from_slice(&[0; 7]);
        payload.extend_from_slice(self.name.as_bytes());
        payload
    }

    /// Reads and checks the payload of an `S` frame: every field, the session it belongs to (`session_id`), and that
    /// the segment is not larger than `max_segment` bytes.
    ///
    /// # Errors
    /// What was wrong; [`OfferError::reason`] says what to answer.
    pub fn decode(payload: &[u8], session_id: u64, max_segment: u64) -> Result<Self, OfferError> {
        let (fixed, name) = payload.split_first_chunk::<OFFER_LEN>().ok_or(OfferError::Malformed)?;
        let mut fields = Fields(fixed);
        if fields.u8() != OP_OFFER {
            return Err(OfferError::Malformed);
        }
        let kind = fields.u8();
        // Before everything else: another version may mean anything by the rest.
        if fields.u16() != ABI {
            return Err(OfferError::Abi);
        }
        let kind = match kind {
            1 => SegmentKind::Memfd,
            2 => SegmentKind::Named,
            _ => return Err(OfferError::Malformed),
        };
        if fields.u32() != 0 {
            return Err(OfferError::Malformed);
        }
        let total = fields.u64();
        let capacities = Capacities::new([(); 8].map(|()| fields.u32())).map_err(|_| OfferError::Size)?;
        if total != capacities.total() || total > max_segment {
            return Err(OfferError::Size);
        }
        let generation = fields.u64();
        if generation != session_id {
            return Err(OfferError::Generation);
        }
        let reserved = fields.u64();
        let name_len = usize::from(fields.u8());
        if reserved != 0 || fields.0.iter().any(|byte| *byte != 0) || name_len != name.len() {
            return Err(OfferError::Malformed);
        }
        let named = match kind {
            SegmentKind::Memfd => name.is_empty(),
            SegmentKind::Named => is_name(name),
        };
        if !named {
            return Err(OfferError::Malformed);
        }
        let name = String::from_utf8(name.to_vec()).map_err(|_| OfferError::Malformed)?;
        Ok(Self { kind, capacities, generation, name })
    }

    /// Returns what the first page of the segment contains, in host byte order.
    #[must_use]
    pub fn header_page(&self) -> [u8; HEADER_PAGE_LEN] {
        let mut head = Vec::with_capacity(96);
        head.extend_from_slice(b"EIPCSHM1");
        head.extend_from_slice(&u32::from(ABI).to_ne_bytes());
        head.extend_from_slice(&[0; 4]);
        head.extend_from_slice(&self.total().to_ne_bytes());
        head.extend_from_slice(&self.generation.to_ne_bytes());
        self.capacities.iter().for_each(|capacity| head.extend_from_slice(&capacity.to_ne_bytes()));
        head.extend_from_slice(&self.layout_hash());
        let mut page = [0; HEADER_PAGE_LEN];
        page.iter_mut().zip(head).for_each(|(to, from)| *to = from);
        page
    }

    /// SHA-256("EIPC shm layout 1\0" ‖ offer bytes 0..63)
    fn layout_hash(&self) -> [u8; 32] {
        let mut input = b"EIPC shm layout 1\0".to_vec();
        input.extend_from_slice(&self.hashed());
        let mut hash = [0; 32];
        hash.iter_mut().zip(digest(&SHA256, &input).as_ref()).for_each(|(to, from)| *to = *from);
        hash
    }

    fn hashed(&self) -> Vec<u8> {
        let kind = match self.kind {
            SegmentKind::Memfd => 1,
            SegmentKind::Named => 2,
        };
        let mut bytes = Vec::with_capacity(HASHED_LEN);
        bytes.extend_from_slice(&[OP_OFFER, kind]);
        bytes.extend_from_slice(&ABI.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.total().to_be_bytes());
        self.capacities.iter().for_each(|capacity| bytes.extend_from_slice(&capacity.to_be_bytes()));
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&[0; 8]);
        bytes
    }
}

fn is_name(name: &[u8]) -> bool {
    name.len() == NAME_LEN
        && name
            .strip_prefix(b"/e")
            .is_some_and(|rest| rest.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: u64 = 0x0102_0304_0506_0708;
    const LIMIT: u64 = 64 << 20;

    fn offer() -> Offer {
        Offer::memfd(Capacities::DEFAULT, SESSION)
    }

    #[test]
    fn an_offer_survives_the_wire() {
        let named = Offer::named(Capacities::DEFAULT, SESSION, "/eabcdefghijklmnopqrstuvwxyz").unwrap();
        for offer in [offer(), named] {
            assert_eq!(Offer::decode(&offer.encode(), SESSION, LIMIT), Ok(offer));
        }
        assert_eq!(offer().encode().len(), 72);
    }

    #[test]
    fn every_changed_byte_of_an_offer_is_refused() {
        let good = offer().encode();
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut payload = good.clone();
                payload[at] ^= 1 << bit;
                assert!(Offer::decode(&payload, SESSION, LIMIT).is_err(), "byte {at}, bit {bit}");
            }
        }
        for len in 0..good.len() {
            assert_eq!(Offer::decode(&good[..len], SESSION, LIMIT), Err(OfferError::Malformed));
        }
        let mut longer = good;
        longer.push(0);
        assert_eq!(Offer::decode(&longer, SESSION, LIMIT), Err(OfferError::Malformed));
    }

    #[test]
    fn a_refusal_says_why() {
        let total = offer().total();
        let decode =
            |payload: &[u8], limit| Offer::decode(payload, SESSION, limit).map_err(OfferError::reason);
        assert!(decode(&offer().encode(), total).is_ok());
        assert_eq!(decode(&offer().encode(), total - 1), Err(Some(super::super::Reason::Size)));
        let mut payload = offer().encode();
        payload[3] = 2;
        assert_eq!(decode(&payload, LIMIT), Err(Some(super::super::Reason::Abi)));
        let mut payload = offer().encode();
        payload[48] = 0;
        assert_eq!(decode(&payload, LIMIT), Err(None));
    }

    #[test]
    fn a_name_is_e_and_26_characters() {
        let name = |name: &str| Offer::named(Capacities::DEFAULT, SESSION, name);
        for bad in [
            "",
            "/e",
            "/eABCDEFGHIJKLMNOPQRSTUVWXYZ",
            "/eabcdefghijklmnopqrstuvwxy/",
            "/e../../../../../../../../etc",
            "/eabcdefghijklmnopqrstuvwxyz2",
        ] {
            assert_eq!(name(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_hostile_name_does_not_get_through_the_decoder() {
        let good =
            Offer::named(Capacities::DEFAULT, SESSION, "/eabcdefghijklmnopqrstuvwx27").unwrap().encode();
        assert!(Offer::decode(&good, SESSION, LIMIT).is_ok());
        let refused = |payload: &[u8]| {
            assert_eq!(Offer::decode(payload, SESSION, LIMIT), Err(OfferError::Malformed), "{payload:?}");
        };
        for byte in (0..=255_u8).filter(|byte| !matches!(byte, b'a'..=b'z' | b'2'..=b'7')) {
            for at in 72..good.len() {
                let mut payload = good.clone();
                if payload[at] != byte {
                    payload[at] = byte;
                    refused(&payload);
                }
            }
        }
        // Lengths that the name does not have, and names that have them: 31 is what macOS would take.
        for length in (0..=255_u8).filter(|length| usize::from(*length) != NAME_LEN) {
            let mut payload = good.clone();
            payload[64] = length;
            refused(&payload);
            payload.resize(OFFER_LEN + usize::from(length), b'a');
            refused(&payload);
        }
        // A memory file with a name, a named segment without.
        let mut payload = good.clone();
        payload[1] = 1;
        refused(&payload);
        let mut payload = offer().encode();
        payload[1] = 2;
        refused(&payload);
    }

    #[test]
    fn the_header_page_repeats_the_offer() {
        let page = offer().header_page();
        assert_eq!(page.len(), HEADER_PAGE_LEN);
        assert_eq!(page[..8], *b"EIPCSHM1");
        assert_eq!(page[16..24], offer().total().to_ne_bytes());
        assert_eq!(page[24..32], SESSION.to_ne_bytes());
        assert_eq!(page[36..40], (1_u32 << 18).to_ne_bytes());
        let hashed = [b"EIPC shm layout 1\0".as_slice(), &offer().encode()[..64]].concat();
        assert_eq!(page[64..96], *digest(&SHA256, &hashed).as_ref());
        assert!(page[96..].iter().all(|byte| *byte == 0));
    }
}
