//! A lock that one process holds on a file, and that goes with it: what keeps two writers from one log.

use std::fs::{File, OpenOptions, TryLockError};

use eipc_core::Code;
use napi::bindgen_prelude::*;
use napi_derive::napi;

/// A lock that is held.
#[napi]
pub struct NativeFileLock {
    /// Absent once it was given back.
    file: Option<File>,
}

#[napi]
impl NativeFileLock {
    /// Locks a file that is its owner's only, which is made where there is none. Throws `EBUSY` when another holds it, and `EIPC_AUDIT`
    /// for a file that cannot be opened or is somebody else's too.
    #[napi(factory)]
    pub fn acquire(path: String) -> Result<Self, String> {
        let failed =
            |error: &std::io::Error| Error::new(Code::Audit.name().to_owned(), format!("{path}: {error}"));
        let file = open(&path).map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file: Some(file) }),
            Err(TryLockError::WouldBlock) => {
                Err(Error::new("EBUSY".to_owned(), format!("{path}: another process has it open")))
            }
            Err(TryLockError::Error(error)) => Err(failed(&error)),
        }
    }

    /// Gives the lock back.
    #[napi]
    pub fn release(&mut self) {
        self.file = None;
    }
}

#[cfg(unix)]
fn open(path: &str) -> std::io::Result<File> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    let status = file.metadata()?;
    let is_own = status.is_file()
        && status.uid() == rustix::process::geteuid().as_raw()
        && status.mode() & 0o077 == 0
        && status.nlink() == 1;
    if !is_own {
        return Err(std::io::ErrorKind::PermissionDenied.into());
    }
    // Whatever the umask is.
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

#[cfg(not(unix))]
fn open(path: &str) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}
