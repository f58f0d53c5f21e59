//! Unix sockets on Linux.
#![allow(unsafe_code, reason = "SO_PEERCRED: rustix cannot express a peer without a pid")]

use std::ffi::c_int;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
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

/// Makes the socket's file with these permissions; it never exists with more.
pub(crate) fn bind(
    socket: BorrowedFd<'_>,
    address: &SocketAddrUnix,
    path: &Path,
    mode: u32,
) -> io::Result<()> {
    let mode = Mode::from_raw_mode(mode);
    // Before bind: the inode that bind makes takes its permissions from the socket's, less the umask.
    rustix::fs::fchmod(socket, mode)?;
    rustix::net::bind(socket, address)?;
    give_back(path, mode).inspect_err(|_| {
        let _ = fs::remove_file(path);
    })
}

/// Gives a socket's file the permissions that the umask took. Nobody can connect yet: it does not listen.
fn give_back(path: &Path, mode: Mode) -> io::Result<()> {
    // The file itself, and never what somebody's link in its place leads to.
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    let found = rustix::fs::fstat(&file)?.st_mode;
    if FileType::from_raw_mode(found) != FileType::Socket {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something took the socket's place"));
    }
    if Mode::from_raw_mode(found) == mode {
        return Ok(());
    }
    // fchmod takes no such descriptor, and the call that takes a path without following links is newer than many kernels.
    Ok(rustix::fs::chmod(format!("/proc/self/fd/{}", file.as_raw_fd()), mode)?)
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    // The attacker can write to the folder: a link takes the socket's place between bind and the look at its permissions.
    #[test]
    fn a_link_in_the_sockets_place_gives_no_other_file_its_permissions() {
        let folder = std::env::temp_dir().join(format!("eipc-link-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let (secret, link) = (folder.join("secret"), folder.join("socket"));
        fs::write(&secret, b"key").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&secret, &link).unwrap();
        for path in [&link, &secret] {
            assert!(give_back(path, Mode::from_raw_mode(0o666)).is_err());
        }
        assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_dir_all(&folder).unwrap();
    }
}
