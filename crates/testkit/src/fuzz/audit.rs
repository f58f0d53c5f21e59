//! An audit log that somebody edits: the lines before the first changed byte are good, whatever follows is not, and however the
//! bytes are cut into chunks the verdict is the same. Also what a chain goes on from: state, tail and checkpoints.

use super::Edit;
use arbitrary::{Arbitrary, Unstructured};
use eipc_core::audit::{ACTION_BEGIN, AuditKey, Chain, Checkpoints, Verdict, Verifier};
use std::sync::Arc;

#[derive(Arbitrary, Debug)]
struct Script {
    is_keyed: bool,
    is_key_known: bool,
    /// What happens to lines, by their place, or to the whole log.
    edits: Vec<(Option<u8>, Edit)>,
    chunk: u8,
    checkpoints: Vec<u8>,
    state: Vec<u8>,
}

const LINES: usize = 6;

/// Runs one script.
pub fn audit(input: &[u8]) {
    let Ok(script) = Script::arbitrary_take_rest(Unstructured::new(input)) else { return };
    let key = Arc::new(AuditKey::new(&[0x81; 32]).expect("a key"));
    let key = script.is_keyed.then_some(key);
    let good = log(key.as_deref());
    let edited = script.edited(&good);
    let given = key.filter(|_| script.is_key_known);
    let checkpoints = Checkpoints::parse(&script.checkpoints).unwrap_or_default();
    let whole = verdict(&[edited.as_slice()], given.clone(), &checkpoints);
    let pieces: Vec<_> = edited.chunks(usize::from(script.chunk).max(1)).collect();
    assert_eq!(whole, verdict(&pieces, given.clone(), &checkpoints), "chunks change what is found");

    let same = good.iter().zip(&edited).take_while(|(one, other)| one == other).count();
    let before = good.get(..same).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
    if given.is_some() || !script.is_keyed {
        // A checkpoint that was made up may find fault with a good line, and nothing makes another line good.
        assert!(whole.lines <= before as u64, "a line is good that nobody wrote: {whole:?}");
        if script.checkpoints.is_empty() {
            assert_eq!(whole.lines, before as u64, "{whole:?}");
            let is_cut_between = edited.len() == same && (same == 0 || good.get(same - 1) == Some(&b'\n'));
            assert_eq!(whole.fault.is_none(), is_cut_between && same > 0, "{whole:?}");
        }
    }
    recover(&script.state, &good);
}

/// A state that is taken goes on with lines of its own chain only.
fn recover(state: &[u8], tail: &[u8]) {
    let Ok(mut chain) = Chain::resume(state) else { return };
    let before = (chain.number(), chain.size());
    let taken = chain.recover(tail);
    assert!(taken <= tail.len() && chain.size() == before.1.saturating_add(taken as u64));
    assert_eq!(chain.number() == before.0, taken == 0);
}

impl Script {
    fn edited(&self, good: &[u8]) -> Vec<u8> {
        let mut lines: Vec<Vec<u8>> =
            good.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let mut whole = Vec::new();
        for (place, edit) in &self.edits {
            match place {
                Some(place) if !lines.is_empty() => {
                    let at = usize::from(*place) % lines.len();
                    let line = lines.remove(at);
                    lines.splice(at..at, edit.apply(&line));
                    lines.truncate(2 * LINES);
                }
                _ => whole.push(edit),
            }
        }
        let mut bytes = lines.concat();
        for edit in whole {
            bytes = edit.apply(&bytes).concat();
            bytes.truncate(16_384);
        }
        bytes
    }
}

fn log(key: Option<&AuditKey>) -> Vec<u8> {
    let claim = key.map_or("no key".to_owned(), |key| format!("key {:016x}", key.id()));
    let mut chain = Chain::begin([7; 32], key);
    let bodies: String = (0..LINES)
        .map(|number| {
            let (action, result) =
                if number == 0 { (ACTION_BEGIN, claim.as_str()) } else { ("motor.move", "") };
            format!(
                "\"t\":\"2026-11-05T12:34:56.789Z\",\"peer\":\"eni\",\"action\":\"{action}\",\"decision\":\"allow\",\
                 \"result\":\"{result}\",\"request_id\":\"c{number}\",\"frame\":\"\"\n"
            )
        })
        .collect();
    let mut out = Vec::new();
    chain.seal(bodies.as_bytes(), &mut out).expect("bodies of our own");
    out
}

fn verdict(chunks: &[&[u8]], key: Option<Arc<AuditKey>>, checkpoints: &Checkpoints) -> Verdict {
    let mut verifier = Verifier::new(key, checkpoints.clone());
    chunks.iter().for_each(|chunk| verifier.feed(chunk));
    verifier.end_file();
    verifier.finish()
}
