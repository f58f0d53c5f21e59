//! The system calls of the control socket: listen, connect, pass the segment, ring (docs/shm-abi.md, "Waking").
//!
//! Thin and without state: every call is one or a few system calls that never block and never raise SIGPIPE. Which
//! byte is a doorbell and which a frame is the deframer's business, when to ring that of [`crate::Outbound`] and
//! [`crate::Inbound`], and who may write is the owner's: one writer owns a socket. What Linux and macOS do differently
//! is in `sys/`.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::{error, fmt};

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SocketAddrUnix,
};

use crate::sys;

/// The doorbell: the one byte at a frame boundary that is no length prefix.
pub const DOORBELL: u8 = 1;
/// Longest path of a socket in bytes.
pub const PATH_MAX: usize = sys::PATH_MAX;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// Outcome of [`ring()`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// The peer will read a byte.
    Sent,
    /// The socket is full: unread bytes are on their way, and each of them is a doorbell.
    WouldBlock,
    /// The peer is gone; its end of stream says the rest.
    Gone,
}

/// Outcome of [`receive`].
#[derive(Debug)]
pub enum Received {
    /// So many bytes were read, and the descriptor that came with them.
    Bytes(usize, Option<OwnedFd>),
    /// Nothing is there now.
    WouldBlock,
    /// The peer is gone, or closed its end; everything it had written was read before.
    End,
}

/// Says why [`receive`] failed.
#[derive(Debug)]
pub enum ReceiveError {
    /// A descriptor came when none was due, or more than one: a framing error. All were closed.
    Descriptors,
    /// The system refused.
    System(io::Error),
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Descriptors => f.write_str("the peer sent descriptors that were not due"),
            Self::System(error) => write!(f, "the control socket could not be read: {error}"),
        }
    }
}

impl error::Error for ReceiveError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        if let Self::System(error) = self { Some(error) } else { None }
    }
}

/// Who is at the other end of a socket, as the kernel noted it when the connection was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerCredentials {
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Process; `None` if it is invisible from our pid namespace.
    pub pid: Option<u32>,
}

/// Sends bytes and, with the first of them, a descriptor. Returns how many bytes went; the descriptor went if that
/// is not 0. Send the rest with [`send_nonblocking`].
///
/// # Errors
/// `WouldBlock` if nothing went; otherwise what the system says.
pub fn send_with_fd(socket: BorrowedFd<'_>, bytes: &[u8], fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [fd];
    if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let bytes = [IoSlice::new(bytes)];
    let sent = retry_on_intr(|| rustix::net::sendmsg(socket, &bytes, &mut control, sys::SEND))?;
    kill_point!("s-sent");
    Ok(sent)
}

/// Sends bytes without blocking and returns how many went.
///
/// # Errors
/// `WouldBlock` if nothing went; otherwise what the system says.
pub fn send_nonblocking(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(retry_on_intr(|| rustix::net::send(socket, bytes, sys::SEND))?)
}

/// Rings the peer: writes one byte. Only when nothing is queued for this socket, or the byte would enter a frame.
///
/// # Errors
/// What the system says, other than that the peer is gone.
pub fn ring(socket: BorrowedFd<'_>) -> io::Result<Rung> {
    match retry_on_intr(|| rustix::net::send(socket, &[DOORBELL], sys::SEND)) {
        Ok(_) => {
            kill_point!("p-rung");
            Ok(Rung::Sent)
        }
        Err(Errno::AGAIN) => Ok(Rung::WouldBlock),
        Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => Ok(Rung::Gone),
        Err(errno) => Err(errno.into()),
    }
}

/// Reads what is there, without blocking.
///
/// With `accept_fd` one byte is read, so that a descriptor that comes with it was sent with exactly that byte: use it
/// for the first byte of the offer's length prefix and nowhere else. Without, no descriptor can enter the process.
///
/// Before the offer, read no further than the frame's end: a larger read could reach into the offer and lose its
/// descriptor.
///
/// # Errors
/// [`ReceiveError::Descriptors`], with every descriptor closed, if one comes undue or two come.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8], accept_fd: bool) -> Result<Received, ReceiveError> {
    let mut space = [MaybeUninit::uninit(); sys::CONTROL_LEN];
    let space = if accept_fd || sys::INSTALLS_UNASKED { space.as_mut_slice() } else { Default::default() };
    let limit = if accept_fd { 1 } else { buffer.len() };
    let Some(buffer) = buffer.get_mut(..limit).filter(|buffer| !buffer.is_empty()) else {
        return Err(ReceiveError::System(io::ErrorKind::InvalidInput.into()));
    };
    let mut control = RecvAncillaryBuffer::new(space);
    let mut buffers = [IoSliceMut::new(buffer)];
    let message =
        match retry_on_intr(|| rustix::net::recvmsg(socket, &mut buffers, &mut control, sys::RECEIVE)) {
            Ok(message) => message,
            Err(Errno::AGAIN) => return Ok(Received::WouldBlock),
            // The peer went without having read all of ours. Whatever it had written was delivered before this error.
            Err(Errno::CONNRESET) => return Ok(Received::End),
            Err(errno) => return Err(ReceiveError::System(errno.into())),
        };
    // Taken out of the buffer first, all of them: what is not returned is closed by being dropped.
    let mut descriptors: Vec<OwnedFd> = Vec::new();
    for ancillary in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = ancillary {
            descriptors.extend(fds);
        }
    }
    // Truncated: there were more than fit, or (without a buffer) there were any.
    if message.flags.contains(ReturnFlags::CTRUNC) || descriptors.len() > usize::from(accept_fd) {
        return Err(ReceiveError::Descriptors);
    }
    if message.bytes == 0 {
        return Ok(Received::End);
    }
    Ok(Received::Bytes(message.bytes, descriptors.pop()))
}

/// Returns who is at the other end.
///
/// # Errors
/// What the system says; a socket that is not connected has no peer.
pub fn peer_credentials(socket: BorrowedFd<'_>) -> io::Result<PeerCredentials> {
    sys::peer_credentials(socket)
}

/// Listens on a path with exactly these permissions, whatever the umask (0o600: the owner alone, 0o666: everybody). Nobody can
/// connect to it under others.
///
/// # Errors
/// `AddrInUse` if the path exists, `InvalidFilename` if it is longer than [`PATH_MAX`], otherwise what the system says.
pub fn listen(path: &Path, mode: u32) -> io::Result<OwnedFd> {
    let address = address(path)?;
    let socket = sys::stream_socket()?;
    sys::bind(socket.as_fd(), &address, path, mode)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// Accepts a connection, `None` if none waits.
///
/// # Errors
/// What the system says. A client that went away before it was accepted is no error.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    loop {
        match sys::accept(listener) {
            Ok(socket) => return Ok(Some(socket)),
            Err(Errno::INTR | Errno::CONNABORTED) => {}
            Err(Errno::AGAIN) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Connects to a path.
///
/// # Errors
/// `WouldBlock` if the listener's queue is full (try again; macOS refuses instead), `InvalidFilename` if the path is
/// longer than [`PATH_MAX`], otherwise what the system says.
pub fn connect(path: &Path) -> io::Result<OwnedFd> {
    let address = address(path)?;
    let socket = sys::stream_socket()?;
    retry_on_intr(|| rustix::net::connect(socket.as_fd(), &address))?;
    Ok(socket)
}

fn address(path: &Path) -> io::Result<SocketAddrUnix> {
    match path.as_os_str().len() {
        // To the kernel that is "choose an abstract name", which knows no permissions.
        0 => Err(io::ErrorKind::InvalidInput.into()),
        1..=PATH_MAX => Ok(SocketAddrUnix::new(path)?),
        _ => Err(io::ErrorKind::InvalidFilename.into()),
    }
}
