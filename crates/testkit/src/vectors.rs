//! Reads `test/vectors/eipc2.json` and `eipc2-rejects.json`.
//!
//! Values only; what they prove is written in the tests that use them.

use serde_json::Value;
use std::path::Path;

/// One handshake with its secrets and frames.
#[derive(Clone, Debug)]
pub struct Vector(Value);

/// One frame of a vector.
#[derive(Clone, Debug)]
pub struct Frame(Value);

/// One frame that must be refused.
#[derive(Clone, Debug)]
pub struct Reject(Value);

/// Loads the vectors.
#[must_use]
pub fn eipc2() -> Vec<Vector> {
    rows(&load("eipc2.json"), "vectors").into_iter().map(Vector).collect()
}

/// Loads the data frames that must be refused.
#[must_use]
pub fn data_rejects() -> Vec<Reject> {
    rows(&load("eipc2-rejects.json"), "data").into_iter().map(Reject).collect()
}

/// Loads the hellos that must be refused.
#[must_use]
pub fn hello_rejects() -> Vec<Reject> {
    rows(&load("eipc2-rejects.json"), "hello").into_iter().map(Reject).collect()
}

/// Decodes hexadecimal digits.
#[must_use]
pub fn hex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2), "an odd number of digits");
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

macro_rules! fields {
    ($type:ident) => {
        impl $type {
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

            /// Returns a field that is a number, or text of digits.
            #[must_use]
            pub fn number(&self, field: &str) -> u64 {
                let value = &self.0[field];
                value
                    .as_u64()
                    .or_else(|| value.as_str()?.parse().ok())
                    .unwrap_or_else(|| panic!("no number {field}"))
            }
        }
    };
}

fields!(Vector);
fields!(Frame);
fields!(Reject);

impl Vector {
    /// Returns the frames in order.
    #[must_use]
    pub fn frames(&self) -> Vec<Frame> {
        rows(&self.0, "frames").into_iter().map(Frame).collect()
    }

    /// Returns a key or iv of an epoch.
    #[must_use]
    pub fn epoch(&self, epoch: u16, field: &str) -> Vec<u8> {
        hex(self.epoch_text(epoch, field))
    }

    /// Returns the hexadecimal digits of a key or iv of an epoch.
    #[must_use]
    pub fn epoch_text(&self, epoch: u16, field: &str) -> &str {
        self.0[format!("epoch_{epoch}")][field].as_str().unwrap()
    }
}

impl Frame {
    /// Returns the meta's field of that name, as text; `None` where the vector leaves it out.
    #[must_use]
    pub fn meta(&self, field: &str) -> Option<String> {
        match &self.0["meta"][field] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

impl Reject {
    /// Returns the frames the receiver takes first.
    #[must_use]
    pub fn accepted_first(&self) -> Vec<Vec<u8>> {
        rows(&self.0, "accepted_first").iter().map(|frame| hex(frame.as_str().unwrap())).collect()
    }
}

pub(crate) fn load(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/vectors").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn rows(value: &Value, field: &str) -> Vec<Value> {
    value[field].as_array().unwrap_or_else(|| panic!("no list {field}")).clone()
}
