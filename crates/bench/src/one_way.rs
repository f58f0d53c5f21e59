//! One-way throughput: the sink checks every message and confirms the total once it has the last
//! (`benches/harness/measures/one-way.js`).

use std::error::Error;
use std::hint;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::link::Link;
use crate::options::Options;
use crate::payload;

/// The clock is read once for so many messages.
const CLOCK_EVERY: u32 = 64;
/// Spins of a sink that has taken everything; benches/floor/one-way.c says why.
const REST: u32 = 500;

/// Counts and checks, until the other process ends.
pub(crate) fn count(link: &mut Link, size: usize) -> Result<(), Box<dyn Error>> {
    let mut confirmation = payload::make(size);
    let mut expected = 0;
    loop {
        link.wait()?;
        while let Some((counter, is_last)) = link.take(check(size))? {
            if counter != Some(expected) {
                return Err(format!("message {expected} was due, {counter:?} came").into());
            }
            expected = expected.wrapping_add(1);
            if is_last {
                payload::stamp(&mut confirmation, expected, true);
                expected = 0;
                link.send(&confirmation, 1)?;
            }
        }
        link.release()?;
        for _ in 0..REST {
            hint::spin_loop();
        }
    }
}

/// The counter of a payload that has its length and both counters.
fn check(size: usize) -> impl FnOnce(&[u8]) -> (Option<u32>, bool) {
    move |payload| (payload::counter_of(payload).filter(|_| payload.len() == size), payload::is_last(payload))
}

/// Measures, and returns the result in the shape of the harness.
pub(crate) fn drive(link: &mut Link, options: &Options, batch: u32) -> Result<Value, Box<dyn Error>> {
    burst(link, options.size, options.warm_up, batch)?;
    let (messages, elapsed) = burst(link, options.size, options.measured, batch)?;
    let bytes = f64::from(messages) * f64::from(u32::try_from(options.size)?);
    Ok(json!({
        "messages": messages,
        "seconds": elapsed.as_secs_f64(),
        "perSecond": f64::from(messages) / elapsed.as_secs_f64(),
        "bytesPerSecond": bytes / elapsed.as_secs_f64(),
    }))
}

fn burst(
    link: &mut Link,
    size: usize,
    duration: Duration,
    batch: u32,
) -> Result<(u32, Duration), Box<dyn Error>> {
    let mut payload = payload::make(size);
    let started_at = Instant::now();
    let mut counter = 0_u32;
    let mut is_over = false;
    while !is_over {
        is_over = counter.is_multiple_of(CLOCK_EVERY) && started_at.elapsed() >= duration;
        payload::stamp(&mut payload, counter, is_over);
        link.send(&payload, batch)?;
        counter = counter.wrapping_add(1);
    }
    link.flush()?;
    link.wait()?;
    let confirmed = link.take(check(size))?;
    let elapsed = started_at.elapsed();
    link.release()?;
    if confirmed != Some((Some(counter), true)) {
        return Err(format!("{counter} messages were sent, the sink confirmed {confirmed:?}").into());
    }
    Ok((counter, elapsed))
}
