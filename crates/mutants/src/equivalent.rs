//! The list of mutants that no test can tell from the original: `equivalent.txt`.

use crate::Result;
use crate::rewrite::Mutant;

/// One row of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The mutant, as [`Mutant::name`] names it.
    pub(crate) name: String,
    /// Why no test can see it.
    pub(crate) why: String,
}

/// The whole list.
#[derive(Clone, Debug, Default)]
pub(crate) struct List(Vec<Row>);

impl List {
    /// Reads the list and compares it with the mutants there are.
    pub(crate) fn read(mutants: &[Mutant]) -> Result<Self> {
        Self::of(include_str!("../equivalent.txt"), mutants)
    }

    fn of(text: &str, mutants: &[Mutant]) -> Result<Self> {
        let list = Self(rows(text)?);
        let is_there = |row: &&Row| mutants.iter().any(|mutant| mutant.name() == row.name);
        match list.0.iter().find(|row| !is_there(row)) {
            Some(row) => Err(format!("equivalent.txt names a mutant that is not there: {}", row.name).into()),
            None => Ok(list),
        }
    }

    /// Finds the row of a mutant.
    pub(crate) fn find(&self, mutant: &Mutant) -> Option<&Row> {
        let name = mutant.name();
        self.0.iter().find(|row| row.name == name)
    }
}

fn rows(text: &str) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        match (line.strip_prefix("    "), rows.last_mut()) {
            (None, _) => rows.push(Row { name: line.to_owned(), why: String::new() }),
            (Some(why), Some(row)) => row.why = format!("{} {why}", row.why).trim().to_owned(),
            (Some(_), None) => return Err("equivalent.txt begins with an argument".into()),
        }
    }
    match rows.iter().find(|row| row.why.is_empty()) {
        Some(row) => Err(format!("equivalent.txt gives no argument for {}", row.name).into()),
        None => Ok(rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_name_and_an_argument() {
        let row = |name: &str, why: &str| Row { name: name.into(), why: why.into() };
        let text = "# comment\n\na.rs f: `x` is true\n    because of\n    this\n\nb.rs g: `y`\n    that\n";
        assert_eq!(
            rows(text).unwrap(),
            [row("a.rs f: `x` is true", "because of this"), row("b.rs g: `y`", "that")]
        );
        assert!(rows("a.rs f: `x`\nb.rs g: `y`\n    why\n").is_err());
        assert!(rows("    why\n").is_err());
    }

    #[test]
    fn a_row_that_names_no_mutant_is_an_error() {
        let mutant = Mutant {
            file: "a.rs".into(),
            line: 7,
            function: "f".into(),
            check: "x".into(),
            change: "is true".into(),
        };
        let row = "a.rs f: `x` is true\n    why\n";
        let list = List::of(row, std::slice::from_ref(&mutant)).unwrap();
        assert_eq!(list.find(&mutant).unwrap().why, "why");
        assert!(list.find(&Mutant { change: "is false".into(), ..mutant.clone() }).is_none());
        assert!(List::of(&row.replace("true", "false"), &[mutant]).is_err());
    }
}
