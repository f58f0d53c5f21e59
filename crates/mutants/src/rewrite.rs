//! Mutants, and how a source text asks for them at run time.
//!
//! A text is only added to: every line keeps its number, and what a mutant changes stands beside what it
//! was. One build therefore holds all mutants.

use std::fmt;
use std::ops::Range;

/// One check removed or moved in one way.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    /// The path below the repository.
    pub(crate) file: String,
    /// Where the check begins.
    pub(crate) line: usize,
    /// The function it is in, with the type it belongs to.
    pub(crate) function: String,
    /// Its text on one line.
    pub(crate) check: String,
    /// What becomes of it.
    pub(crate) change: String,
}

impl Mutant {
    /// Returns the name that stays the same when lines move.
    pub(crate) fn name(&self) -> String {
        let Self { file, function, check, change, .. } = self;
        format!("{file} {function}: `{check}` {change}")
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, function, check, change } = self;
        write!(formatter, "{file}:{line} {function}: `{check}` {change}")
    }
}

/// Collects what is to be added to the text of one file.
#[derive(Debug, Default)]
pub(crate) struct Rewrite {
    edits: Vec<Edit>,
}

#[derive(Debug)]
struct Edit {
    at: Range<usize>,
    /// Where two edits stand at one place: ends before beginnings, and inner ones inside outer ones.
    rank: isize,
    text: String,
}

impl Rewrite {
    /// Puts `before` and `after` around the text at `at`. Of two around the same text the first is the outer.
    pub(crate) fn wrap(&mut self, at: &Range<usize>, before: String, after: String) {
        let rank = isize::try_from(self.edits.len()).unwrap_or(isize::MAX);
        self.edits.push(Edit { at: at.start..at.start, rank: rank + 1, text: before });
        self.edits.push(Edit { at: at.end..at.end, rank: -rank - 1, text: after });
    }

    /// Replaces the text at `at`, which nothing else may touch.
    pub(crate) fn replace(&mut self, at: Range<usize>, text: &str) {
        self.edits.push(Edit { at, rank: 0, text: text.to_owned() });
    }

    /// Returns the text with everything that was added.
    pub(crate) fn apply(mut self, source: &str) -> String {
        self.edits.sort_by_key(|edit| (edit.at.start, edit.rank));
        let mut out = String::with_capacity(source.len() * 2);
        let mut from = 0;
        for edit in &self.edits {
            out.push_str(source.get(from..edit.at.start).unwrap_or_default());
            out.push_str(&edit.text);
            from = edit.at.end;
        }
        out.push_str(source.get(from..).unwrap_or_default());
        out
    }
}

/// Asks whether a mutant is the active one.
pub(crate) fn switch(number: usize) -> String {
    format!("crate::mutant::on({number})")
}

/// Puts a text on one line, without comments.
pub(crate) fn one_line(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("// ").next().unwrap_or_default());
    lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_around_the_same_text_nests() {
        let mut rewrite = Rewrite::default();
        rewrite.wrap(&(0..5), "<1 ".into(), " 1>".into());
        rewrite.wrap(&(0..5), "<2 ".into(), " 2>".into());
        rewrite.wrap(&(0..1), "<3 ".into(), " 3>".into());
        rewrite.wrap(&(4..5), "<4 ".into(), " 4>".into());
        rewrite.replace(2..3, "||");
        assert_eq!(rewrite.apply("a + b;"), "<1 <2 <3 a 3> || <4 b 4> 2> 1>;");
    }

    #[test]
    fn a_text_on_one_line_has_no_comments() {
        assert_eq!(one_line("a ||\n    // why\n    b"), "a || b");
    }
}
