//! Unix sockets on Linux.
#![allow(unsafe_code, reason = "SO_PEERCRED: rustix cannot express a peer without a pid")]

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::Mode;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType};

use crate::doorbell::PeerCredentials;

/// Longest path of a socket in bytes: the kernel's 108 with the zero that other programs expect behind it.
pub(crate) const PATH_MAX: usize = 107;
/// How to write: at once, without SIGPIPE.
pub(crate) const SEND: SendFlags = SendFlags::NOSIGNAL.union(SendFlags::DONTWAIT);
/// How to read: at once, and a descriptor closes on exec from its first moment.
pub(crate) const RECEIVE: RecvFlags = RecvFlags::CMSG_CLOEXEC.union(RecvFlags::DONTWAIT);
/// Room for the descriptors that may come with one message.
pub(crate) const CONTROL_LEN: usize = rustix::cmsg_space!(ScmRights(1));
/// Whether descriptors enter the process even if no room was offered for them.
pub(crate) const INSTALLS_UNASKED: bool = false;

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

pub(crate) fn stream_socket() -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?)
}

pub(crate) fn accept(listener: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    rustix::net::accept_with(listener, FLAGS)
}

/// Makes the socket's file with these permissions; it never exists with others.
pub(crate) fn bind(
    socket: BorrowedFd<'_>,
    address: &SocketAddrUnix,
    _path: &Path,
    mode: u32,
) -> io::Result<()> {
    // Before bind: the inode that bind makes takes its permissions from the socket's.
    rustix::fs::fchmod(socket, Mode::from_raw_mode(mode))?;
    Ok(rustix::net::bind(socket, address)?)
}

pub(crate) fn peer_credentials(socket: BorrowedFd<'_>) -> io::Result<PeerCredentials> {
    // The kernel's values for "nobody", in case it answered without filling in all.
    let mut credentials = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut len =
        libc::socklen_t::try_from(size_of::<libc::ucred>()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the descriptor is open as long as it is borrowed. The kernel writes at most `len` bytes to
    // `credentials`, which has that many and is plain integers, and the length to `len`; both outlive the call.
    let result: c_int = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut len,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    let pid = u32::try_from(credentials.pid).ok().filter(|pid| *pid != 0);
    Ok(PeerCredentials { uid: credentials.uid, gid: credentials.gid, pid })
}
