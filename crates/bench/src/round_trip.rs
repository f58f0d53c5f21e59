//! Ping-pong: one message under way, every echo compared with what was sent (`benches/harness/measures/round-trip.js`).

use std::error::Error;
use std::time::Instant;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::link::Link;
use crate::options::Options;
use crate::payload;

/// Sends everything back, until the other process ends.
pub(crate) fn echo(link: &mut Link, size: usize) -> Result<(), Box<dyn Error>> {
    let mut payload = payload::make(size);
    loop {
        link.wait()?;
        let received = link.take(|received| {
            if let Some(payload) = payload.get_mut(..received.len()) {
                payload.copy_from_slice(received);
            }
            received.len()
        })?;
        link.release()?;
        if received != Some(size) {
            return Err(format!("a message of {received:?} bytes came").into());
        }
        link.send(&payload, 1)?;
    }
}

/// Measures, and returns the result in the shape of the harness.
pub(crate) fn drive(link: &mut Link, options: &Options) -> Result<Value, Box<dyn Error>> {
    let mut histogram = Histogram::<u64>::new(3)?;
    let mut ping = payload::make(options.size);
    let measured_from = Instant::now() + options.warm_up;
    let end = measured_from + options.measured;
    let mut received_at = Instant::now();
    let mut counter = 0;
    while received_at < end || histogram.is_empty() {
        payload::stamp(&mut ping, counter, false);
        let sent_at = Instant::now();
        link.send(&ping, 1)?;
        link.wait()?;
        let is_right = link.take(|echo| {
            received_at = Instant::now();
            echo == ping
        })?;
        link.release()?;
        if is_right != Some(true) {
            return Err(format!("the echo of message {counter} differs from what was sent").into());
        }
        if sent_at >= measured_from {
            histogram.record(u64::try_from((received_at - sent_at).as_nanos())?)?;
        }
        counter = counter.wrapping_add(1);
    }
    Ok(json!({
        "samples": histogram.len(),
        "min": histogram.min(),
        "mean": histogram.mean(),
        "p50": histogram.value_at_quantile(0.5),
        "p90": histogram.value_at_quantile(0.9),
        "p99": histogram.value_at_quantile(0.99),
        "p999": histogram.value_at_quantile(0.999),
        "max": histogram.max(),
    }))
}
