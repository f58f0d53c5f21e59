//! The audit chain (`docs/audit.md`): lines that cannot be changed, deleted, inserted or swapped unseen.
//!
//! ```text
//! body ─Chain::seal→ line with i, prev, h        the key of a line is wiped when the next one has its own
//! file ─Verifier::feed→ Verdict                  the first bad line, and why
//! ```
//!
//! A chain with a key is forward-secure: whoever takes the machine over finds the key of the next line, from
//! which none of those before can be computed. Without a key the chain is plain SHA-256 and shows accidents
//! only. What is worth a line, the files and their durability are the owner's and deliberately not here.

mod chain;
mod checkpoints;
#[cfg(test)]
mod forge;
mod key;
mod line;
mod proof;
mod state;
mod suspect;
mod verdict;
mod verify;

pub use chain::Chain;
pub use checkpoints::Checkpoints;
pub use key::AuditKey;
pub use line::{ACTION_BEGIN, ACTION_ROTATE, MAX_LINE};
pub use state::STATE_LEN;
pub use verdict::{Check, Fault, Reason, Verdict};
pub use verify::Verifier;

/// How many lines lie between two checkpoints.
pub const CHECKPOINT_EVERY: u64 = 1_000;
/// The last number a line can have: the largest that every JSON reader keeps exactly.
const MAX_NUMBER: u64 = (1 << 53) - 1;
