//! What became of a line, told by those that follow it. The log has no key, so that the attacker can make lines whose hash is right.

use super::*;
use crate::audit::{ACTION_BEGIN, Checkpoints, Verifier, forge};

/// Lines 1 to 6 of a log.
fn log() -> Vec<String> {
    let mut prev = [0; 32];
    let bodies = [forge::body(ACTION_BEGIN, "no key")].into_iter().chain((2..=6).map(|_| body()));
    (1..)
        .zip(bodies)
        .map(|(number, body)| {
            let line = forge::line(number, &prev, &body);
            prev = hash(&line);
            line
        })
        .collect()
}

fn body() -> String {
    forge::body("ui.click", "ok")
}

fn hash(line: &str) -> [u8; 32] {
    Line::parse(line.as_bytes()).unwrap().hash
}

/// A line whose hash is right and that links to no line of the log.
fn stray(number: u64) -> String {
    forge::line(number, &[9; 32], &body())
}

fn changed(line: &str) -> String {
    line.replace("allow", "denyd")
}

fn fault(lines: &[String]) -> Fault {
    let mut verifier = Verifier::new(None, Checkpoints::default());
    for line in lines {
        verifier.feed(format!("{line}\n").as_bytes());
    }
    verifier.end_file();
    verifier.finish().fault.unwrap()
}

/// What is found when these lines stand behind the third, of which the first is the bad one.
fn reason_behind_three(behind: &[String]) -> Reason {
    let fault = fault(&[&log()[..3], behind].concat());
    assert_eq!((fault.line, fault.number), (4, 4), "{fault}");
    fault.reason
}

#[test]
fn a_changed_text_is_told_from_a_changed_link() {
    let log = log();
    let detail = |line: String| fault(&[&log[..3], &[line]].concat()).detail;
    assert_eq!(detail(changed(&log[3])), "its hash is not the one of its content");
    assert_eq!(detail(stray(4)), "it does not go on where the line before ends");
}

#[test]
fn a_line_that_links_to_the_one_before_stands_where_it_was_written() {
    let prev = hash(&log()[2]);
    for number in [2, 5] {
        let renumbered = forge::line(number, &prev, &body());
        assert_eq!(reason_behind_three(&[renumbered]), Reason::Changed, "{number}");
    }
    assert_eq!(reason_behind_three(&[stray(2)]), Reason::Inserted);
    assert_eq!(reason_behind_three(&[stray(5)]), Reason::Deleted);
}

#[test]
fn only_the_expected_line_is_the_expected_line() {
    let log = log();
    let prev = hash(&log[2]);
    let garbage = "no line".to_owned();
    let reason = |later: String| reason_behind_three(&[garbage.clone(), later]);
    assert_eq!(reason(log[3].clone()), Reason::Inserted);
    assert_eq!(reason(forge::line(5, &prev, &body())), Reason::Changed, "another number");
    assert_eq!(reason(stray(4)), Reason::Changed, "another predecessor");
    assert_eq!(reason(changed(&log[3])), Reason::Changed, "another content");
}

#[test]
fn a_line_of_before_was_inserted_unless_the_log_goes_on_behind_it() {
    let log = log();
    let past = log[0].clone();
    let reason = |later: &[String]| reason_behind_three(&[core::slice::from_ref(&past), later].concat());
    assert_eq!(reason(&[]), Reason::Inserted);
    assert_eq!(reason(&log[4..]), Reason::Changed, "it was written over the fourth");
    assert_eq!(reason(&[log[4].clone(), changed(&log[5])]), Reason::Changed, "and another one was changed");
    assert_eq!(reason(&[log[1].clone()]), Reason::Inserted, "another line of before");
    assert_eq!(reason(&[stray(4)]), Reason::Inserted, "its number is none of later");
}

#[test]
fn lines_are_compared_as_far_and_as_often_as_the_bounds_say() {
    let past = log()[0].clone();
    let reason = |tries: u32, number: u64| {
        let wrong = (0..tries).map(|_| changed(&stray(4 + NEAR)));
        reason_behind_three(
            &[past.clone()].into_iter().chain(wrong).chain([stray(number)]).collect::<Vec<_>>(),
        )
    };
    assert_eq!(reason(0, 4 + NEAR), Reason::Changed, "the log goes on");
    assert_eq!(reason(0, 5 + NEAR), Reason::Inserted, "too far to tell");
    assert_eq!(reason(MAX_TRIES - 1, 4 + NEAR), Reason::Changed);
    assert_eq!(reason(MAX_TRIES, 4 + NEAR), Reason::Inserted, "too often");
    // What is farther than can be compared is believed to be of later.
    assert_eq!(reason_behind_three(&[stray(4 + FAR)]), Reason::Deleted);
    assert_eq!(reason_behind_three(&[stray(5 + FAR)]), Reason::Deleted);
    assert_eq!(reason_behind_three(&[changed(&stray(4 + FAR))]), Reason::Changed);
    assert_eq!(reason_behind_three(&[changed(&stray(5 + FAR))]), Reason::Deleted);
}

#[test]
fn a_first_line_is_looked_for_as_often_as_the_bound_says() {
    let rotates = changed(&forge::line(1_000, &[9; 32], &forge::body(ACTION_ROTATE, "no key")));
    let reason = |tries: u32| {
        let wrong = (0..tries).map(|_| rotates.clone());
        let fault = fault(&["no line".to_owned()].into_iter().chain(wrong).chain(log()).collect::<Vec<_>>());
        assert_eq!((fault.line, fault.number), (1, 1), "{fault}");
        fault.reason
    };
    assert_eq!(reason(MAX_TRIES), Reason::Inserted);
    assert_eq!(reason(MAX_TRIES + 1), Reason::Changed);
}
