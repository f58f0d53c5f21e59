//! Reads `test/vectors/frames.json`, `rejects.json` and `replay.json`.
//!
//! Values only; what they prove is written in the tests that use them.

use crate::vectors::{hex, load, rows};
use eipc_core::wire::header_v1::{HeaderV1, Timestamp};
use eipc_core::{PayloadFormat, Priority};
use serde_json::Value;

/// A frame with its parts.
#[derive(Clone, Debug)]
pub struct Frame(Value);

/// A frame that must be refused.
#[derive(Clone, Debug)]
pub struct Reject {
    /// What is wrong.
    pub name: String,
    /// The frame.
    pub frame: Vec<u8>,
    /// The name of the code without `EIPC_`.
    pub error: String,
}

/// Sequence numbers and whether each is fresh.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The size of the window.
    pub window: usize,
    /// The steps in order.
    pub steps: Vec<(u64, bool)>,
}

/// Loads the frames.
#[must_use]
pub fn frames() -> Vec<Frame> {
    rows(&load("frames.json"), "vectors").into_iter().map(Frame).collect()
}

/// Loads the frames that must be refused, and their key.
#[must_use]
pub fn rejects() -> (Vec<u8>, Vec<Reject>) {
    let file = load("rejects.json");
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let reject = |row: &Value| Reject {
        name: text(row, "name"),
        frame: hex(&text(row, "frame_hex")),
        error: text(row, "error"),
    };
    (hex(&text(&file, "key_hex")), rows(&file, "cases").iter().map(reject).collect())
}

/// Loads the sequences.
#[must_use]
pub fn replays() -> Vec<Replay> {
    let step = |row: &Value| (row[0].as_u64().unwrap(), row[1].as_bool().unwrap());
    let replay = |row: &Value| Replay {
        window: row["window"].as_u64().unwrap().try_into().unwrap(),
        steps: rows(row, "steps").iter().map(step).collect(),
    };
    rows(&load("replay.json"), "cases").iter().map(replay).collect()
}

impl Frame {
    /// Returns a field that is text.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_else(|| panic!("no text {field}"))
    }

    /// Returns a field of hexadecimal digits.
    #[must_use]
    pub fn bytes(&self, field: &str) -> Vec<u8> {
        hex(self.text(field))
    }

    /// Returns the flags byte.
    #[must_use]
    pub fn flags(&self) -> u64 {
        self.0["flags"].as_u64().unwrap()
    }

    /// Returns the header's fields.
    #[must_use]
    pub fn header(&self) -> HeaderV1<'_> {
        let header = &self.0["header"];
        let text = |field: &str| header[field].as_str().unwrap().into();
        let byte = |field: &str| header[field].as_u64().unwrap().try_into().unwrap();
        HeaderV1 {
            service_id: text("service_id"),
            session_id: text("session_id"),
            request_id: text("request_id"),
            sequence: header["sequence"].as_str().unwrap().parse().unwrap(),
            timestamp: Timestamp::parse(header["timestamp"].as_str().unwrap()).unwrap(),
            priority: Priority::from_byte(byte("priority")).unwrap(),
            capability: text("capability"),
            route: text("route"),
            payload_format: PayloadFormat::from_byte(byte("payload_format")).unwrap(),
        }
    }
}
