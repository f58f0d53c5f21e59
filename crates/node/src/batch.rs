//! The two layouts that cross the boundary in bulk: records to send, descriptors of messages received.
//!
//! `src/transport/batch.ts` is the other side of both. A record leaves room for what sealing adds, so that a frame is built, sealed
//! and (on streams) written where JavaScript put it. Descriptors are 32-bit words in a caller-owned array; everything they point
//! at lies in a caller-owned slab.

use std::ops::Range;

use eipc_core::wire::header_binary;
use eipc_core::{Code, Envelope, Error, Kind, Lane, Meta, MetaKind, v1};

/// Room in front of the meta: length prefix, preamble, SecHdr.
pub(crate) const RECORD_HEAD: usize = 4 + 16 + 24;
/// Bytes of the length prefix, which shared memory does not carry.
pub(crate) const PREFIX: usize = 4;
/// `flags` bit 0 of a record: native code writes the timestamp.
const FLAG_STAMP: u8 = 1;
/// Where the timestamp stands in a binary meta.
const META_TIMESTAMP: Range<usize> = RECORD_HEAD + 8..RECORD_HEAD + 16;

/// One record of a batch, as its descriptor says, checked.
pub(crate) struct Record {
    pub(crate) kind: Kind,
    pub(crate) meta_kind: MetaKind,
    pub(crate) lane: Lane,
    pub(crate) meta_length: usize,
    pub(crate) payload_length: usize,
    pub(crate) length: usize,
    wants_timestamp: bool,
}

impl Record {
    /// Reads the descriptor at the start of `batch`. The record leaves exactly `tag_length` bytes free.
    pub(crate) fn read(batch: &[u8], tag_length: usize) -> Result<Self, Error> {
        let record = Self::read_roomy(batch)?;
        let filled = RECORD_HEAD + record.meta_length + record.payload_length;
        if filled + tag_length == record.length {
            Ok(record)
        } else {
            Err(Error::new(Code::Internal, "a record to send is malformed"))
        }
    }

    /// Reads the descriptor at the start of `batch`. The record leaves any number of bytes free.
    pub(crate) fn read_roomy(batch: &[u8]) -> Result<Self, Error> {
        let fault = || Error::new(Code::Internal, "a record to send is malformed");
        let head = batch.first_chunk::<16>().ok_or_else(fault)?;
        let word = |at: usize| -> Option<usize> {
            let bytes = head.get(at..at + 4)?.try_into().ok()?;
            usize::try_from(u32::from_le_bytes(bytes)).ok()
        };
        let [.., type_byte, meta_kind, lane, flags] = *head;
        let (length, meta_length, payload_length) =
            (word(0).ok_or_else(fault)?, word(4).ok_or_else(fault)?, word(8).ok_or_else(fault)?);
        let filled = RECORD_HEAD.checked_add(meta_length).and_then(|n| n.checked_add(payload_length));
        if filled.is_none_or(|filled| filled > length) || length > batch.len() {
            return Err(fault());
        }
        Ok(Self {
            kind: Kind::from_byte(type_byte).ok_or_else(fault)?,
            meta_kind: MetaKind::from_byte(meta_kind).ok_or_else(fault)?,
            lane: Lane::from_byte(lane).ok_or_else(fault)?,
            meta_length,
            payload_length,
            length,
            wants_timestamp: flags & FLAG_STAMP != 0,
        })
    }

    /// Writes the wall-clock time into the binary meta if the record asks for it.
    pub(crate) fn stamp(&self, record: &mut [u8], now: &mut Option<i64>) {
        if self.wants_timestamp
            && self.meta_kind == MetaKind::Binary
            && let Some(field) = record.get_mut(META_TIMESTAMP)
        {
            let time = *now.get_or_insert_with(crate::clock::unix_nanoseconds);
            field.copy_from_slice(&time.to_be_bytes());
        }
    }
}

/// Status words in front of the messages.
pub(crate) const STATUS_WORDS: usize = 8;
/// Words of one message.
pub(crate) const MESSAGE_WORDS: usize = 8;

/// `flags` of the status words.
pub(crate) mod flag {
    pub(crate) const TRANSMIT: u32 = 1;
    pub(crate) const STATE: u32 = 2;
    pub(crate) const SLAB: u32 = 4;
    pub(crate) const MORE: u32 = 8;
    pub(crate) const SPACE: u32 = 16;
    pub(crate) const PEER: u32 = 32;
    pub(crate) const RECOGNISED: u32 = 64;
    pub(crate) const URGENT_ELSEWHERE: u32 = 128;
}

/// Fills the caller's slab and descriptors during one receive call.
pub(crate) struct Delivery<'a> {
    slab: &'a mut [u8],
    at: usize,
    words: &'a mut [u32],
    count: usize,
    flags: u32,
    needed: usize,
}

impl<'a> Delivery<'a> {
    /// Starts at offset `at` of the slab. `None` if the arrays are too small to be used at all.
    pub(crate) fn new(slab: &'a mut [u8], at: usize, words: &'a mut [u32]) -> Option<Self> {
        let is_usable = at <= slab.len()
            && u32::try_from(slab.len()).is_ok()
            && words.len() >= STATUS_WORDS + MESSAGE_WORDS;
        is_usable.then_some(Self { slab, at, words, count: 0, flags: 0, needed: 0 })
    }

    /// Sets bits of the flags word.
    pub(crate) fn raise(&mut self, flags: u32) {
        self.flags |= flags;
    }

    /// Whether another message can be described.
    pub(crate) fn has_words(&self) -> bool {
        self.words.len() >= STATUS_WORDS + MESSAGE_WORDS * (self.count + 1)
    }

    /// The free part of the slab, if it has at least `length` bytes; otherwise asks the caller for a fresh one.
    pub(crate) fn room(&mut self, length: usize) -> Option<&mut [u8]> {
        // JSON is rewritten behind the frame: its room is part of what a frame may need.
        let needed = length.saturating_add(BEHIND_MAX);
        if self.slab.len() - self.at < needed {
            self.ask_for(length);
            return None;
        }
        self.slab.get_mut(self.at..)
    }

    /// The free part of the slab, less what a rewritten meta may need: where a frame of unknown length goes.
    pub(crate) fn free(&mut self) -> &mut [u8] {
        let end = self.slab.len().saturating_sub(BEHIND_MAX).max(self.at);
        self.slab.get_mut(self.at..end).unwrap_or_default()
    }

    /// Asks the caller for a slab that takes a frame of `length` bytes.
    pub(crate) fn ask_for(&mut self, length: usize) {
        self.needed = length.saturating_add(BEHIND_MAX);
        self.flags |= flag::SLAB;
    }

    /// Opens the frame of `length` bytes that was put at the start of `room` and describes its message.
    ///
    /// `open` verifies in place; a message it returns is described and its room kept, `None` gives the room back.
    pub(crate) fn describe<F>(&mut self, length: usize, open: F) -> Result<bool, Error>
    where
        F: for<'f> FnOnce(&'f mut [u8]) -> Result<Option<Envelope<'f>>, Error>,
    {
        let at = self.at;
        let fault = || Error::new(Code::Internal, "a frame outgrew its slab");
        let (frame, behind) =
            self.slab.get_mut(at..).and_then(|free| free.split_at_mut_checked(length)).ok_or_else(fault)?;
        let Some(envelope) = open(frame)? else { return Ok(false) };
        let meta = envelope.meta();
        let (meta_at, used) = match envelope.meta_kind() {
            MetaKind::Binary => (at + envelope.meta_range().start, length),
            MetaKind::Json => (at + length, length + header_binary::write(meta, behind)?),
        };
        let (kind, lane, payload) = (envelope.kind(), envelope.lane(), envelope.payload_range());
        let words = describe(at, kind, lane, meta, meta_at, payload);
        self.keep(words, used)?;
        Ok(true)
    }

    /// As [`Delivery::describe`], for a frame of v1. Its header is rewritten behind it as a binary meta and the session id; the
    /// sequence number goes where EIPC/2 has it, over what was the header.
    pub(crate) fn describe_v1<F>(&mut self, length: usize, open: F) -> Result<bool, Error>
    where
        F: for<'f> FnOnce(&'f mut [u8]) -> Result<Option<v1::Envelope<'f>>, Error>,
    {
        let at = self.at;
        let fault = || Error::new(Code::Internal, "a frame outgrew its slab");
        let (frame, behind) =
            self.slab.get_mut(at..).and_then(|free| free.split_at_mut_checked(length)).ok_or_else(fault)?;
        let Some(envelope) = open(&mut *frame)? else { return Ok(false) };
        let meta_length = header_binary::write_any_text(envelope.meta(), behind)?;
        let session_id = envelope.session_id().as_bytes();
        let session_length = session_id.len();
        behind
            .get_mut(meta_length..meta_length + session_length)
            .ok_or_else(fault)?
            .copy_from_slice(session_id);
        let (kind, payload) = (envelope.kind(), envelope.payload_range());
        let mut words = describe(at, kind, Lane::P0, envelope.meta(), at + length, payload);
        words[SESSION_LENGTH] = u32::try_from(session_length).unwrap_or_default();
        let sequence = envelope.sequence().to_be_bytes();
        frame.get_mut(SEQUENCE_AT).ok_or_else(fault)?.copy_from_slice(&sequence);
        self.keep(words, length + meta_length + session_length)?;
        Ok(true)
    }

    /// The frame of `length` bytes that was put at the start of `free`.
    pub(crate) fn frame(&self, length: usize) -> &[u8] {
        self.slab.get(self.at..self.at + length).unwrap_or_default()
    }

    /// Puts the words of a message behind those of its own priority and of more urgent ones, and keeps the `used` bytes of the slab:
    /// a P0 message that came behind bulk, or while bulk was verified, is handled first.
    fn keep(&mut self, described: [u32; MESSAGE_WORDS], used: usize) -> Result<(), Error> {
        let end = STATUS_WORDS + MESSAGE_WORDS * self.count;
        let kept = self.words.get(STATUS_WORDS..end).unwrap_or_default().rchunks_exact(MESSAGE_WORDS);
        let less_urgent = kept.take_while(|kept| priority(kept) > priority(&described)).count();
        let place = end - MESSAGE_WORDS * less_urgent;
        let words = self.words.get_mut(place..end + MESSAGE_WORDS);
        let words = words.ok_or(Error::new(Code::Internal, "a message without words"))?;
        words.rotate_right(MESSAGE_WORDS);
        if let Some(first) = words.first_chunk_mut() {
            *first = described;
        }
        self.count += 1;
        // Eight-byte steps keep float payloads of later messages no worse aligned than of the first.
        self.at = (self.at + used).next_multiple_of(8).min(self.slab.len());
        Ok(())
    }

    /// Whether anything but P0 messages was kept.
    pub(crate) fn has_less_urgent(&self) -> bool {
        let end = STATUS_WORDS + MESSAGE_WORDS * self.count;
        self.count > 0 && self.words.get(end - MESSAGE_WORDS..).and_then(priority) != Some(0)
    }

    /// Writes the status words and returns the number of messages.
    pub(crate) fn finish(self, consumed: usize, state: u32, timeout_ms: u32, space: u32) -> i32 {
        let word = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let status =
            [word(consumed), word(self.at), self.flags, word(self.needed), state, timeout_ms, space, 0];
        if let Some(words) = self.words.first_chunk_mut::<STATUS_WORDS>() {
            *words = status;
        }
        i32::try_from(self.count).unwrap_or(i32::MAX)
    }
}

/// The words of a message whose frame is at `at`.
fn describe(
    at: usize,
    kind: Kind,
    lane: Lane,
    meta: &Meta<'_>,
    meta_at: usize,
    payload: Range<usize>,
) -> [u32; MESSAGE_WORDS] {
    let word = |n: usize| u32::try_from(n).unwrap_or(u32::MAX); // the slab is shorter than 2^32
    let byte = |text: &str| u8::try_from(text.len()).unwrap_or(u8::MAX); // a meta's strings have at most 255 bytes
    [
        word(at),
        u32::from_le_bytes([kind.byte(), meta.priority.byte(), meta.payload_format.byte(), lane.byte()]),
        word(meta_at),
        u32::from_le_bytes([
            byte(&meta.source),
            byte(&meta.request_id),
            byte(&meta.capability),
            byte(&meta.route),
        ]),
        word(at + payload.start),
        word(payload.len()),
        meta.max_age_ms,
        0,
    ]
}

/// The priority that the words of a message name.
fn priority(words: &[u32]) -> Option<u8> {
    words.get(1).map(|word| word.to_le_bytes()[1])
}

/// The word with the length of the session id behind the meta; 0 where the session says it.
const SESSION_LENGTH: usize = 7;
/// Where a frame of EIPC/2 has its sequence number.
const SEQUENCE_AT: Range<usize> = 24..32;
/// What is rewritten behind a frame at most: a binary meta (24 bytes, four strings of 255), a session id of 256.
const BEHIND_MAX: usize = 24 + 4 * 255 + 256;
