//! Which line may be the first of a log. The attacker has no key, and can make the hash of a line of a log that has none.

use super::*;
use crate::audit::forge;

fn refusal(text: &str) -> Option<NotFirst> {
    First::check(&Line::parse(text.as_bytes()).unwrap(), None, &mut Vec::new()).err()
}

#[test]
fn a_first_line_begins_a_log_or_a_file_of_one() {
    let (nothing, something) = ([0; 32], [9; 32]);
    for (number, prev, action, is_first) in [
        (1, nothing, ACTION_BEGIN, true),
        (2, nothing, ACTION_BEGIN, false),
        (1, something, ACTION_BEGIN, false),
        (1, nothing, "ui.click", false),
        (2, something, ACTION_ROTATE, true),
        (MAX_FIRST, something, ACTION_ROTATE, true),
        (1, something, ACTION_ROTATE, false),
        (MAX_FIRST + 1, something, ACTION_ROTATE, false),
        (2, something, "ui.click", false),
    ] {
        let line = forge::line(number, &prev, &forge::body(action, "no key"));
        assert_eq!(refusal(&line), (!is_first).then_some(NotFirst::Place), "{line}");
    }
}

#[test]
fn what_is_claimed_has_one_spelling() {
    // A line that claims a key is not checked by its hash where that key is not known.
    let claims =
        |claim: &str| forge::line(1, &[0; 32], &forge::body(ACTION_BEGIN, claim)).replace("allow", "denyd");
    for claim in ["key 0123456789abcdef", "key 0123456789abcdef; more"] {
        assert_eq!(refusal(&claims(claim)), None, "{claim}");
    }
    for claim in [
        "",
        "key",
        "key ",
        "no keys",
        "key 123456789abcdef",
        "key 00123456789abcdef",
        "key 0123456789abcdeF",
        "key +123456789abcdef",
        "key 0123456789abcdef ; more",
    ] {
        assert_eq!(refusal(&claims(claim)), Some(NotFirst::Claim), "{claim}");
    }
    assert_eq!(refusal(&claims("no key")), Some(NotFirst::Hash), "without a key the hash is what there is");
}
