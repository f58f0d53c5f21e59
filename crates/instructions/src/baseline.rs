//! The committed counts, the tools they belong to, and the comparison.

use std::fmt;
use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::count::Counts;
use crate::step::STEPS;

/// Parts in a hundred by which a step may grow or shrink unnoticed.
const TOLERANCE: u64 = 3;

/// What was counted before, and with what.
pub(crate) struct Baseline {
    tools: String,
    counts: Counts,
}

/// A comparison.
pub(crate) struct Report {
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    before: u64,
    now: u64,
}

impl Row {
    fn is_dearer(&self) -> bool {
        self.now * 100 > self.before * (100 + TOLERANCE)
    }

    fn is_cheaper(&self) -> bool {
        self.now * 100 < self.before * (100 - TOLERANCE)
    }
}

impl Baseline {
    pub(crate) fn read() -> Result<Self> {
        let text = std::fs::read_to_string(path())?;
        let mut lines = text.lines();
        let tools = lines.next().unwrap_or_default().to_owned();
        let counts = lines
            .map(|line| {
                let (name, count) = line.split_once(' ').ok_or_else(|| format!("not a count: {line}"))?;
                Ok((name.to_owned(), count.trim().parse()?))
            })
            .collect::<Result<Counts>>()?;
        Ok(Self { tools, counts })
    }

    pub(crate) fn write(counts: &Counts) -> Result<()> {
        let lines: String = STEPS
            .iter()
            .map(|step| format!("{} {}\n", step.name, counts.get(step.name).unwrap_or(&0)))
            .collect();
        Ok(std::fs::write(path(), format!("{}\n{lines}", tools()))?)
    }

    /// Why counts taken here cannot be compared with these: other tools count otherwise.
    pub(crate) fn difference(&self) -> Option<String> {
        let here = tools();
        (self.tools != here).then(|| format!("the baseline is of {}, here is {here}", self.tools))
    }

    pub(crate) fn compare(&self, now: &Counts) -> Report {
        let count = |counts: &Counts, name: &str| counts.get(name).copied().unwrap_or_default();
        let row = |name| Row { name, before: count(&self.counts, name), now: count(now, name) };
        Report { rows: STEPS.iter().map(|step| row(step.name)).collect() }
    }
}

impl Report {
    /// Whether every step costs what it did. One that got much cheaper needs a new baseline, or it may grow back unnoticed.
    pub(crate) fn is_within_tolerance(&self) -> bool {
        !self.rows.iter().any(|row| row.is_dearer() || row.is_cheaper())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<16} {:>9} {:>9}  instructions per message", "step", "baseline", "now")?;
        for row in &self.rows {
            let verdict = match row {
                row if row.is_dearer() => "  DEARER",
                row if row.is_cheaper() => "  cheaper: make instructions-record",
                _ => "",
            };
            writeln!(f, "{:<16} {:>9} {:>9}{verdict}", row.name, row.before, row.now)?;
        }
        write!(f, "{} steps, tolerance {TOLERANCE} %", self.rows.len())
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("baseline.txt")
}

/// Compiler, machine and counter. The C library chooses its copies by the processor, which valgrind presents the same everywhere.
fn tools() -> String {
    let version = |tool: &str, flag: &str| {
        let output = Command::new(tool).arg(flag).output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        text.unwrap_or_else(|_| format!("no {tool}"))
    };
    let rustc = version("rustc", "--version");
    let release = rustc.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    format!("{release}, {}, {}", std::env::consts::ARCH, version("valgrind", "--version"))
}
