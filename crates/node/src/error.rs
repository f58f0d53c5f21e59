//! How failures cross: as numbers and plain objects on the data path, as exceptions with a `code` at construction.

use eipc_core::Code;
use napi::bindgen_prelude::*;
use napi_derive::napi;

/// One row of the error table.
#[napi(object)]
pub struct ErrorRow {
    /// `EIPC_…`
    pub name: String,
    /// The stable number, as the C interface uses it.
    pub value: i32,
    /// The class that users catch.
    pub class: String,
    /// Whether the same call may succeed later without any other change.
    pub retryable: bool,
    /// What happened and what to do next.
    pub sentence: String,
}

/// Lists the error table of the core, in its order.
#[napi]
#[must_use]
pub fn error_table() -> Vec<ErrorRow> {
    Code::ALL
        .iter()
        .map(|code| ErrorRow {
            name: code.name().to_owned(),
            value: code.value(),
            class: code.class().name().to_owned(),
            retryable: code.is_retryable(),
            sentence: code.sentence().to_owned(),
        })
        .collect()
}

/// How a session ended.
#[napi(object)]
pub struct Outcome {
    /// The number of the error table; 0 after an authenticated close.
    pub code: i32,
    /// Whether the peer ended it.
    pub by_peer: bool,
    /// What was seen, for people; may be empty.
    pub context: String,
    /// The reason of the authenticated close, 0 to 3.
    pub reason: u8,
    /// True when the handshake failed by a malformed hello or one with a wrong tag, which counts against its source.
    pub is_hello_forged: Option<bool>,
}

/// An exception whose `code` is the table's name: only for calls that return no number.
pub(crate) fn exception(error: &eipc_core::Error) -> Error<String> {
    Error::new(error.code.name().to_owned(), error.context.to_string())
}

/// The same failure as an exception whose `code` is the table's name for a state we should not reach.
pub(crate) fn internal(error: Error) -> Error<String> {
    Error::new(Code::Internal.name().to_owned(), error.reason.clone())
}

/// An exception with the system's name for an error (`ENOENT`), so that TypeScript can add what it knows.
#[cfg(unix)]
pub(crate) fn system_exception(error: &std::io::Error, context: &str) -> Error<String> {
    Error::new(system_name(error).to_owned(), format!("{context}: {error}"))
}

#[cfg(unix)]
fn system_name(error: &std::io::Error) -> &'static str {
    use rustix::io::Errno;
    match Errno::from_io_error(error) {
        Some(Errno::NOENT) => "ENOENT",
        Some(Errno::CONNREFUSED) => "ECONNREFUSED",
        Some(Errno::AGAIN) => "EAGAIN",
        Some(Errno::ACCESS) => "EACCES",
        Some(Errno::PERM) => "EPERM",
        Some(Errno::NOTDIR) => "ENOTDIR",
        Some(Errno::LOOP) => "ELOOP",
        Some(Errno::MFILE) => "EMFILE",
        Some(Errno::NFILE) => "ENFILE",
        Some(Errno::NAMETOOLONG) => "ENAMETOOLONG",
        Some(Errno::ROFS) => "EROFS",
        Some(Errno::NOSPC) => "ENOSPC",
        Some(Errno::PROTOTYPE) => "EPROTOTYPE",
        _ => Code::Transport.name(),
    }
}
