//! Unix sockets on macOS.
//!
//! Flags that Linux sets while it makes a descriptor are set right afterwards here: a process that forks in between,
//! from another thread, leaves a copy to its child.
#![allow(unsafe_code, reason = "getpeereid and LOCAL_PEERPID: rustix has neither")]

use std::ffi::c_int;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::FdFlags;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType, sockopt};

use crate::doorbell::PeerCredentials;

/// Longest path of a socket in bytes: the kernel's 104 with the zero behind it.
pub(crate) const PATH_MAX: usize = 103;
/// How to write: at once. SIGPIPE is a matter of the socket here (`prepare`).
pub(crate) const SEND: SendFlags = SendFlags::DONTWAIT;
/// How to read: at once.
pub(crate) const RECEIVE: RecvFlags = RecvFlags::DONTWAIT;
/// Room for the descriptors that may come with one message: as many as one message can carry (`UIPC_MAX_CMSG_FD`).
pub(crate) const CONTROL_LEN: usize = rustix::cmsg_space!(ScmRights(512));
/// Whether descriptors enter the process even if no room was offered for them. Here they do, and without that room
/// nobody would ever learn their numbers and close them (xnu, `soreceive_ctl`).
pub(crate) const INSTALLS_UNASKED: bool = true;

pub(crate) fn stream_socket() -> io::Result<OwnedFd> {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    prepare(&socket)?;
    Ok(socket)
}

pub(crate) fn accept(listener: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    let socket = rustix::net::accept(listener)?;
    prepare(&socket)?;
    Ok(socket)
}

/// Makes the socket's file, then gives it these permissions. Until it listens, which comes after, the kernel refuses
/// every connection, so the permissions it had before are of no use to anybody.
pub(crate) fn bind(
    socket: BorrowedFd<'_>,
    address: &SocketAddrUnix,
    path: &Path,
    mode: u32,
) -> io::Result<()> {
    let mode = libc::mode_t::try_from(mode).map_err(|_| io::ErrorKind::InvalidInput)?;
    rustix::net::bind(socket, address)?;
    let changed = rustix::fs::chmodat(CWD, path, Mode::from_raw_mode(mode), AtFlags::SYMLINK_NOFOLLOW);
    changed.inspect_err(|_| {
        let _ = fs::remove_file(path);
    })?;
    Ok(())
}

pub(crate) fn peer_credentials(socket: BorrowedFd<'_>) -> io::Result<PeerCredentials> {
    let (mut uid, mut gid) = (u32::MAX, u32::MAX);
    // SAFETY: the descriptor is open as long as it is borrowed; the call writes one integer to each of the pointers,
    // which are those of locals.
    if unsafe { libc::getpeereid(socket.as_raw_fd(), &raw mut uid, &raw mut gid) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut pid: libc::pid_t = 0;
    let mut len =
        libc::socklen_t::try_from(size_of::<libc::pid_t>()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the descriptor is open as long as it is borrowed. The kernel writes at most `len` bytes to `pid`, which
    // has that many and is a plain integer, and the length to `len`; both outlive the call.
    let result: c_int = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_LOCAL,
            libc::LOCAL_PEERPID,
            (&raw mut pid).cast(),
            &raw mut len,
        )
    };
    // A peer that closed meanwhile has no process any more; whose it was is known all the same.
    let pid = u32::try_from(pid).ok().filter(|pid| result == 0 && *pid != 0);
    Ok(PeerCredentials { uid, gid, pid })
}

/// What a flag of the call does on Linux: not inherited by a program, never blocking, no SIGPIPE.
fn prepare(socket: &OwnedFd) -> rustix::io::Result<()> {
    rustix::io::fcntl_setfd(socket, FdFlags::CLOEXEC)?;
    rustix::fs::fcntl_setfl(socket, OFlags::NONBLOCK)?;
    sockopt::set_socket_nosigpipe(socket, true)
}
