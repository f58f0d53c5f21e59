//! The copy of the workspace that holds all mutants.

use crate::Result;
use crate::constness::needed;
use crate::find::{Finder, Uncovered};
use crate::rewrite::Mutant;
use crate::suite::Suite;
use std::fs;
use std::path::{Path, PathBuf};

/// The crates that get the switch, and those copied as they are.
const SWITCHED: [&str; 2] = ["crates/core", "crates/shm"];
const COPIED: [&str; 1] = ["crates/testkit"];
/// What else the build and the tests read.
const FILES: [&str; 1] = ["Cargo.lock"];
const FOLDERS: [&str; 2] = ["test/vectors", "crates/fuzz/corpus"];
const SWITCH: &str = include_str!("../switch.rs");

/// What was found while the copy was made.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) mutants: Vec<Mutant>,
    pub(crate) uncovered: Vec<Uncovered>,
}

/// Copies the workspace at `root` to `copy`. Files that would not change are not touched, so that a second
/// build has nothing to do.
pub(crate) fn write(root: &Path, copy: &Path, suite: Suite) -> Result<Found> {
    let mut sources = Vec::new();
    for folder in SWITCHED.iter().chain(&COPIED) {
        for path in files_under(&root.join(folder))? {
            sources.push(Source::read(root, path)?);
        }
    }
    let parsed = sources.iter().filter_map(|source| source.syntax.as_ref());
    let needed = needed(parsed);
    let mut finder = Finder::new(&needed);
    for source in &sources {
        let text = match &source.syntax {
            Some(syntax) if suite.mutates(&source.path) => {
                finder.file(&source.path, &source.text, syntax, suite)
            }
            _ => source.text.clone(),
        };
        let is_root = SWITCHED.iter().any(|folder| source.path == format!("{folder}/src/lib.rs"));
        let text = if is_root { text + "\nmod mutant;\n" } else { text };
        write_if_new(&copy.join(&source.path), text.as_bytes())?;
    }
    if suite == Suite::Checks
        && let [row, ..] = finder.astray()[..]
    {
        return Err(format!("{}: `{}` of by_hand.rs is not there exactly once", row.file, row.check).into());
    }
    for folder in SWITCHED {
        let text = SWITCH.replace("COUNT", &finder.mutants.len().to_string());
        write_if_new(&copy.join(folder).join("src/mutant.rs"), text.as_bytes())?;
    }
    remove_others(copy, &sources)?;
    for file in FILES {
        write_if_new(&copy.join(file), &fs::read(root.join(file))?)?;
    }
    for folder in FOLDERS {
        for path in files_under(&root.join(folder))? {
            write_if_new(&copy.join(path.strip_prefix(root)?), &fs::read(&path)?)?;
        }
    }
    write_if_new(&copy.join("Cargo.toml"), manifest(root)?.as_bytes())?;
    Ok(Found { mutants: finder.mutants, uncovered: finder.uncovered })
}

/// The manifest of the workspace with no other members than those copied.
fn manifest(root: &Path) -> Result<String> {
    let text = fs::read_to_string(root.join("Cargo.toml"))?;
    let members: Vec<_> = SWITCHED.iter().chain(&COPIED).map(|folder| format!("\"{folder}\"")).collect();
    let line = text.lines().find(|line| line.starts_with("members = ")).ok_or("Cargo.toml has no members")?;
    Ok(text.replace(line, &format!("members = [{}]", members.join(", "))))
}

/// One file of a crate.
struct Source {
    /// Below the repository.
    path: String,
    text: String,
    /// `None` for what is not Rust.
    syntax: Option<syn::File>,
}

impl Source {
    fn read(root: &Path, path: PathBuf) -> Result<Self> {
        let text = fs::read_to_string(&path)?;
        let path = path.strip_prefix(root)?.to_string_lossy().into_owned();
        let syntax = match path.ends_with(".rs") {
            true => Some(syn::parse_file(&text).map_err(|error| format!("{path}: {error}"))?),
            false => None,
        };
        Ok(Self { path, text, syntax })
    }
}

/// All files under a folder, in one order on every machine.
fn files_under(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_under(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Removes from the copy what has gone from the repository: a file that was moved would stand there twice.
fn remove_others(copy: &Path, sources: &[Source]) -> Result<()> {
    for folder in SWITCHED.iter().chain(&COPIED) {
        for path in files_under(&copy.join(folder))? {
            let name = path.strip_prefix(copy)?.to_string_lossy().into_owned();
            if !name.ends_with("/src/mutant.rs") && sources.iter().all(|source| source.path != name) {
                fs::remove_file(&path)?;
            }
        }
    }
    Ok(())
}

fn write_if_new(path: &Path, text: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::write(path, text)?)
}
