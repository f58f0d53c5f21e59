//! What is mutated, and which tests must notice: the checks and all tests, or the memory orderings and the models.

use std::path::Path;
use std::process::Command;

/// The folders and files whose checks are removed: everything that a peer's bytes pass, a descriptor or a value in
/// shared memory included. `doorbell.rs` and `listener.rs` of crates/shm are system calls and their failures, which
/// no test can cause; `region/model.rs` is for the model checker.
const CHECKED: [&str; 13] = [
    "crates/core/src/audit/",
    "crates/core/src/crypto/",
    "crates/core/src/message/",
    "crates/core/src/session/",
    "crates/core/src/wire/",
    "crates/shm/src/handover/",
    "crates/shm/src/lanes/",
    "crates/shm/src/layout.rs",
    "crates/shm/src/map/",
    "crates/shm/src/region/bytes.rs",
    "crates/shm/src/region/heap.rs",
    "crates/shm/src/region/mod.rs",
    "crates/shm/src/ring/",
];
/// Code of another system, which no test here reaches, and tests.
const LEFT_ALONE: [&str; 2] = ["/windows.rs", "/tests.rs"];
/// Where memory orderings are weakened: everything that the models of crates/shm/tests/loom run through.
const ORDERED: [&str; 2] = ["crates/shm/src/lanes/", "crates/shm/src/ring/"];

/// A kind of mutants and the tests that must see each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    /// Checks that are removed, for all tests.
    Checks,
    /// Memory orderings that are weakened and fences that are removed, for the models: no other test sees them.
    Orderings,
}

impl Suite {
    /// Where the copy lies, below the repository.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Checks => "target/mutants",
            Self::Orderings => "target/orderings",
        }
    }

    /// Tells whether a file is to be mutated.
    pub(crate) fn mutates(self, path: &str) -> bool {
        let mutated = match self {
            Self::Checks => &CHECKED[..],
            Self::Orderings => &ORDERED[..],
        };
        mutated.iter().any(|folder| path.starts_with(folder))
            && !LEFT_ALONE.iter().any(|end| path.ends_with(end))
    }

    /// Returns the command that builds the tests, but for where it runs.
    pub(crate) fn build_command(self, root: &Path) -> Command {
        let mut command = Command::new(env!("CARGO"));
        command.args(["test", "--no-run", "--message-format", "json", "--target-dir"]);
        match self {
            Self::Checks => command
                .arg(root.join(self.folder()).join("build"))
                .args(["--workspace", "--tests"])
                // Fast enough for a million inputs, and quick to build; overflow is still checked.
                .envs([("CARGO_PROFILE_DEV_OPT_LEVEL", "1"), ("CARGO_PROFILE_DEV_DEBUG", "0")])
                .env("CARGO_INCREMENTAL", "0")
                .env("RUSTFLAGS", "--cap-lints=allow"),
            // As `make loom` builds them, so that what they depend on is built once.
            Self::Orderings => command
                .arg(root.join("target/loom"))
                .args(["--profile", "checked", "--package", "eipc-shm", "--test", "loom"])
                .env("RUSTFLAGS", "--cfg loom"),
        };
        command.env_remove("CARGO_TARGET_DIR");
        command
    }
}
