//! Verifies an audit log that TypeScript reads.

use eipc_core::audit::{Checkpoints, Verdict, Verifier};
use eipc_core::{Code, Error as Fault};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::error::exception;
use crate::key::NativeKey;

/// Reads a log in chunks and finds the first bad line.
#[napi]
pub struct NativeAuditVerifier {
    /// Absent once it has finished.
    verifier: Option<Verifier>,
}

/// What was found in a log.
#[napi(object, object_from_js = false)]
pub struct AuditFindings {
    /// Good lines, up to the first bad one.
    pub lines: f64,
    /// Number of the first good line; 0 without any.
    pub first: f64,
    /// Number of the last good line; 0 without any.
    pub last: f64,
    /// Hash of the last good line, 64 hexadecimal digits.
    pub hash: String,
    /// `key`, `hash` or `structure`; absent without a good line.
    pub check: Option<String>,
    /// Id of the key the chain says it was made with, 16 hexadecimal digits; absent for a chain without.
    pub key_id: Option<String>,
    /// Good lines that tell of bytes cut off after a crash.
    pub recoveries: f64,
    /// Checkpoints that were compared.
    pub checkpoints: f64,
    /// The first bad line; absent when there is none.
    pub fault: Option<AuditFinding>,
}

/// The first bad line.
#[napi(object, object_from_js = false)]
pub struct AuditFinding {
    /// Which file, from 0.
    pub file: f64,
    /// Which line of it, from 1.
    pub line: f64,
    /// The number that line should have.
    pub number: f64,
    /// What became of it, one word.
    pub reason: String,
    /// What was seen; holds no text of the log.
    pub detail: String,
}

#[napi]
impl NativeAuditVerifier {
    /// Makes a verifier. Throws `EIPC_KEY` for a key that was made for v1, `EIPC_AUDIT_DAMAGED` for checkpoints that are none.
    #[napi(constructor)]
    pub fn new(key: Option<&NativeKey>, checkpoints: Option<&[u8]>) -> Result<Self, String> {
        let key = key.map(NativeKey::audit).transpose()?;
        let checkpoints = match checkpoints {
            Some(bytes) => Checkpoints::parse(bytes).map_err(|error| exception(&error))?,
            None => Checkpoints::default(),
        };
        Ok(Self { verifier: Some(Verifier::new(key, checkpoints)) })
    }

    /// Takes the next bytes of a file.
    #[napi]
    pub fn feed(&mut self, chunk: &[u8]) {
        if let Some(verifier) = &mut self.verifier {
            verifier.feed(chunk);
        }
    }

    /// Ends a file; what is fed next is another one that goes on where this one ended.
    #[napi]
    pub fn end_file(&mut self) {
        if let Some(verifier) = &mut self.verifier {
            verifier.end_file();
        }
    }

    /// Returns what was found, once.
    #[napi]
    pub fn finish(&mut self) -> Result<AuditFindings, String> {
        let verifier = self.verifier.take();
        let over = || exception(&Fault::new(Code::Internal, "this verifier has finished"));
        Ok(findings(verifier.ok_or_else(over)?.finish()))
    }
}

#[allow(clippy::cast_precision_loss, reason = "numbers of lines are below 2^53")]
fn findings(verdict: Verdict) -> AuditFindings {
    AuditFindings {
        lines: verdict.lines as f64,
        first: verdict.first as f64,
        last: verdict.last as f64,
        hash: verdict.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        check: verdict.check.map(|check| check.word().to_owned()),
        key_id: verdict.key_id.map(|id| format!("{id:016x}")),
        recoveries: verdict.recoveries as f64,
        checkpoints: verdict.checkpoints as f64,
        fault: verdict.fault.map(|fault| AuditFinding {
            file: fault.file as f64,
            line: fault.line as f64,
            number: fault.number as f64,
            reason: fault.reason.word().to_owned(),
            detail: fault.detail,
        }),
    }
}
