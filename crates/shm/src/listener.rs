//! A listening control socket at a path, guarded so that a dead server's socket file is taken over and a live one's never.
//!
//! The lock is an advisory `flock` on `PATH.lock`, held as long as the listener lives: the kernel lets it go however the process
//! ends. Whoever holds it owns the path, so a socket file found there is stale by definition and may be unlinked. Both files are
//! removed on drop. Accepting and everything after is [`crate::doorbell`]'s part.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::{error, fmt, io};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use crate::doorbell;

/// A bound and listening socket that owns its path.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    path: PathBuf,
    lock: Lock,
}

/// Says why a path cannot be listened on.
#[derive(Debug)]
pub enum ListenError {
    /// Another process listens there, or holds the lock.
    InUse,
    /// Something that is no socket lies there; it is not ours to remove.
    NotASocket,
    /// The system refused.
    System(io::Error),
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str("another process listens there"),
            Self::NotASocket => {
                f.write_str("a file that is no socket lies there; remove it or choose another path")
            }
            Self::System(error) => error.fmt(f),
        }
    }
}

impl error::Error for ListenError {}

impl From<io::Error> for ListenError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::AddrInUse { Self::InUse } else { Self::System(error) }
    }
}

impl From<Errno> for ListenError {
    fn from(errno: Errno) -> Self {
        io::Error::from(errno).into()
    }
}

impl Listener {
    /// Listens on `path` with these permissions (0o600: the owner alone, 0o666: everybody), after removing a dead server's socket.
    /// The lock file is the owner's alone in either case.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn bind(path: &Path, mode: u32) -> Result<Self, ListenError> {
        let lock = Lock::take(path)?;
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => return Err(ListenError::NotASocket),
            // We hold the lock; but a program that knows nothing of it may listen there. Only a refusal proves that nobody does.
            Ok(_) => match doorbell::connect(path) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)?,
                Ok(_) => return Err(ListenError::InUse),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(ListenError::InUse),
                Err(error) => return Err(error.into()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let socket = doorbell::listen(path, mode)?;
        Ok(Self { socket, path: path.to_owned(), lock })
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The lock is still held: nobody else can have bound the path in between.
        let _ = fs::remove_file(&self.path);
        self.lock.remove();
    }
}

#[derive(Debug)]
struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    fn take(path: &Path) -> Result<Self, ListenError> {
        let mut name = OsString::from(path);
        name.push(".lock");
        let path = PathBuf::from(name);
        loop {
            let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits()).unwrap_or(0);
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(flags)
                .open(&path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Err(ListenError::InUse),
                Err(errno) => return Err(errno.into()),
            }
            // The holder before us may have removed the file between our open and our lock: then we locked nothing.
            let (held, named) = (file.metadata()?, fs::symlink_metadata(&path));
            if named.is_ok_and(|named| named.ino() == held.ino() && named.dev() == held.dev()) {
                return Ok(Self { file, path });
            }
        }
    }

    /// Removes the file while the lock is held.
    fn remove(&self) {
        let _ = fs::remove_file(&self.path);
        let _ = &self.file; // closed on drop, which lets the lock go
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn place() -> PathBuf {
        let name = format!("eipc-listener-{}-{:?}", std::process::id(), std::thread::current().id());
        let folder = std::env::temp_dir().join(name.replace(['(', ')'], ""));
        fs::create_dir_all(&folder).unwrap();
        folder.join("socket")
    }

    #[test]
    fn a_live_listener_keeps_its_path_and_leaves_nothing_behind() {
        let path = place();
        let first = Listener::bind(&path, 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Listener::bind(&path, 0o600), Err(ListenError::InUse)));
        assert!(doorbell::connect(&path).is_ok());
        drop(first);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
        drop(Listener::bind(&path, 0o600).unwrap());
        fs::remove_dir(path.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_dead_servers_socket_is_taken_over_and_a_foreign_file_is_not() {
        let path = place();
        drop(doorbell::listen(&path, 0o600).unwrap()); // closed without unlinking, as a killed process leaves it
        assert!(path.exists());
        drop(Listener::bind(&path, 0o600).unwrap());
        fs::write(&path, b"not a socket").unwrap();
        assert!(matches!(Listener::bind(&path, 0o600), Err(ListenError::NotASocket)));
        assert_eq!(fs::read(&path).unwrap(), b"not a socket");
        // A program that listens there without the lock is alive all the same.
        fs::remove_file(&path).unwrap();
        let foreign = doorbell::listen(&path, 0o600).unwrap();
        assert!(matches!(Listener::bind(&path, 0o600), Err(ListenError::InUse)));
        drop(foreign);
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
}
