//! What `benches/harness/native.js` asks for.

use std::error::Error;
use std::time::Duration;

use eipc_core::Suite;

const USAGE: &str = "usage: rust-shm SUITE MEASURE BYTES SECONDS WARM-UP ANSWERING-CORE DRIVING-CORE";

/// Frames that are published together: as the Node contestants have it.
const BATCH: u32 = 64;
/// What fits into the lane of features many times over.
const MOST_BYTES: usize = 1 << 17;

/// One point of the schedule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) suite: Suite,
    pub(crate) measure: Measure,
    /// Bytes of a payload.
    pub(crate) size: usize,
    pub(crate) measured: Duration,
    pub(crate) warm_up: Duration,
    /// `None`: anywhere.
    pub(crate) answering_core: Option<usize>,
    pub(crate) driving_core: Option<usize>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    RoundTrip,
    /// With so many frames published together.
    OneWay(u32),
}

impl Options {
    /// Reads the words behind the program's name.
    pub(crate) fn read(words: &[String]) -> Result<Self, Box<dyn Error>> {
        let [suite, measure, size, measured, warm_up, answering_core, driving_core] = words else {
            return Err(USAGE.into());
        };
        let size = size.parse()?;
        if !(crate::payload::LEAST_BYTES..=MOST_BYTES).contains(&size) {
            return Err(format!("a payload of {size} bytes; 16 to {MOST_BYTES} are possible").into());
        }
        Ok(Self {
            suite: suite_of(suite)?,
            measure: measure_of(measure)?,
            size,
            measured: Duration::try_from_secs_f64(measured.parse()?)?,
            warm_up: Duration::try_from_secs_f64(warm_up.parse()?)?,
            answering_core: answering_core.parse().ok(),
            driving_core: driving_core.parse().ok(),
        })
    }
}

fn suite_of(name: &str) -> Result<Suite, Box<dyn Error>> {
    match name {
        "hmac-sha256" => Ok(Suite::HmacSha256),
        "aes-256-gcm" => Ok(Suite::Aes256Gcm),
        "chacha20-poly1305" => Ok(Suite::ChaCha20Poly1305),
        name => Err(format!("there is no suite {name}").into()),
    }
}

fn measure_of(name: &str) -> Result<Measure, Box<dyn Error>> {
    match name {
        "round-trip" => Ok(Measure::RoundTrip),
        "one-way" => Ok(Measure::OneWay(1)),
        "one-way-batch" => Ok(Measure::OneWay(BATCH)),
        name => Err(format!("the Rust driver has no measure {name}").into()),
    }
}
