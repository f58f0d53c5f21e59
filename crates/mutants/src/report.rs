//! What the run says: a row for every mutant, and what is wrong at the end.

use crate::equivalent::List;
use crate::find::Uncovered;
use crate::rewrite::Mutant;
use crate::trial::Fate;

/// How many mutants came to which end.
#[derive(Debug, Default)]
struct Counts {
    killed: usize,
    hung: usize,
    equivalent: usize,
    wrong: Vec<String>,
}

/// Prints a row for every mutant, and returns whether all is well: each one was killed, or is rightly listed as one
/// that cannot be.
pub(crate) fn print(judged: &[(&Mutant, Fate)], list: &List, uncovered: &[Uncovered], seconds: u64) -> bool {
    let mut counts = Counts::default();
    for (mutant, fate) in judged {
        let end = match (fate, list.find(mutant)) {
            (Fate::Killed(test), None) => {
                counts.killed += 1;
                format!("killed by {test}")
            }
            (Fate::Hung(test), None) => {
                counts.hung += 1;
                format!("killed by {test}, which did not end in time")
            }
            (Fate::Survived(_), Some(row)) => {
                counts.equivalent += 1;
                format!("cannot be seen: {}", row.why)
            }
            (Fate::Killed(test) | Fate::Hung(test), Some(_)) => {
                counts.wrong.push(format!("{mutant}\n    is listed in equivalent.txt, but {test} sees it"));
                format!("killed by {test}, although listed")
            }
            (Fate::Survived(tests), None) => {
                counts.wrong.push(format!("{mutant}\n    survives the {tests} tests that reach it"));
                "SURVIVED".to_owned()
            }
        };
        println!("{mutant}\n    {end}");
    }
    let Counts { killed, hung, equivalent, wrong } = counts;
    println!(
        "\n{} checks cannot be removed: what follows needs their value, or they are needed at compile time:",
        uncovered.len()
    );
    uncovered.iter().for_each(|left| println!("{}: `{}`", left.place, left.check));
    wrong.iter().for_each(|text| println!("\n{text}"));
    println!(
        "\n{} mutants: {} killed ({hung} of them by a time-out), {equivalent} that no test can see, {} wrong; {seconds} s",
        judged.len(),
        killed + hung,
        wrong.len(),
    );
    wrong.is_empty()
}
