//! Finds the checks of a source file and writes the mutants of each into its text.
//!
//! What counts as a check is told by its form ([`verdict`]). The rules, which [`walk`] applies:
//! - a condition whose branch refuses is false; one whose other branch refuses, or whose own accepts early, is true;
//! - each operand of `||` is false and of `&&` is true;
//! - each `<`, `<=`, `>`, `>=` and each end of a range given to `contains` is moved by one ([`calls`]);
//! - a failure that `?` only passes on, or that a function returning `Result<()>` ends in, is ignored;
//! - what a function returning `bool` answers, what a predicate answers, and what a variable or field is given that
//!   asks a question, is true, and is false;
//! - `then` and `then_some` let everything pass; `min`, `max` and `clamp` bound nothing ([`calls`]);
//! - a guard is false, and is true; an arm that refuses is skipped, or does what another does ([`arms`]);
//! - a few are written by hand ([`crate::by_hand`]).
//!
//! Memory orderings have rules of their own ([`orderings`]).

mod arms;
mod calls;
mod orderings;
mod verdict;
mod walk;

use crate::by_hand::{BY_HAND, ByHand};
use crate::constness::Name;
use crate::rewrite::{Mutant, Rewrite, one_line, switch};
use crate::suite::Suite;
use proc_macro2::Span;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use syn::visit::Visit as _;

/// A check that no rule can remove: what follows needs its value, or it is needed at compile time.
#[derive(Clone, Debug)]
pub(crate) struct Uncovered {
    /// File and line.
    pub(crate) place: String,
    /// Its text on one line.
    pub(crate) check: String,
}

impl fmt::Display for Uncovered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: `{}`", self.place, self.check)
    }
}

/// Reads one file after the other and numbers their mutants.
pub(crate) struct Finder<'n> {
    file: String,
    source: String,
    implemented: Option<String>,
    functions: Vec<String>,
    /// The functions that must stay `const`.
    needed: &'n BTreeSet<Name>,
    is_const: bool,
    rewrite: Rewrite,
    seen: BTreeSet<(usize, usize, String)>,
    /// What of [`BY_HAND`] was found, again for each time.
    by_hand: Vec<usize>,
    /// All mutants so far; the number of each is its place here.
    pub(crate) mutants: Vec<Mutant>,
    /// What is left out.
    pub(crate) uncovered: Vec<Uncovered>,
}

impl<'n> Finder<'n> {
    pub(crate) fn new(needed: &'n BTreeSet<Name>) -> Self {
        Self {
            file: String::new(),
            source: String::new(),
            implemented: None,
            functions: Vec::new(),
            needed,
            is_const: false,
            rewrite: Rewrite::default(),
            seen: BTreeSet::new(),
            by_hand: Vec::new(),
            mutants: Vec::new(),
            uncovered: Vec::new(),
        }
    }

    /// Finds the mutants of a file and returns its text with all of them.
    pub(crate) fn file(&mut self, path: &str, source: &str, file: &syn::File, suite: Suite) -> String {
        self.file = path.to_owned();
        self.source = source.to_owned();
        self.seen.clear();
        match suite {
            Suite::Checks => self.visit_file(file),
            Suite::Orderings => orderings::find(self, file),
        }
        std::mem::take(&mut self.rewrite).apply(source)
    }

    fn text(&self, span: Span) -> String {
        one_line(self.source.get(span.byte_range()).unwrap_or_default())
    }

    /// Puts a mutant around the code at `span`: `around` is asked with the mutant's switch what stands before
    /// and behind it.
    fn mutate(&mut self, span: Span, change: &str, around: impl FnOnce(&str) -> (String, String)) {
        let check = self.text(span);
        self.mutate_as(&check, span, change, around);
    }

    /// As [`Finder::mutate`], for a check that is named by another text than that at `span`.
    fn mutate_as(
        &mut self,
        check: &str,
        span: Span,
        change: &str,
        around: impl FnOnce(&str) -> (String, String),
    ) {
        let Range { start, end } = span.byte_range();
        if self.is_const {
            self.leave(span);
        } else if self.seen.insert((start, end, change.to_owned())) {
            let (before, after) = around(&switch(self.mutants.len()));
            self.rewrite.wrap(&(start..end), before, after);
            let names = self.implemented.iter().chain(&self.functions).map(String::as_str);
            self.mutants.push(Mutant {
                file: self.file.clone(),
                line: span.start().line,
                function: names.collect::<Vec<_>>().join("::"),
                check: check.to_owned(),
                change: change.to_owned(),
            });
        }
    }

    /// While the mutant is active, the expression `instead` stands in for the one at `span`.
    fn replace(&mut self, span: Span, change: &str, instead: &str) {
        self.mutate(span, change, |on| (format!("(if {on} {{ {instead} }} else {{ "), " })".into()));
    }

    /// The rows of [`BY_HAND`] that were not found, or more than once.
    pub(crate) fn astray(&self) -> Vec<&'static ByHand> {
        let times = |at: usize| self.by_hand.iter().filter(|found| **found == at).count();
        BY_HAND.iter().enumerate().filter(|(at, _)| times(*at) != 1).map(|(_, row)| row).collect()
    }

    fn leave(&mut self, span: Span) {
        let check = self.text(span);
        let is_by_hand = |row: &ByHand| row.file == self.file && check.contains(row.check);
        if !BY_HAND.iter().any(is_by_hand) {
            let place = format!("{}:{}", self.file, span.start().line);
            self.uncovered.push(Uncovered { place, check });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checks found in a text and what becomes of each. The text with all mutants must still be Rust.
    fn found(text: &str) -> Vec<String> {
        found_of(Suite::Checks, text)
    }

    fn found_of(suite: Suite, text: &str) -> Vec<String> {
        let needed = BTreeSet::new();
        let mut finder = Finder::new(&needed);
        let rewritten = finder.file("a.rs", text, &syn::parse_file(text).unwrap(), suite);
        syn::parse_file(&rewritten).unwrap_or_else(|error| panic!("{error}: {rewritten}"));
        assert_eq!(text.lines().count(), rewritten.lines().count(), "every line keeps its number");
        finder.mutants.iter().map(|mutant| format!("{} {}", mutant.check, mutant.change)).collect()
    }

    #[test]
    fn conditions_that_refuse_are_false_and_those_that_accept_are_true() {
        assert_eq!(found("fn f() -> R { if a { return Err(x); } g() }"), ["a is false"]);
        assert_eq!(
            found("fn f() -> R { if let Some(x) = a { return Err(x); } g() }"),
            ["let Some(x) = a is false"]
        );
        assert_eq!(found("fn f() -> R { if a { g() } else { Err(x) } }"), ["a is true"]);
        assert_eq!(found("fn f() -> R { if a { return Ok(x); } g() }"), ["a is true"]);
        assert_eq!(found("fn f() -> R { if a { g(); } h() }"), [""; 0]);
    }

    #[test]
    fn operands_and_bounds_are_moved_one_at_a_time() {
        assert_eq!(
            found("fn f() { let x = g(a < b && c && !(d || e >= 1)); }"),
            [
                "!(d || e >= 1) is true",
                "a < b is true",
                "c is true",
                "a < b is <=",
                "d is false",
                "e >= 1 is false",
                "e >= 1 is >"
            ]
        );
        let ends = |text: &str| found(&format!("fn f() -> u8 {{ g({text}.contains(&x)) }}"));
        assert_eq!(
            ends("(1..=9)"),
            ["(1..=9).contains(&x) is without its end", "(1..=9).contains(&x) is without its start"]
        );
        assert_eq!(
            ends("(1..9)"),
            ["(1..9).contains(&x) is with its end", "(1..9).contains(&x) is without its start"]
        );
        assert_eq!(
            found("fn f() -> u8 { a.min(b).clamp(c, d) }"),
            ["a.min(b).clamp(c, d) has no clamp", "a.min(b) has no min"]
        );
    }

    #[test]
    fn failures_are_ignored_where_no_value_is_needed() {
        assert_eq!(found("fn f() -> R { a()?; let x = b()?; c(x) }"), ["a()? is ignored"]);
        assert_eq!(
            found("fn f() -> Result<()> { if x == 1 { return a(); } b() }"),
            ["b() is ignored", "a() is ignored"]
        );
        assert_eq!(found("fn f() -> Result<()> { Ok(()) }"), [""; 0]);
    }

    #[test]
    fn questions_are_answered_both_ways() {
        let both = |check: &str| [format!("{check} is true"), format!("{check} is false")];
        assert_eq!(found("fn f() -> bool { g(1) }"), both("g(1)"));
        assert_eq!(found("fn f() -> bool { match a { 1 => true, _ => g() } }"), both("g()"));
        assert_eq!(found("fn f() { let x = a == b; }"), both("a == b"));
        assert_eq!(found("fn f() { self.x = y.is_err(); }"), both("y.is_err()"));
        assert_eq!(found("fn f() -> S { S { x: a.contains(b), y } }"), both("a.contains(b)"));
        assert_eq!(found("fn f() -> O { a.filter(|x| x.g()) }"), both("x.g()"));
        assert_eq!(
            found("fn f() -> O { g(a.all(u8::is_ascii_digit)) }"),
            ["a.all(u8::is_ascii_digit) takes u8 :: is_ascii_digit for true"]
        );
        assert_eq!(found("fn f() -> O { a.then_some(b) }"), ["a is true"]);
    }

    #[test]
    fn arms_that_refuse_are_skipped_or_taken_for_others() {
        assert_eq!(
            found(
                "fn f() -> R { match a { A if b => g(), Some(0) => Err(x), Some(y) => h(y), None => return Err(z) } }"
            ),
            ["b is false", "b is true", "Some(0) is skipped"]
        );
        assert_eq!(
            found("fn f() -> R { match a { 1 => Ok(b), 2 | 3 => Ok(c), _ => Err(x) } }"),
            ["_ => Err(x) is taken for 1"]
        );
    }

    #[test]
    fn tests_and_what_is_needed_at_compile_time_are_left_alone() {
        let text =
            "#[cfg(test)] mod tests { fn f() -> bool { g() } } impl Debug for T { fn f() -> bool { g() } }";
        assert_eq!(found(text), [""; 0]);
        let text = "impl T { const fn f(self) -> bool { self.0 == 1 } }";
        for (needed, mutants, left) in [(vec![], 2, 0), (vec![("T".to_owned(), "f".to_owned())], 0, 2)] {
            let needed = needed.into_iter().collect();
            let mut finder = Finder::new(&needed);
            let rewritten = finder.file("a.rs", text, &syn::parse_file(text).unwrap(), Suite::Checks);
            assert_eq!((finder.mutants.len(), finder.uncovered.len()), (mutants, left));
            assert_eq!(rewritten.contains("const fn"), left > 0);
        }
    }

    #[test]
    fn orderings_are_weakened_by_one_step_and_fences_removed() {
        let orderings = |text: &str| found_of(Suite::Orderings, &format!("fn f() {{ {text} }}"));
        assert_eq!(orderings("a.load(Ordering::Relaxed);"), [""; 0]);
        assert_eq!(orderings("a.load(Ordering::Acquire);"), ["a.load(Ordering::Acquire) is Relaxed"]);
        assert_eq!(orderings("a.load(SeqCst);"), ["a.load(SeqCst) is Acquire"]);
        assert_eq!(orderings("a.store(1, Ordering::SeqCst);"), ["a.store(1, Ordering::SeqCst) is Release"]);
        assert_eq!(
            orderings("a.swap(1, Ordering::AcqRel);"),
            ["a.swap(1, Ordering::AcqRel) is Acquire", "a.swap(1, Ordering::AcqRel) is Release"]
        );
        assert_eq!(
            orderings("fence(Ordering::SeqCst);"),
            ["fence(Ordering::SeqCst) is removed", "fence(Ordering::SeqCst) is AcqRel"]
        );
        assert_eq!(orderings("fence(Ordering::Acquire);"), ["fence(Ordering::Acquire) is removed"]);
        assert_eq!(
            found_of(Suite::Orderings, "#[cfg(test)] mod tests { fn f() { fence(Ordering::SeqCst); } }"),
            [""; 0]
        );
    }
}
