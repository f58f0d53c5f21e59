//! What the fuzzer runs, and the test that replays its corpus: one function for each target, which panics for a fault.
//!
//! Inputs are bytes, or a script that `arbitrary` makes of bytes. crates/fuzz hands them over from libFuzzer; on the stable
//! toolchain crates/testkit/tests/corpus.rs does. The reader of shared memory is in crates/shm/tests/common/reader.rs, beside
//! what may write to raw memory.

mod audit;
mod forge;
mod frame;
mod handshake_v1;
mod handshake_v2;
mod header;
mod stream;

pub use audit::audit;
pub use frame::{frame_v1, frame_v2};
pub use handshake_v1::handshake_v1;
pub use handshake_v2::handshake_v2;
pub use header::header;
pub use stream::stream;

/// What runs one input.
pub type Target = fn(&[u8]);

/// All targets of this crate, by the names of their corpora.
pub const TARGETS: [(&str, Target); 7] = [
    ("stream", stream),
    ("header", header),
    ("frame_v1", frame_v1),
    ("frame_v2", frame_v2),
    ("handshake_v1", handshake_v1),
    ("handshake_v2", handshake_v2),
    ("audit", audit),
];

use arbitrary::Arbitrary;

/// What somebody between two ends does to a frame.
#[derive(Arbitrary, Clone, Debug)]
pub(crate) enum Edit {
    Pass,
    Flip { bit: u16 },
    Cut { length: u16 },
    Extend { bytes: Vec<u8> },
    Overwrite { at: u16, bytes: Vec<u8> },
    Replace { bytes: Vec<u8> },
    Repeat,
    Drop,
    Reflect,
}

impl Edit {
    /// The frames that arrive in place of `frame`, and whether they are other bytes.
    pub(crate) fn apply(&self, frame: &[u8]) -> Vec<Vec<u8>> {
        let mut edited = frame.to_vec();
        match self {
            Self::Pass | Self::Reflect => {}
            Self::Flip { bit } => {
                let bit = usize::from(*bit) % (edited.len() * 8).max(1);
                if let Some(byte) = edited.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Cut { length } => edited.truncate(usize::from(*length)),
            Self::Extend { bytes } => edited.extend_from_slice(bytes),
            Self::Overwrite { at, bytes } => {
                let at = usize::from(*at) % (edited.len() + 1);
                edited.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
            }
            Self::Replace { bytes } => edited.clone_from(bytes),
            Self::Repeat => return vec![edited.clone(), edited],
            Self::Drop => return vec![],
        }
        vec![edited]
    }
}
