//! A chain that grows, fails to be written, ends and goes on.

use super::*;
use crate::audit::forge;
use crate::audit::verify::Verifier;
use crate::audit::{ACTION_BEGIN, Check, Checkpoints, STATE_LEN};
use std::sync::Arc;

fn body(number: u64) -> String {
    forge::body(&format!("a{number}"), "") + "\n"
}

fn first(key: Option<&AuditKey>) -> String {
    let claim = key.map_or("no key".to_owned(), |key| format!("key {:016x}", key.id()));
    forge::body(ACTION_BEGIN, &claim) + "\n"
}

fn key() -> Arc<AuditKey> {
    Arc::new(AuditKey::new(&[0x81; 32]).unwrap())
}

fn sealed(chain: &mut Chain, bodies: &str) -> Vec<u8> {
    let mut out = Vec::new();
    chain.seal(bodies.as_bytes(), &mut out).unwrap();
    out
}

fn begun(key: Option<&AuditKey>) -> (Chain, Vec<u8>) {
    let mut chain = Chain::begin([7; 32], key);
    let file = sealed(&mut chain, &[first(key), body(2), body(3)].concat());
    chain.commit();
    (chain, file)
}

fn verified(file: &[u8], key: Option<Arc<AuditKey>>) -> (u64, Option<Check>, bool) {
    let mut verifier = Verifier::new(key, Checkpoints::default());
    verifier.feed(file);
    verifier.end_file();
    let verdict = verifier.finish();
    (verdict.lines, verdict.check, verdict.fault.is_none())
}

#[test]
fn what_is_sealed_is_verified() {
    let (mut chain, mut file) = begun(Some(&key()));
    assert_eq!((chain.number(), chain.size(), chain.base()), (3, file.len() as u64, 0));
    assert_eq!((chain.id(), chain.key_id()), (&[7; 32], Some(key().id())));
    file.extend_from_slice(&sealed(&mut chain, &body(4)));
    chain.commit();
    assert_eq!(verified(&file, Some(key())), (4, Some(Check::Key), true));
    assert_eq!(verified(&file, None), (4, Some(Check::Structure), true));
    let (chain, file) = begun(None);
    assert_eq!(chain.key_id(), None);
    assert_eq!(verified(&file, None), (3, Some(Check::Hash), true));
    assert!(!verified(&file, Some(key())).2, "a chain without a key is not one of ours");
}

#[test]
fn a_line_is_that_of_the_text() {
    // python: docs/audit.md's formulas over the same bytes
    let (chain, _) = begun(Some(&key()));
    assert_eq!(chain.hash()[..8], [0x64, 0x1b, 0x09, 0xf1, 0x8d, 0x12, 0x33, 0xf2]);
    let (chain, _) = begun(None);
    assert_eq!(chain.hash()[..8], [0x31, 0x84, 0x3a, 0xe8, 0xab, 0xb5, 0x25, 0x34]);
}

#[test]
fn what_could_not_be_written_leaves_no_trace() {
    let (mut chain, file) = begun(Some(&key()));
    let lost = sealed(&mut chain, &body(4));
    assert_eq!((chain.number(), chain.size()), (3, file.len() as u64), "not durable yet");
    chain.rollback();
    let again = sealed(&mut chain, &body(4));
    assert_eq!(lost, again, "the same key for the same place");
    chain.commit();
    assert_eq!((chain.number(), chain.size()), (4, (file.len() + again.len()) as u64));
    chain.rollback();
    assert_eq!(chain.number(), 4, "what is durable stays");
}

#[test]
fn a_wrong_body_seals_nothing() {
    let (mut chain, _) = begun(Some(&key()));
    for wrong in [body(4).replace("allow", "al\tlow"), body(4).trim_end().to_owned(), "\n".to_owned()] {
        let mut out = Vec::new();
        let error = chain.seal([body(4), wrong].concat().as_bytes(), &mut out).unwrap_err();
        assert_eq!(error.code, Code::Internal);
    }
    chain.commit();
    assert_eq!(chain.number(), 3);
    let forged = body(4).replace("allow", "allow\"}\n{\"i\":5");
    assert!(chain.seal(forged.as_bytes(), &mut Vec::new()).is_err(), "a body cannot begin a line");
}

#[test]
fn a_chain_goes_on_from_its_state() {
    for (key, check) in [(Some(key()), Check::Key), (None, Check::Hash)] {
        let (mut chain, mut file) = begun(key.as_deref());
        let state = chain.state();
        assert_eq!(state.expose().len(), STATE_LEN);
        let mut again = Chain::resume(state.expose()).unwrap();
        assert_eq!((again.number(), again.hash(), again.size()), (3, chain.hash(), chain.size()));
        assert_eq!((again.id(), again.key_id(), again.base()), (chain.id(), chain.key_id(), 0));
        let line = sealed(&mut again, &body(4));
        assert_eq!(line, sealed(&mut chain, &body(4)));
        file.extend_from_slice(&line);
        assert_eq!(verified(&file, key), (4, Some(check), true));
    }
}

#[test]
fn a_state_says_what_is_durable_and_nothing_of_what_is_not() {
    let (mut chain, _) = begun(Some(&key()));
    let before = chain.state();
    sealed(&mut chain, &body(4));
    assert_eq!(chain.state().expose(), before.expose());
    chain.commit();
    assert_ne!(chain.state().expose(), before.expose());
}

#[test]
fn the_state_holds_no_key_of_a_line_that_was_written() {
    // The attacker takes the machine over after the third line, with its state file.
    let (chain, _) = begun(Some(&key()));
    let state = chain.state();
    let mut line_key = key().first();
    for _ in 0..3 {
        let found = state.expose().windows(32).any(|window| window == line_key.0.expose());
        assert!(!found);
        line_key = line_key.next().unwrap();
    }
    assert!(state.expose().windows(32).any(|window| window == line_key.0.expose()), "the next one");
}

#[test]
fn a_state_that_is_none_is_refused() {
    let state = begun(Some(&key())).0.state();
    for at in 0..STATE_LEN {
        let mut changed = state.expose().to_vec();
        changed[at] ^= 1;
        assert_eq!(Chain::resume(&changed).unwrap_err().code, Code::AuditDamaged, "{at}");
        assert!(Chain::resume(&state.expose()[..at]).is_err());
    }
    // With a good sum, the content still has to make sense.
    for (at, byte) in [(0, b'X'), (8, 2), (15, 1), (16, 1), (24, 1)] {
        let mut changed = state.expose()[..STATE_LEN - 32].to_vec();
        changed[at] = byte;
        changed.extend_from_slice(&crate::crypto::digest::sha256(&[&changed]));
        assert_eq!(Chain::resume(&changed).unwrap_err().code, Code::AuditDamaged, "{at}");
    }
    assert!(Chain::resume(&[state.expose(), &[0]].concat()).is_err());
    let longer = [&state.expose()[..STATE_LEN - 32], &[0]].concat();
    let sum = crate::crypto::digest::sha256(&[&longer[..]]);
    assert!(Chain::resume(&[&longer[..], &sum].concat()).is_err());
}

#[test]
fn lines_behind_the_state_are_recovered_and_nothing_else() {
    for key in [Some(key()), None] {
        let (mut chain, _) = begun(key.as_deref());
        let state = chain.state();
        let good = sealed(&mut chain, &[body(4), body(5)].concat());
        chain.commit();
        let first = good.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for length in 0..=good.len() {
            let mut again = Chain::resume(state.expose()).unwrap();
            let whole = if length == good.len() {
                (5, length)
            } else if length >= first {
                (4, first)
            } else {
                (3, 0)
            };
            let taken = again.recover(&good[..length]);
            assert_eq!((again.number(), taken), whole, "{length}");
        }
        let mut again = Chain::resume(state.expose()).unwrap();
        assert_eq!(again.recover(&good), good.len());
        assert_eq!((again.hash(), again.size()), (chain.hash(), chain.size()));
        assert_eq!(again.state().expose(), chain.state().expose());
        for at in 0..first - 1 {
            let mut changed = good.clone();
            changed[at] ^= 1;
            assert_eq!(Chain::resume(state.expose()).unwrap().recover(&changed), 0, "{at}");
        }
        let mut twice = Chain::resume(state.expose()).unwrap();
        assert_eq!(twice.recover(&[&good[..first], &good[..]].concat()), first, "a line is taken once");
    }
}

#[test]
fn a_line_of_another_place_is_not_recovered() {
    // Without a key anybody can seal a line: its place is what is left to check.
    let (chain, _) = begun(None);
    let place = (chain.number() + 1, *chain.hash());
    for ((number, prev), taken) in
        [(place, true), ((place.0 + 1, place.1), false), ((place.0, [9; 32]), false)]
    {
        let line = forge::line(number, &prev, &forge::body("ui.click", "ok")) + "\n";
        let mut again = Chain::resume(chain.state().expose()).unwrap();
        assert_eq!(again.recover(line.as_bytes()), if taken { line.len() } else { 0 }, "{line}");
    }
}

#[test]
fn a_chain_goes_on_in_another_file() {
    let key = key();
    let (mut chain, one) = begun(Some(&key));
    chain.begin_file();
    assert_eq!((chain.base(), chain.size(), chain.number()), (3, 0, 3));
    let mut chain = Chain::resume(chain.state().expose()).unwrap();
    let rotate = first(Some(&key)).replace(ACTION_BEGIN, super::super::ACTION_ROTATE);
    let two = sealed(&mut chain, &[rotate, body(5)].concat());
    chain.commit();
    assert_eq!((chain.base(), chain.size()), (3, two.len() as u64));
    assert_eq!(verified(&two, Some(Arc::clone(&key))), (2, Some(Check::Key), true), "by itself");
    let mut verifier = Verifier::new(Some(key), Checkpoints::default());
    for file in [&one, &two] {
        verifier.feed(file);
        verifier.end_file();
    }
    let verdict = verifier.finish();
    assert_eq!((verdict.lines, verdict.first, verdict.last, verdict.fault), (5, 1, 5, None));
}

#[test]
fn the_last_number_is_the_last() {
    let start = Position::new(MAX_NUMBER - 1, [1; 32], 0, None);
    let mut chain = Chain::restored([7; 32], None, 0, start);
    sealed(&mut chain, &body(1));
    chain.commit();
    assert_eq!(chain.number(), MAX_NUMBER);
    assert_eq!(Chain::resume(chain.state().expose()).unwrap().number(), MAX_NUMBER);
    assert_eq!(chain.seal(body(1).as_bytes(), &mut Vec::new()).unwrap_err().code, Code::Internal);
}

#[test]
fn checkpoints_are_due_every_thousand_durable_lines() {
    let start = || Chain::restored([7; 32], None, 0, Position::new(998, [1; 32], 0, None));
    let mut chain = start();
    let before = chain.state();
    let lines = sealed(&mut chain, &[body(1), body(2)].concat());
    assert_eq!(chain.take_checkpoints(), "", "not durable yet");
    chain.rollback();
    chain.commit();
    assert_eq!(chain.take_checkpoints(), "");
    sealed(&mut chain, &body(1));
    let more = sealed(&mut chain, &[body(2), body(3)].concat());
    chain.commit();
    assert_eq!(chain.number(), 1_001);
    let due = chain.take_checkpoints();
    let hash = &more[more.iter().position(|byte| *byte == b'\n').unwrap() - 66..][..64];
    assert_eq!(due, format!("{{\"n\":1000,\"h\":\"{}\"}}\n", core::str::from_utf8(hash).unwrap()));
    assert_eq!(chain.take_checkpoints(), "", "handed over once");
    assert!(chain.checkpoint().starts_with("{\"n\":1001,"));
    let mut again = Chain::resume(before.expose()).unwrap();
    assert_eq!(again.recover(&lines), lines.len());
    assert_eq!(again.take_checkpoints(), due);
}
