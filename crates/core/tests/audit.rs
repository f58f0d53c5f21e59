//! An audit log tampered with in tens of thousands of ways: the verifier names the first bad line and what
//! became of it, every time. And a log of a million lines.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use eipc_core::audit::{ACTION_BEGIN, AuditKey, Chain, Check, Checkpoints, Reason, Verdict, Verifier};
use eipc_testkit::noise::Noise;
use std::fmt::Write;
use std::sync::Arc;
#[allow(clippy::disallowed_types, reason = "prints what a million lines take")]
use std::time::Instant;

/// A log as its lines, without their ends, and its checkpoints, one of the last line among them.
struct Log {
    key: Option<Arc<AuditKey>>,
    lines: Vec<Vec<u8>>,
    checkpoints: String,
}

impl Log {
    fn of(key: Option<Arc<AuditKey>>, count: usize) -> Self {
        let mut bodies = String::new();
        for number in 0..count {
            let claim = key.as_ref().map_or("no key".to_owned(), |key| format!("key {:016x}", key.id()));
            let (action, result) =
                if number == 0 { (ACTION_BEGIN, claim.as_str()) } else { ("motor.move", "ok") };
            let digest = format!("{number:064x}");
            writeln!(
                bodies,
                "\"t\":\"2026-11-05T12:34:56.789Z\",\"peer\":\"eni.min\",\"action\":\"{action}\",\
                 \"decision\":\"allow\",\"result\":\"{result}\",\"request_id\":\"c{number}\",\"frame\":\"{digest}\""
            )
            .unwrap();
        }
        let mut chain = Chain::begin([7; 32], key.as_deref());
        let mut file = Vec::new();
        chain.seal(bodies.as_bytes(), &mut file).unwrap();
        chain.commit();
        let checkpoints = chain.take_checkpoints() + &chain.checkpoint();
        let lines = file.split(|byte| *byte == b'\n').take(count).map(<[u8]>::to_vec).collect();
        Self { key, lines, checkpoints }
    }

    fn verdict(&self, bytes: &[u8]) -> Verdict {
        let checkpoints = Checkpoints::parse(self.checkpoints.as_bytes()).unwrap();
        let mut verifier = Verifier::new(self.key.clone(), checkpoints);
        for chunk in bytes.chunks(64 * 1024) {
            verifier.feed(chunk);
        }
        verifier.end_file();
        verifier.finish()
    }
}

fn joined(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out
}

/// Tampers once, at random, and says what has to be found.
fn tamper(lines: &[Vec<u8>], noise: &mut Noise) -> (Vec<u8>, (u64, Reason)) {
    let mut changed = lines.to_vec();
    let at = noise.below(lines.len());
    let other = (at + 1 + noise.below(lines.len() - 1)) % lines.len();
    let reason = match noise.below(8) {
        // One byte, to anything that is not what it was and does not end the line.
        0 => {
            let byte = noise.below(lines[at].len());
            let old = changed[at][byte];
            while changed[at][byte] == old || changed[at][byte] == b'\n' {
                changed[at][byte] = u8::try_from(noise.below(256)).unwrap();
            }
            Reason::Changed
        }
        // The decision, as somebody with an editor would.
        1 => {
            let text = String::from_utf8(changed[at].clone()).unwrap();
            changed[at] = text.replace("\"allow\"", "\"deny\"").into_bytes();
            Reason::Changed
        }
        // A line end in the middle of a line.
        2 => {
            let byte = noise.below(lines[at].len() - 1);
            changed[at].insert(byte + 1, b'\n');
            Reason::Changed
        }
        // A line, or several; of the last ones only the checkpoint tells.
        3 => {
            let count = 1 + noise.below(lines.len() - at);
            changed.drain(at..at + count);
            if at + count == lines.len() { Reason::Truncated } else { Reason::Deleted }
        }
        4 => {
            changed.insert(at, lines[other].clone());
            Reason::Inserted
        }
        // A line of the attacker's own making, whose number may even fit.
        5 => {
            let text = String::from_utf8(lines[at].clone()).unwrap();
            changed.insert(at, text.replace("\"allow\"", "\"deny\"").into_bytes());
            Reason::Inserted
        }
        6 => {
            changed.swap(at, other);
            let first = at.min(other);
            return (joined(&changed), (first as u64 + 1, Reason::Swapped));
        }
        // The end cut off at any byte.
        _ => {
            let whole = joined(lines);
            let length = noise.below(whole.len() - 1);
            let line = whole[..length].iter().filter(|byte| **byte == b'\n').count();
            let is_between = length == 0 || whole[length - 1] == b'\n';
            let reason = if is_between { Reason::Truncated } else { Reason::Torn };
            return (whole[..length].to_vec(), (line as u64 + 1, reason));
        }
    };
    (joined(&changed), (at as u64 + 1, reason))
}

/// Tampers with a log in so many ways. Returns how often each reason was right.
fn try_all(log: &Log, ways: usize, noise: &mut Noise) -> Vec<(&'static str, usize)> {
    let whole = log.verdict(&joined(&log.lines));
    assert_eq!((whole.fault, whole.lines), (None, log.lines.len() as u64));
    let mut counts: Vec<(&'static str, usize)> = Vec::new();
    for way in 0..ways {
        let (bytes, expected) = tamper(&log.lines, noise);
        let fault =
            log.verdict(&bytes).fault.unwrap_or_else(|| panic!("way {way}: nothing found, {expected:?}"));
        assert_eq!((fault.line, fault.reason), expected, "way {way}: {fault}");
        match counts.iter_mut().find(|(word, _)| *word == fault.reason.word()) {
            Some((_, count)) => *count += 1,
            None => counts.push((fault.reason.word(), 1)),
        }
    }
    counts
}

fn key() -> Arc<AuditKey> {
    Arc::new(AuditKey::new(&[0x81; 32]).unwrap())
}

#[test]
fn a_log_of_200_lines_tampered_with_in_50_000_ways_never_passes() {
    // The attacker can write the file, after the machine has written it; the key of the chain is elsewhere.
    let mut noise = Noise(200);
    for (key, ways) in [(Some(key()), 25_000), (None, 25_000)] {
        let kind = if key.is_some() { "with a key" } else { "without" };
        let counts = try_all(&Log::of(key, 200), ways, &mut noise);
        println!("200 lines {kind}, {ways} ways, all named: {counts:?}");
    }
}

#[test]
fn a_log_of_10_000_lines_tampered_with_in_50_ways_never_passes() {
    // The attacker as above.
    let mut noise = Noise(10_000);
    let counts = try_all(&Log::of(Some(key()), 10_000), 50, &mut noise);
    println!("10000 lines, 50 ways, all named: {counts:?}");
}

#[test]
fn a_million_lines_are_verified() {
    const LINES: usize = 1_000_000;
    for key in [Some(key()), None] {
        let log = Log::of(key, LINES);
        let bytes = joined(&log.lines);
        #[allow(clippy::disallowed_types, reason = "as above")]
        let started = Instant::now();
        let verdict = log.verdict(&bytes);
        let seconds = started.elapsed().as_secs_f64();
        assert_eq!((verdict.lines, verdict.fault), (LINES as u64, None));
        let check = verdict.check.map_or("", Check::word);
        println!("{LINES} lines, {} MB, checked by {check}: {seconds:.2} s", bytes.len() / 1_000_000);
    }
}
