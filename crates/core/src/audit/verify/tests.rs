//! A log that was tampered with: which line is the first bad one, and what became of it.

use super::*;
use crate::audit::{ACTION_BEGIN, ACTION_ROTATE, Chain, Check, Fault};
use eipc_testkit::noise::Noise;

fn key() -> Arc<AuditKey> {
    Arc::new(AuditKey::new(&[0x81; 32]).unwrap())
}

fn body(number: u64, action: &str, result: &str) -> String {
    format!(
        "\"t\":\"2026-11-05T12:34:56.789Z\",\"peer\":\"eni.min\",\"action\":\"{action}\",\"decision\":\"allow\",\
         \"result\":\"{result}\",\"request_id\":\"c{number}\",\"frame\":\"{}\"\n",
        "5e".repeat(32)
    )
}

/// The lines of a log, without their ends, in as many files.
fn log(key: Option<&AuditKey>, files: &[u64]) -> Vec<Vec<Vec<u8>>> {
    let claim = key.map_or("no key".to_owned(), |key| format!("key {:016x}; more", key.id()));
    let mut chain = Chain::begin([7; 32], key);
    let mut made = Vec::new();
    for &count in files {
        let mut bodies = body(0, if made.is_empty() { ACTION_BEGIN } else { ACTION_ROTATE }, &claim);
        for number in 1..count {
            bodies += &body(number, "ui.click", "ok");
        }
        let mut file = Vec::new();
        chain.seal(bodies.as_bytes(), &mut file).unwrap();
        chain.commit();
        chain.begin_file();
        made.push(
            file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect(),
        );
    }
    made
}

fn verdict_of(bytes: &[u8], key: Option<Arc<AuditKey>>, checkpoints: &str) -> Verdict {
    let mut verifier = Verifier::new(key, Checkpoints::parse(checkpoints.as_bytes()).unwrap());
    verifier.feed(bytes);
    verifier.end_file();
    verifier.finish()
}

fn joined(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect()
}

fn found(lines: &[Vec<u8>], key: Option<Arc<AuditKey>>) -> Option<(u64, Reason)> {
    verdict_of(&joined(lines), key, "").fault.map(|Fault { line, reason, .. }| (line, reason))
}

fn one_file(key: Option<&AuditKey>, count: u64) -> Vec<Vec<u8>> {
    log(key, &[count]).remove(0)
}

/// The key a log is made with, or that the verifier is given.
type Given = Option<Arc<AuditKey>>;

/// With its key, without having one, and with one that is not here.
fn ways() -> [(Given, Given); 3] {
    [(Some(key()), Some(key())), (None, None), (Some(key()), None)]
}

#[test]
fn a_good_log_is_good_however_it_comes() {
    for (made, given) in ways() {
        let bytes = joined(&one_file(made.as_deref(), 40));
        let whole = verdict_of(&bytes, given.clone(), "");
        assert_eq!((whole.lines, whole.first, whole.last, whole.recoveries), (40, 1, 40, 0));
        assert_eq!(whole.fault, None);
        assert_eq!(whole.key_id, made.as_ref().map(|key| key.id()));
        for size in [1, 2, 7, 64, 449, 450, 451, 4_096] {
            let mut verifier = Verifier::new(given.clone(), Checkpoints::default());
            bytes.chunks(size).for_each(|chunk| verifier.feed(chunk));
            verifier.end_file();
            assert_eq!(verifier.finish(), whole, "{size}");
        }
    }
}

#[test]
fn how_it_was_checked_is_said() {
    let check = |made: Option<&AuditKey>, given| verdict_of(&joined(&one_file(made, 3)), given, "").check;
    assert_eq!(check(Some(&key()), Some(key())), Some(Check::Key));
    assert_eq!(check(Some(&key()), None), Some(Check::Structure));
    assert_eq!(check(None, None), Some(Check::Hash));
}

#[test]
fn every_changed_byte_is_found_in_its_line() {
    for (made, given) in [(Some(key()), Some(key())), (None, None)] {
        let lines = one_file(made.as_deref(), 6);
        for line in 0..lines.len() {
            for at in 0..lines[line].len() {
                for flip in [1, 0x20, 0x80] {
                    let mut changed = lines.clone();
                    changed[line][at] ^= flip;
                    if changed[line][at] != b'\n' {
                        let found = found(&changed, given.clone());
                        assert_eq!(found, Some((line as u64 + 1, Reason::Changed)), "{line} {at} {flip}");
                    }
                }
            }
        }
    }
}

#[test]
fn deleted_lines_are_missed_where_they_were() {
    for (made, given) in ways() {
        let lines = one_file(made.as_deref(), 12);
        for first in 0..11 {
            for count in 1..12 - first {
                let mut less = lines.clone();
                less.drain(first..first + count);
                assert_eq!(
                    found(&less, given.clone()),
                    Some((first as u64 + 1, Reason::Deleted)),
                    "{first} {count}"
                );
            }
        }
    }
}

#[test]
fn inserted_lines_are_found_where_they_are() {
    for (made, given) in ways() {
        let lines = one_file(made.as_deref(), 12);
        let other = one_file(Some(&AuditKey::new(&[0x82; 32]).unwrap()), 12);
        for at in 0..12 {
            // Lines of this log, and what the attacker writes himself.
            let copies =
                lines.iter().enumerate().filter(|(from, _)| *from != at).map(|(_, line)| line.clone());
            let own = [b"".to_vec(), b"{}".to_vec(), vec![b'x'; 5_000], vec![0; 10]];
            for line in copies.chain(own) {
                let mut more = lines.clone();
                more.insert(at, line.clone());
                assert_eq!(found(&more, given.clone()), Some((at as u64 + 1, Reason::Inserted)), "{at}");
                more.insert(at, line);
                assert_eq!(
                    found(&more, given.clone()),
                    Some((at as u64 + 1, Reason::Inserted)),
                    "{at}, twice"
                );
            }
            // A line of another log has its form and a number; without a key, it is good by itself.
            if given.is_some() {
                for line in &other {
                    let mut more = lines.clone();
                    more.insert(at, line.clone());
                    assert_eq!(found(&more, given.clone()), Some((at as u64 + 1, Reason::Inserted)), "{at}");
                }
            }
        }
        // Behind the last line nothing says that it is not the next one, but its number.
        let mut more = lines.clone();
        more.push(lines[4].clone());
        assert_eq!(found(&more, given.clone()), Some((13, Reason::Inserted)));
    }
}

#[test]
fn swapped_lines_are_found_at_the_first_of_them() {
    for (made, given) in ways() {
        let lines = one_file(made.as_deref(), 12);
        for one in 0..12 {
            for other in one + 1..12 {
                let mut swapped = lines.clone();
                swapped.swap(one, other);
                assert_eq!(
                    found(&swapped, given.clone()),
                    Some((one as u64 + 1, Reason::Swapped)),
                    "{one} {other}"
                );
            }
        }
    }
}

#[test]
fn a_line_overwritten_with_another_is_changed() {
    for (made, given) in [(Some(key()), Some(key())), (None, None)] {
        let lines = one_file(made.as_deref(), 12);
        for at in 1..11 {
            for from in (0..12).filter(|from| *from != at) {
                let mut changed = lines.clone();
                changed[at] = lines[from].clone();
                assert_eq!(
                    found(&changed, given.clone()),
                    Some((at as u64 + 1, Reason::Changed)),
                    "{at} {from}"
                );
            }
        }
    }
}

#[test]
fn a_log_that_ends_within_a_line_is_torn_there() {
    for (made, given) in ways() {
        let bytes = joined(&one_file(made.as_deref(), 4));
        let mut line = 0;
        for length in 0..bytes.len() {
            if length > 0 && bytes[length - 1] == b'\n' {
                line += 1;
                let cut = verdict_of(&bytes[..length], given.clone(), "");
                assert_eq!((cut.fault, cut.lines), (None, line), "nothing shows without a checkpoint");
            } else {
                let fault = verdict_of(&bytes[..length], given.clone(), "").fault.unwrap();
                let reason = if length == 0 { Reason::Truncated } else { Reason::Torn };
                assert_eq!((fault.line, fault.reason), (line + 1, reason), "{length}");
            }
        }
    }
}

fn checkpoint(lines: &[Vec<u8>], number: usize) -> String {
    let line = String::from_utf8(lines[number - 1].clone()).unwrap();
    format!("{{\"n\":{number},\"h\":\"{}\"}}\n", &line[line.len() - 66..line.len() - 2])
}

#[test]
fn a_cut_tail_shows_against_a_checkpoint() {
    for (made, given) in ways() {
        let lines = one_file(made.as_deref(), 12);
        let checkpoints = [checkpoint(&lines, 5), checkpoint(&lines, 12)].concat();
        let whole = verdict_of(&joined(&lines), given.clone(), &checkpoints);
        assert_eq!((whole.fault, whole.checkpoints), (None, 2));
        for left in 0..12 {
            let fault = verdict_of(&joined(&lines[..left]), given.clone(), &checkpoints).fault.unwrap();
            assert_eq!(
                (fault.line, fault.number, fault.reason),
                (left as u64 + 1, left as u64 + 1, Reason::Truncated)
            );
        }
    }
}

#[test]
fn a_chain_made_anew_shows_against_a_checkpoint() {
    // The attacker can write the file, and the chain has no key.
    let lines = one_file(None, 12);
    let checkpoints = [checkpoint(&lines, 5), checkpoint(&lines, 12)].concat();
    let forged =
        joined(&lines).iter().map(|byte| if *byte == b'5' { b'5' } else { *byte }).collect::<Vec<_>>();
    assert_eq!(verdict_of(&forged, None, &checkpoints).fault, None);
    let mut chain = Chain::begin([8; 32], None);
    let mut anew = Vec::new();
    let bodies =
        [body(0, ACTION_BEGIN, "no key")].into_iter().chain((1..12).map(|n| body(n, "ui.scroll", "ok")));
    chain.seal(bodies.collect::<String>().as_bytes(), &mut anew).unwrap();
    assert_eq!(verdict_of(&anew, None, "").fault, None, "by itself it is a good chain");
    let fault = verdict_of(&anew, None, &checkpoints).fault.unwrap();
    assert_eq!((fault.line, fault.reason), (5, Reason::Rewritten));
}

#[test]
fn whose_key_it_is_decides() {
    let lines = one_file(Some(&key()), 12);
    let other = Arc::new(AuditKey::new(&[0x82; 32]).unwrap());
    assert_eq!(found(&lines, Some(Arc::clone(&other))), Some((1, Reason::Key)));
    // The attacker makes the log anew, without a key or with one of his own.
    assert_eq!(found(&one_file(None, 12), Some(key())), Some((1, Reason::Key)));
    assert_eq!(found(&one_file(Some(&other), 12), Some(key())), Some((1, Reason::Key)));
    // A log without a key that pretends to have one would be checked by its structure only.
    let mut chain = Chain::begin([8; 32], None);
    let mut pretending = Vec::new();
    let bodies = [body(0, ACTION_BEGIN, "key 0123456789abcdef"), body(1, "ui.click", "ok")].concat();
    chain.seal(bodies.as_bytes(), &mut pretending).unwrap();
    let fault = verdict_of(&pretending, None, "").fault.unwrap();
    assert_eq!((fault.line, fault.reason), (1, Reason::Changed));
}

#[test]
fn without_the_key_a_changed_text_does_not_show_and_a_changed_link_does() {
    let lines = one_file(Some(&key()), 6);
    let change = |from: &str, to: &str| {
        let mut changed = lines.clone();
        let text = String::from_utf8(changed[2].clone()).unwrap();
        changed[2] = text.replacen(from, to, 1).into_bytes();
        found(&changed, None)
    };
    assert_eq!(change("allow", "denyd"), None);
    assert_eq!(change("\"i\":3", "\"i\":4"), Some((3, Reason::Changed)));
    assert_eq!(change("\"i\":3", "\"i\":2"), Some((3, Reason::Changed)));
    assert_eq!(change("\"prev\":\"", "\"prev\":\"0").map(|(line, _)| line), Some(3));
    let mut changed = lines.clone();
    let at = changed[2].len() - 3;
    changed[2][at] = if changed[2][at] == b'0' { b'1' } else { b'0' };
    assert_eq!(found(&changed, None), Some((4, Reason::Changed)), "the next line does not link to it");
}

#[test]
fn a_forged_line_does_not_help_although_its_hash_fits() {
    // The attacker changes a line of a chain without a key, and its hash with it.
    let lines = one_file(None, 6);
    let mut chain = Chain::begin([7; 32], None);
    let mut forged = Vec::new();
    let bodies = [body(0, ACTION_BEGIN, "no key"), body(1, "ui.click", "ok"), body(2, "system.reboot", "ok")];
    chain.seal(bodies.concat().as_bytes(), &mut forged).unwrap();
    let third = forged.split(|byte| *byte == b'\n').nth(2).unwrap().to_vec();
    let changed = [&lines[..2], &[third], &lines[3..]].concat();
    assert_eq!(found(&changed, None), Some((4, Reason::Changed)));
    let fault = verdict_of(&joined(&changed), None, "").fault.unwrap();
    assert_eq!(fault.detail, "it does not go on where the line before ends");
}

#[test]
fn several_files_are_one_log() {
    for (made, given) in ways() {
        let files = log(made.as_deref(), &[5, 4, 3]);
        let verdict = |files: &[&[Vec<u8>]]| {
            let mut verifier = Verifier::new(given.clone(), Checkpoints::default());
            for file in files {
                verifier.feed(&joined(file));
                verifier.end_file();
            }
            verifier.finish()
        };
        let [one, two, three] = [&files[0][..], &files[1][..], &files[2][..]];
        let whole = verdict(&[one, two, three]);
        assert_eq!((whole.lines, whole.last, whole.fault), (12, 12, None));
        let alone = verdict(&[two]);
        assert_eq!((alone.lines, alone.first, alone.last, alone.fault), (4, 6, 9, None));
        let place = |verdict: Verdict| {
            verdict.fault.map(|fault| (fault.file, fault.line, fault.number, fault.reason))
        };
        assert_eq!(place(verdict(&[one, three])), Some((1, 1, 6, Reason::Deleted)));
        assert_eq!(place(verdict(&[one, &two[1..], three])), Some((1, 1, 6, Reason::Deleted)));
        assert_eq!(place(verdict(&[&one[..4], two])), Some((1, 1, 5, Reason::Deleted)));
        assert_eq!(place(verdict(&[&two[1..]])), Some((0, 1, 1, Reason::Deleted)));
        assert_eq!(place(verdict(&[one, &[]])), None);
    }
}

#[test]
fn a_torn_file_is_named_although_others_follow() {
    let files = log(Some(&key()), &[3, 3]);
    let mut verifier = Verifier::new(Some(key()), Checkpoints::default());
    let bytes = joined(&files[0]);
    verifier.feed(&bytes[..bytes.len() - 5]);
    verifier.end_file();
    verifier.feed(&joined(&files[1]));
    verifier.end_file();
    let fault = verifier.finish().fault.unwrap();
    assert_eq!((fault.file, fault.line, fault.reason), (0, 3, Reason::Torn));
}

#[test]
fn numbers_that_somebody_made_up_cost_little() {
    // The attacker wants the verifier to derive keys for ever.
    let lines = one_file(Some(&key()), 4);
    let far = |line: &[u8], number: &str| {
        let text = String::from_utf8(line.to_vec()).unwrap();
        text.replacen("\"i\":2", &format!("\"i\":{number}"), 1).into_bytes()
    };
    let mut changed = lines.clone();
    changed[1] = far(&lines[1], "9007199254740991");
    assert_eq!(found(&changed, Some(key())), Some((2, Reason::Changed)));
    let rotate = String::from_utf8(lines[0].clone()).unwrap();
    let rotate = rotate.replace(ACTION_BEGIN, ACTION_ROTATE).replacen("\"i\":1", "\"i\":9007199254740991", 1);
    let rotates = vec![rotate.into_bytes(); 10_000];
    assert!(found(&rotates, Some(key())).is_some());
}

#[test]
fn random_bytes_are_verified_without_a_panic() {
    let good = joined(&one_file(Some(&key()), 8));
    let mut noise = Noise(0x7665_7269);
    for round in 0..100_000 {
        let mut bytes = good.clone();
        for _ in 0..=noise.below(4) {
            let at = noise.below(bytes.len());
            match noise.below(4) {
                0 => bytes[at] ^= 1 << noise.below(8),
                1 => bytes.insert(at, b"\n\0\"}"[noise.below(4)]),
                2 => bytes.truncate(at.max(1)),
                _ => bytes.extend_from_within(at / 2..at),
            }
        }
        let given = (round % 2 == 0).then(key);
        let changed = bytes != good && !good.starts_with(&bytes);
        let verdict = verdict_of(&bytes, given.clone(), "");
        assert!(!changed || given.is_none() || verdict.fault.is_some(), "round {round}");
    }
}
