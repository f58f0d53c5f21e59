//! What the run says: a row for every mutant, and what is wrong at the end.

use crate::equivalent::{List, Row};
use crate::find::Uncovered;
use crate::rewrite::Mutant;
use crate::trial::Fate;

/// What is to be said of one mutant; an error is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Killed(String),
    Equivalent(String),
    Wrong(String),
}

impl Verdict {
    fn of(fate: &Fate, listed: Option<&Row>) -> Self {
        match (fate, listed) {
            (Fate::Killed(test), None) => Self::Killed(format!("killed by {test}")),
            (Fate::Hung(test), None) => Self::Killed(format!("killed by {test}, which did not end in time")),
            (Fate::Survived(_), Some(row)) => Self::Equivalent(format!("cannot be seen: {}", row.why)),
            (Fate::Killed(test) | Fate::Hung(test), Some(_)) => {
                Self::Wrong(format!("is listed in equivalent.txt, but {test} sees it"))
            }
            (Fate::Survived(tests), None) => Self::Wrong(format!("SURVIVED the {tests} tests that reach it")),
        }
    }
}

/// Prints a row for every mutant, and returns whether all is well: each one was killed, or is rightly listed as one
/// that cannot be.
pub(crate) fn print(judged: &[(&Mutant, Fate)], list: &List, uncovered: &[&Uncovered], seconds: u64) -> bool {
    let (mut killed, mut equivalent, mut wrong) = (0, 0, Vec::new());
    for (mutant, fate) in judged {
        let text = match Verdict::of(fate, list.find(mutant)) {
            Verdict::Killed(text) => {
                killed += 1;
                text
            }
            Verdict::Equivalent(text) => {
                equivalent += 1;
                text
            }
            Verdict::Wrong(text) => {
                wrong.push(format!("{mutant}\n    {text}"));
                text
            }
        };
        println!("{mutant}\n    {text}");
    }
    if !uncovered.is_empty() {
        println!(
            "\n{} checks cannot be removed: what follows needs their value, or they are needed at compile time",
            uncovered.len()
        );
    }
    uncovered.iter().for_each(|left| println!("{left}"));
    if !wrong.is_empty() {
        println!("\nWrong:\n{}", wrong.join("\n"));
    }
    let hung = judged.iter().filter(|(_, fate)| matches!(fate, Fate::Hung(_))).count();
    println!(
        "\n{} mutants: {killed} killed ({hung} by a time-out), {equivalent} that no test can see, {} wrong; {seconds} s",
        judged.len(),
        wrong.len(),
    );
    wrong.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_survivor_is_wrong_unless_listed_and_a_listed_one_is_wrong_if_killed() {
        let row = Row { name: "name".into(), why: "why".into() };
        let fates = [Fate::Killed("test".into()), Fate::Hung("test".into()), Fate::Survived(3)];
        let is_wrong =
            |listed| fates.each_ref().map(|fate| matches!(Verdict::of(fate, listed), Verdict::Wrong(_)));
        assert_eq!(is_wrong(None), [false, false, true]);
        assert_eq!(is_wrong(Some(&row)), [true, true, false]);
    }
}
