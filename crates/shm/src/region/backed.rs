//! Regions that lie in memory of this process: heap and mappings differ in who owns the bytes, not in how they are
//! accessed.

use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64};

use super::access::Access;
use super::bytes::Bytes;
use super::{OutOfRange, Seat, Seats};
use crate::control::{Flag, Word};
use crate::layout::{Direction, Layout, Slot};

/// What owns a segment's memory.
pub(crate) trait Backed {
    fn layout(&self) -> &Layout;

    fn bytes(&self) -> &Bytes;

    fn seats(&self) -> &Seats;

    fn reserve(&self, offset: usize, len: usize) -> io::Result<()>;
}

impl<B: Backed> Access for B {
    fn layout(&self) -> &Layout {
        Backed::layout(self)
    }

    fn word(&self, slot: Slot, word: Word) -> &AtomicU64 {
        self.bytes().word(slot, word)
    }

    fn flag(&self, direction: Direction, flag: Flag) -> &AtomicU32 {
        self.bytes().flag(direction, flag)
    }

    fn header(&self, offset: usize) -> Result<[u8; 8], OutOfRange> {
        self.bytes().header(offset)
    }

    fn set_header(&self, offset: usize, header: [u8; 8]) -> Result<(), OutOfRange> {
        self.bytes().set_header(offset, header)
    }

    fn copy_out(&self, offset: usize, out: &mut [u8]) -> Result<(), OutOfRange> {
        self.bytes().copy_out(offset, out)
    }

    fn copy_in(&self, offset: usize, bytes: &[u8]) -> Result<(), OutOfRange> {
        self.bytes().copy_in(offset, bytes)
    }

    fn reserve(&self, offset: usize, len: usize) -> io::Result<()> {
        Backed::reserve(self, offset, len)
    }

    fn claim(&self, seat: Seat) -> bool {
        self.seats().claim(seat)
    }
}
