//! Deaths on order, for the crash tests: with the cargo feature `kill-points` a process ends itself by SIGKILL where the environment
//! says (docs/shm-abi.md, "Kill points"). Without it a kill point is nothing, not even an instruction.
//!
//! `EIPC_KILL=POINT:N` is death at the N-th pass of a point, `EIPC_KILL=POINT:wrap` at its first pass after a lane began to wrap. The last
//! thing the process does is to say so on stderr, with the time of the monotonic clock: `EIPC_KILL POINT:N NANOSECONDS`.

/// A kill point: `kill_point!("p-copied")`, with something to do only when it is the last: `kill_point!("p-mid-copy", …)`.
/// `kill_point!(wrap if …)` notes that a lane wraps.
macro_rules! kill_point {
    (wrap if $wraps:expr) => {
        #[cfg(feature = "kill-points")]
        if $wraps {
            $crate::kill::note_wrap();
        }
    };
    ($point:literal $(, $last_act:expr)?) => {
        #[cfg(feature = "kill-points")]
        if $crate::kill::is_due($point) {
            $(let _ = $last_act;)?
            $crate::kill::die();
        }
    };
}

#[cfg(feature = "kill-points")]
pub(crate) use armed::{die, is_due, note_wrap};

#[cfg(feature = "kill-points")]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};
    use rustix::time::{ClockId, clock_gettime};

    #[cfg(not(debug_assertions))]
    compile_error!("the feature `kill-points` is for tests: no release build has it");

    /// What `EIPC_KILL` says.
    struct Order {
        text: String,
        point: String,
        /// `None`: when a lane has wrapped.
        pass: Option<u64>,
    }

    /// Read once. A text that says nothing is a mistake in a test, which then fails because nobody dies.
    static ORDER: LazyLock<Option<Order>> = LazyLock::new(|| {
        let text = std::env::var("EIPC_KILL").ok()?;
        let (point, pass) = text.split_once(':')?;
        let pass = if pass == "wrap" { None } else { Some(pass.parse().ok()?) };
        Some(Order { point: point.to_owned(), pass, text })
    });
    static PASSES: AtomicU64 = AtomicU64::new(0);
    static HAS_WRAPPED: AtomicBool = AtomicBool::new(false);

    /// Counts a pass of this point. True if it is the last.
    pub(crate) fn is_due(point: &str) -> bool {
        let Some(order) = ORDER.as_ref().filter(|order| order.point == point) else { return false };
        let passes = PASSES.fetch_add(1, Ordering::Relaxed) + 1;
        order.pass.map_or_else(|| HAS_WRAPPED.load(Ordering::Relaxed), |pass| passes == pass)
    }

    pub(crate) fn note_wrap() {
        HAS_WRAPPED.store(true, Ordering::Relaxed);
    }

    /// Ends the process as the kernel ends any other: no destructor, no handler, nothing flushed.
    pub(crate) fn die() -> ! {
        let now = clock_gettime(ClockId::Monotonic);
        let order = ORDER.as_ref().map_or("", |order| &order.text);
        eprintln!("EIPC_KILL {order} {}", now.tv_sec * 1_000_000_000 + now.tv_nsec);
        let _ = kill_process(getpid(), Signal::KILL);
        std::process::abort() // not reached: the signal arrives before the call returns
    }
}
