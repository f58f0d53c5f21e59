//! Runs single tests: without any mutant to learn what each reaches and how long it takes, then with one.

use crate::Result;
use crate::programs::Test;
use std::collections::BTreeSet;
use std::os::unix::process::CommandExt as _;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A test, how long it takes and which checks it reaches.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) test: Test,
    pub(crate) time: Duration,
    pub(crate) reaches: BTreeSet<usize>,
}

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// This test failed.
    Killed(String),
    /// This test did not end in time.
    Hung(String),
    /// So many tests reach the check, and none failed.
    Survived(usize),
}

/// How many run at once.
const WORKERS: usize = 2;
/// A test may take this much longer than it did without a mutant.
const SLOWER: u32 = 20;
/// And this much more: a busy machine is not a hanging test.
const GRACE: Duration = Duration::from_secs(10);
/// What a test may take of memory, in KiB: a loop without an end must not take all there is.
const MEMORY_KIB: &str = "4000000";

/// Runs every test alone and without a mutant.
pub(crate) fn learn(tests: Vec<Test>, folder: &Path) -> Result<Vec<Known>> {
    let known = in_parallel(&tests, |at, test| {
        let record = folder.join(format!("reached-{at}"));
        let _ = std::fs::remove_file(&record);
        let started = Instant::now();
        let end = run(test, "EIPC_MUTANTS_REACHED", &record.to_string_lossy(), Duration::from_secs(600));
        let time = started.elapsed();
        let reached = std::fs::read_to_string(&record).unwrap_or_default();
        let reaches = reached.lines().filter_map(|line| line.parse().ok()).collect();
        let _ = std::fs::remove_file(&record);
        (end, Known { test: test.clone(), time, reaches })
    });
    let mut all = Vec::new();
    for (end, known) in known {
        match end? {
            End::Passed => all.push(known),
            End::Failed | End::Hung => {
                return Err(format!("{} fails although no check is removed", known.test.label()).into());
            }
        }
    }
    all.sort_by_key(|known| known.time);
    Ok(all)
}

/// Runs the tests that reach each of `mutants`, quickest first, until one fails.
pub(crate) fn judge(mutants: &[usize], known: &[Known]) -> Result<Vec<Fate>> {
    in_parallel(mutants, |_, &mutant| fate_of(mutant, known)).into_iter().collect()
}

fn fate_of(mutant: usize, known: &[Known]) -> Result<Fate> {
    let reaching: Vec<_> = known.iter().filter(|known| known.reaches.contains(&mutant)).collect();
    for Known { test, time, .. } in &reaching {
        match run(test, "EIPC_MUTANT", &mutant.to_string(), *time * SLOWER + GRACE)? {
            End::Passed => {}
            End::Failed => return Ok(Fate::Killed(test.label())),
            End::Hung => return Ok(Fate::Hung(test.label())),
        }
    }
    Ok(Fate::Survived(reaching.len()))
}

enum End {
    Passed,
    Failed,
    Hung,
}

fn run(test: &Test, variable: &str, value: &str, limit: Duration) -> Result<End> {
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -v {MEMORY_KIB} && exec \"$0\" \"$@\"")])
        .arg(&test.program)
        .args([&test.name, "--exact", "--test-threads=1"])
        .current_dir(&test.folder)
        .process_group(0)
        .env(variable, value)
        // The same cases in every run, and none kept or made smaller.
        .envs([("PROPTEST_RNG_SEED", "1"), ("PROPTEST_MAX_SHRINK_ITERS", "0")])
        .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(if status.success() { End::Passed } else { End::Failed });
        }
        if started.elapsed() > limit {
            // The whole group: some tests have processes of their own.
            let group = format!("-{}", child.id());
            Command::new("kill").args(["-KILL", "--", &group]).status()?;
            child.wait()?;
            return Ok(End::Hung);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Does `work` for all of `items`, a few at once; the results keep their order.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut done = Vec::new();
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        let Some(item) = items.get(at) else { return done };
                        done.push((at, work(at, item)));
                    }
                })
            })
            .collect();
        let joined =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
        joined.flatten().collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

impl Test {
    /// How the report names a test.
    pub(crate) fn label(&self) -> String {
        format!("{} {}", self.target, self.name)
    }
}
