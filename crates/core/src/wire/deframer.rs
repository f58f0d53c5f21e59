//! Cuts a stream of chunks into frames, with bounded memory.
//!
//! First step of every stream transport; `RawFrame::parse` is next. A frame that is whole inside a chunk
//! is copied once, from the chunk to the caller's buffer; only a frame cut by the end of a chunk passes
//! through the internal buffer, which grows as bytes really arrive and never from a claimed length.
//! What is inside a frame is deliberately not looked at.

use super::limits::{PREAMBLE_LEN, PREFIX_LEN};
use crate::error::{Code, Error, Result};

/// What a call of [`Deframer::poll`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deframed {
    /// The input is used up; call again with the next chunk.
    NeedInput,
    /// The next frame has this many bytes and `out` is shorter; call again with a larger one.
    NeedRoom(usize),
    /// A frame of this many bytes was written to the front of `out`, without its length prefix.
    Frame(usize),
    /// The peer rang the doorbell of a shared-memory segment.
    Doorbell,
}

/// Cuts frames out of a stream; see the module.
#[derive(Debug)]
pub struct Deframer {
    limit: usize,
    doorbells: bool,
    prefix: [u8; PREFIX_LEN],
    prefix_len: usize,
    partial: Vec<u8>,
    fault: Option<Code>,
}

/// The byte that rings, at a frame boundary only. A length prefix always begins with 0 there.
const DOORBELL: u8 = 0x01;
/// A partial buffer above this is given back after its frame.
const RETAINED: usize = 16 * 1024;

impl Deframer {
    /// Makes a deframer that refuses frames above `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            doorbells: false,
            prefix: [0; PREFIX_LEN],
            prefix_len: 0,
            partial: Vec::new(),
            fault: None,
        }
    }

    /// Changes the limit, from the next frame on.
    pub const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// From now on 0x01 at a frame boundary is a doorbell: the session shares memory and is ready.
    pub const fn allow_doorbells(&mut self) {
        self.doorbells = true;
    }

    /// Tells whether a frame has begun and not ended.
    #[must_use]
    pub const fn is_mid_frame(&self) -> bool {
        self.prefix_len > 0
    }

    /// Returns how many bytes are missing to the end of the length prefix or frame being read, at least 1. An owner that must not
    /// read past a frame's end (the byte behind it may carry a descriptor) reads no more than this.
    #[must_use]
    pub fn missing(&self) -> usize {
        let wanted = match PREFIX_LEN.checked_sub(self.prefix_len) {
            Some(0) | None => u32::from_be_bytes(self.prefix).try_into().unwrap_or(usize::MAX),
            Some(rest) => return rest,
        };
        wanted.saturating_sub(self.partial.len()).max(1)
    }

    /// Takes bytes from the front of `input` until it finds a frame, a doorbell or the end.
    ///
    /// # Errors
    /// [`Code::FrameTooLarge`] for a length above the limit, [`Code::Truncated`] below 16,
    /// [`Code::Protocol`] for a byte that is neither a frame nor a doorbell. All are final: every later
    /// call fails in the same way.
    pub fn poll(&mut self, input: &mut &[u8], out: &mut [u8]) -> Result<Deframed> {
        if let Some(code) = self.fault {
            return Err(Error::new(code, "the stream failed before"));
        }
        let result = self.advance(input, out);
        if let Err(error) = &result {
            self.fault = Some(error.code);
        }
        result
    }

    fn advance(&mut self, input: &mut &[u8], out: &mut [u8]) -> Result<Deframed> {
        if self.prefix_len == 0 {
            match input.first() {
                None => return Ok(Deframed::NeedInput),
                Some(&DOORBELL) if self.doorbells => {
                    *input = input.get(1..).unwrap_or_default();
                    return Ok(Deframed::Doorbell);
                }
                Some(&byte) if self.doorbells && byte != 0 => {
                    return Err(Error::with(Code::Protocol, format!("{byte:#04x} between frames")));
                }
                Some(_) => {}
            }
        }
        while self.prefix_len < PREFIX_LEN {
            let (Some((&byte, rest)), Some(slot)) =
                (input.split_first(), self.prefix.get_mut(self.prefix_len))
            else {
                return Ok(Deframed::NeedInput);
            };
            *slot = byte;
            self.prefix_len += 1;
            *input = rest;
        }
        let frame_len = self.frame_len()?;
        let missing = frame_len.saturating_sub(self.partial.len());
        let Some((here, rest)) = input.split_at_checked(missing) else {
            self.keep(input, frame_len);
            *input = &[];
            return Ok(Deframed::NeedInput);
        };
        let Some((front, back)) =
            out.get_mut(..frame_len).and_then(|out| out.split_at_mut_checked(self.partial.len()))
        else {
            return Ok(Deframed::NeedRoom(frame_len));
        };
        front.copy_from_slice(&self.partial);
        back.copy_from_slice(here);
        *input = rest;
        self.prefix_len = 0;
        self.partial.clear();
        if self.partial.capacity() > RETAINED {
            self.partial = Vec::new();
        }
        Ok(Deframed::Frame(frame_len))
    }

    fn frame_len(&self) -> Result<usize> {
        let claimed = u32::from_be_bytes(self.prefix);
        match usize::try_from(claimed) {
            Ok(length) if length <= self.limit || self.has_partial() => {
                if length < PREAMBLE_LEN {
                    return Err(Error::with(Code::Truncated, format!("length {claimed}")));
                }
                Ok(length)
            }
            _ => Err(Error::with(Code::FrameTooLarge, format!("length {claimed}, limit {}", self.limit))),
        }
    }

    /// A frame whose length was accepted is not refused by a limit that sank meanwhile.
    const fn has_partial(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Keeps bytes that did arrive; the buffer doubles, but never beyond the frame.
    fn keep(&mut self, bytes: &[u8], frame_len: usize) {
        let needed = self.partial.len().saturating_add(bytes.len());
        if needed > self.partial.capacity() {
            let target = self.partial.capacity().saturating_mul(2).max(needed).min(frame_len);
            self.partial.reserve_exact(target.saturating_sub(self.partial.len()));
        }
        self.partial.extend_from_slice(bytes);
    }
}

/// Returns a frame of a connection's own, which is far below 2^32 bytes, with the length that streams have in front.
pub(crate) fn prefixed(frame: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), frame].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(frames: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for frame in frames {
            bytes.extend_from_slice(&u32::try_from(frame.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(frame);
        }
        bytes
    }

    #[test]
    fn a_claimed_length_allocates_nothing() {
        let mut deframer = Deframer::new(1 << 20);
        let mut input: &[u8] = &[0, 0x10, 0, 0, 1, 2, 3];
        assert_eq!(deframer.poll(&mut input, &mut []), Ok(Deframed::NeedInput));
        assert!(deframer.partial.capacity() <= 16, "{}", deframer.partial.capacity());
        assert!(deframer.is_mid_frame() && input.is_empty());
    }

    #[test]
    fn the_buffer_doubles_as_bytes_arrive_and_no_sooner() {
        let mut deframer = Deframer::new(1 << 20);
        let bytes = stream(&[&[7; 1000]]);
        deframer.poll(&mut &bytes[..4], &mut []).unwrap();
        for arrived in 1..1000_usize {
            deframer.poll(&mut &[7][..], &mut []).unwrap();
            assert_eq!(deframer.partial.capacity(), arrived.next_power_of_two().min(1000));
        }
        // Chunks that fit no power of two.
        for chunk in [3, 7, 10, 15, 333, 600, 999] {
            let mut deframer = Deframer::new(1 << 20);
            for bytes in bytes[..1003].chunks(chunk) {
                deframer.poll(&mut &*bytes, &mut []).unwrap();
                assert!(deframer.partial.capacity() <= 1000, "{chunk}: {}", deframer.partial.capacity());
            }
        }
    }

    #[test]
    fn a_large_buffer_is_given_back_after_its_frame() {
        let mut out = vec![0; RETAINED + 1];
        for (length, kept) in [(RETAINED, RETAINED), (RETAINED + 1, 0)] {
            let mut deframer = Deframer::new(1 << 20);
            let bytes = stream(&[&vec![7; length]]);
            // The buffer of the first piece doubles for the second, up to the whole frame.
            for piece in [&bytes[..9_000], &bytes[9_000..10_000], &bytes[10_000..]] {
                deframer.poll(&mut &*piece, &mut out).unwrap();
            }
            assert_eq!(deframer.partial.capacity(), kept, "{length}");
        }
    }

    #[test]
    fn a_frame_that_has_begun_outlives_a_limit_that_sinks() {
        let bytes = stream(&[&[7; 100], &[8; 100]]);
        let mut deframer = Deframer::new(100);
        let mut input = &bytes[..5];
        assert_eq!(deframer.poll(&mut input, &mut []), Ok(Deframed::NeedInput));
        deframer.set_limit(99);
        let (mut input, mut out) = (&bytes[5..], [0; 100]);
        assert_eq!(deframer.poll(&mut input, &mut out), Ok(Deframed::Frame(100)));
        assert_eq!(deframer.poll(&mut input, &mut out).unwrap_err().code, Code::FrameTooLarge);
    }

    #[test]
    fn what_is_missing_is_what_may_be_read() {
        let bytes = stream(&[&[7; 20]]);
        let mut deframer = Deframer::new(4096);
        let mut out = [0; 20];
        for (arrived, byte) in bytes.iter().enumerate() {
            let missing = if arrived < 4 { 4 - arrived } else { 24 - arrived };
            assert_eq!((deframer.missing(), deframer.is_mid_frame()), (missing, arrived > 0));
            deframer.poll(&mut core::slice::from_ref(byte), &mut out).unwrap();
        }
        assert_eq!((deframer.missing(), deframer.is_mid_frame()), (4, false));
        // Nobody asks to read nothing, which would look like the end of the stream.
        deframer.poll(&mut &[0, 0, 0, 0][..], &mut out).unwrap_err();
        assert_eq!(deframer.missing(), 1);
    }

    #[test]
    fn the_buffer_never_outgrows_the_frame() {
        let mut deframer = Deframer::new(1 << 20);
        let bytes = stream(&[&[7; 1000]]);
        for byte in &bytes[..bytes.len() - 1] {
            deframer.poll(&mut core::slice::from_ref(byte), &mut []).unwrap();
            assert!(deframer.partial.capacity() <= 1000);
        }
        let mut out = [0; 1000];
        assert_eq!(deframer.poll(&mut &[7][..], &mut []), Ok(Deframed::NeedRoom(1000)));
        assert_eq!(deframer.poll(&mut &[7][..], &mut out), Ok(Deframed::Frame(1000)));
        assert_eq!(out, [7; 1000]);
    }

    #[test]
    fn lengths_outside_the_limits_are_refused_for_good() {
        for (prefix, expected) in [
            ([0, 0, 0, 0], Code::Truncated),
            ([0, 0, 0, 15], Code::Truncated),
            ([0, 0, 16, 1], Code::FrameTooLarge),
            ([0x7f, 255, 255, 255], Code::FrameTooLarge),
            ([255, 255, 255, 255], Code::FrameTooLarge),
            ([1, 0, 0, 0], Code::FrameTooLarge),
        ] {
            let mut deframer = Deframer::new(4096);
            let code = |result: Result<Deframed>| result.map_err(|error| error.code);
            assert_eq!(code(deframer.poll(&mut &prefix[..], &mut [])), Err(expected));
            let good = stream(&[&[1; 16]]);
            assert_eq!(code(deframer.poll(&mut &good[..], &mut [0; 16])), Err(expected));
        }
        let exact = stream(&[&[1; 4096]]);
        assert_eq!(Deframer::new(4096).poll(&mut &exact[..], &mut [0; 4096]), Ok(Deframed::Frame(4096)));
    }

    #[test]
    fn doorbells_ring_only_between_frames_and_only_when_allowed() {
        let mut deframer = Deframer::new(4096);
        deframer.allow_doorbells();
        let mut bytes = vec![1, 1];
        bytes.extend(stream(&[&[1; 16]]));
        bytes.push(1);
        bytes.push(2);
        let mut input = &bytes[..];
        let mut out = [0; 16];
        let mut poll = || deframer.poll(&mut input, &mut out).map_err(|error| error.code);
        assert_eq!(poll(), Ok(Deframed::Doorbell));
        assert_eq!(poll(), Ok(Deframed::Doorbell));
        assert_eq!(poll(), Ok(Deframed::Frame(16)));
        assert_eq!(poll(), Ok(Deframed::Doorbell));
        assert_eq!(poll(), Err(Code::Protocol));
        let good = stream(&[&[1; 16]]);
        let later = deframer.poll(&mut &good[..], &mut out).map_err(|error| error.code);
        assert_eq!(later, Err(Code::Protocol), "for good");
        assert_eq!(Deframer::new(4096).poll(&mut &[1][..], &mut []), Ok(Deframed::NeedInput));
    }

    #[test]
    fn random_bytes_are_cut_without_a_panic() {
        let sample = stream(&[&[1; 16], &[2; 40], &[3; 100]]);
        let mut out = [0; 4_096];
        let frames = eipc_testkit::noise::feed(&sample, |bytes| {
            let mut deframer = Deframer::new(4_096);
            let (mut input, mut frames) = (&*bytes, 0);
            // Two halves, so that frames are cut by the end of a chunk as well.
            let mut rest = input.split_off(input.len() / 2..).unwrap_or_default();
            while let Ok(found) = deframer.poll(&mut input, &mut out) {
                match found {
                    Deframed::NeedInput if rest.is_empty() => break,
                    Deframed::NeedInput => input = core::mem::take(&mut rest),
                    _ => frames += 1,
                }
            }
            frames > 0
        });
        assert!(frames > 0);
    }
}
