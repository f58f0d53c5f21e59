//! The control socket: who may connect, who did, ringing, and what the end of a peer looks like.
#![cfg(all(target_os = "linux", not(loom)))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking"
)]

use std::fs::{self, DirBuilder};
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use eipc_shm::doorbell::{
    DOORBELL, Received, Rung, accept, connect, listen, peer_credentials, receive, ring, send_nonblocking,
};

/// A folder of our own that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("eipc-{}-{name}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_socket_has_its_permissions_from_the_start_and_its_peers_are_known() {
    let folder = Folder::new("listen");
    let path = folder.0.join("socket");
    let listener = listen(&path, 0o600).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(accept(listener.as_fd()).unwrap().is_none());
    let client = connect(&path).unwrap();
    let server = accept(listener.as_fd()).unwrap().unwrap();
    for socket in [&client, &server] {
        let peer = peer_credentials(socket.as_fd()).unwrap();
        assert_eq!(peer.uid, rustix::process::geteuid().as_raw());
        assert_eq!(peer.gid, rustix::process::getegid().as_raw());
        assert_eq!(peer.pid, Some(std::process::id()));
        assert!(rustix::io::fcntl_getfd(socket).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    }
    assert_eq!(listen(&path, 0o600).unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_socket_for_everybody_is_that_whatever_the_umask() {
    let folder = Folder::new("everybody");
    let path = folder.0.join("socket");
    // The umask of a test run takes the right to write from others, without which nobody can connect.
    let _listener = listen(&path, 0o666).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
}

#[test]
fn a_path_that_is_too_long_is_an_error() {
    let folder = Folder::new("long");
    let free = 107 - folder.0.as_os_str().len() - 1;
    let longest = folder.0.join("x".repeat(free));
    let longer = folder.0.join("x".repeat(free + 1));
    drop(listen(&longest, 0o600).unwrap());
    assert_eq!(connect(&longest).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    for path in [longer.as_path(), &folder.0.join("x".repeat(300))] {
        assert_eq!(listen(path, 0o600).unwrap_err().kind(), ErrorKind::InvalidFilename);
        assert_eq!(connect(path).unwrap_err().kind(), ErrorKind::InvalidFilename);
    }
    assert_eq!(listen(Path::new(""), 0o600).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_doorbell_is_one_byte_until_nobody_reads_them() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    assert_eq!(ring(ours.as_fd()).unwrap(), Rung::Sent);
    let mut buffer = [0; 16];
    assert!(matches!(receive(theirs.as_fd(), &mut buffer, false), Ok(Received::Bytes(1, None))));
    assert_eq!(buffer[0], DOORBELL);
    let mut rings = 0;
    while ring(ours.as_fd()).unwrap() == Rung::Sent {
        rings += 1;
        assert!(rings < 1_000_000, "a socket is never full");
    }
    assert_eq!(ring(ours.as_fd()).unwrap(), Rung::WouldBlock);
    assert_eq!(send_nonblocking(ours.as_fd(), b"x").unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_peer_that_went_is_gone_for_the_writer_and_an_end_for_the_reader() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (&theirs).write_all(b"last words").unwrap();
    // Unread bytes on its side turn the end into a reset, which must not hide what it had written.
    assert_eq!(ring(ours.as_fd()).unwrap(), Rung::Sent);
    drop(theirs);
    assert_eq!(ring(ours.as_fd()).unwrap(), Rung::Gone);
    let mut buffer = [0; 16];
    assert!(matches!(receive(ours.as_fd(), &mut buffer, false), Ok(Received::Bytes(10, None))));
    assert_eq!(buffer[..10], *b"last words");
    for accept_fd in [false, true] {
        assert!(matches!(receive(ours.as_fd(), &mut buffer, accept_fd), Ok(Received::End)));
    }
}
