//! What `eipc inspect` shows of a frame: the core's findings with JavaScript's types.

use eipc_core::session::inspect::{Field, InspectionKeys, Tag, Value, inspect};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::key::NativeKey;

/// What was found in a frame.
#[napi(object, object_from_js = false)]
pub struct NativeInspection {
    /// What could be read, in the order of the bytes.
    pub fields: Vec<NativeField>,
    /// `absent`, `unverified`, `verified` or `wrong`.
    #[napi(ts_type = "'absent' | 'unverified' | 'verified' | 'wrong'")]
    pub tag: String,
    /// The first thing that is wrong.
    pub fault: Option<NativeFault>,
}

/// A field and where it stands.
#[napi(object, object_from_js = false)]
pub struct NativeField {
    /// Its name in docs/wire.md.
    pub name: String,
    /// Its first byte.
    pub at: u32,
    /// Its bytes.
    pub length: u32,
    /// What it says; absent: nothing but its bytes.
    pub value: Option<Either<BigInt, String>>,
}

/// Something that is wrong.
#[napi(object, object_from_js = false)]
pub struct NativeFault {
    /// The first byte of it.
    pub at: u32,
    /// The number of the error table.
    pub code: i32,
    /// What was seen; may be empty.
    pub context: String,
}

impl NativeField {
    fn new(field: Field) -> Self {
        let value = match field.value {
            Value::Number(number) => Some(Either::A(number.into())),
            Value::Text(text) => Some(Either::B(text)),
            Value::Bytes => None,
        };
        Self { name: field.name.to_owned(), at: place(field.at), length: place(field.len), value }
    }
}

/// Looks at one frame without the stream's length.
#[napi]
#[must_use]
pub fn inspect_frame(frame: &[u8], key: Option<&NativeKey>) -> NativeInspection {
    let psk = key.and_then(|key| key.psk().ok());
    let keys = InspectionKeys { v1: key.map(NativeKey::v1_ref), psk: psk.as_deref() };
    let found = inspect(&mut frame.to_vec(), keys);
    NativeInspection {
        fields: found.fields.into_iter().map(NativeField::new).collect(),
        tag: match found.tag {
            Tag::Absent => "absent",
            Tag::Unverified => "unverified",
            Tag::Verified => "verified",
            Tag::Wrong => "wrong",
        }
        .to_owned(),
        fault: found.fault.map(|fault| NativeFault {
            at: place(fault.at),
            code: fault.error.code.value(),
            context: fault.error.context.into_owned(),
        }),
    }
}

/// A place that JavaScript's readers take; no input is that long.
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
