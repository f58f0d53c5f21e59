//! The test programs of the copy: built once, asked for their tests.

use crate::Result;
use crate::suite::Suite;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One test of one program.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    /// The program.
    pub(crate) program: PathBuf,
    /// The folder of its crate, where it runs.
    pub(crate) folder: PathBuf,
    /// The name of the program's target.
    pub(crate) target: String,
    /// The name of the test in the program.
    pub(crate) name: String,
}

/// Builds the test programs of the copy of the workspace at `root` and returns their tests.
pub(crate) fn build(copy: &Path, root: &Path, suite: Suite) -> Result<Vec<Test>> {
    let output = suite.build_command(root).current_dir(copy).stderr(Stdio::inherit()).output()?;
    let messages = String::from_utf8(output.stdout)?;
    let mut tests = Vec::new();
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line)?;
        if let Some(rendered) = message.pointer("/message/rendered").and_then(Value::as_str)
            && message.pointer("/message/level").and_then(Value::as_str) == Some("error")
        {
            eprintln!("{rendered}");
        }
        let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
        if let (Some(program), Some(target), Some(manifest)) =
            (text("/executable"), text("/target/name"), text("/manifest_path"))
        {
            let folder = Path::new(manifest).parent().ok_or("a manifest without a folder")?;
            tests.extend(tests_of(Path::new(program), folder, target)?);
        }
    }
    if !output.status.success() {
        return Err("the copy with all mutants does not build".into());
    }
    Ok(tests)
}

fn tests_of(program: &Path, folder: &Path, target: &str) -> Result<Vec<Test>> {
    let output = Command::new(program).args(["--list", "--format", "terse"]).current_dir(folder).output()?;
    let list = String::from_utf8(output.stdout)?;
    let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(names
        .map(|name| Test {
            program: program.to_owned(),
            folder: folder.to_owned(),
            target: target.to_owned(),
            name: name.to_owned(),
        })
        .collect())
}
