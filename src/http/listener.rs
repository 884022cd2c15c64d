//! A listening socket, of TCP or a Unix one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

/// The address of everyone who connects over a Unix socket: one that no host has (RFC 1122, section
/// 3.2.1.3).
pub const UNIX: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

pub struct Listener {
    socket: Socket,
    is_passed: bool,
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    pub fn tcp(listener: TcpListener) -> Listener {
        Listener { socket: Socket::Tcp(listener), is_passed: false }
    }

    pub fn unix(listener: UnixListener) -> Listener {
        Listener { socket: Socket::Unix(listener), is_passed: false }
    }

    /// The service manager holds this socket too, and passes it on to our successor.
    pub fn passed(self) -> Listener {
        Listener { is_passed: true, ..self }
    }

    pub fn is_passed(&self) -> bool {
        self.is_passed
    }

    /// Lets [`Listener::accept`] return if there is no connection. Another process may share a
    /// passed socket, and have accepted the one that we were woken for.
    pub fn never_wait(&self) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(listener) => listener.set_nonblocking(true),
            Socket::Unix(listener) => listener.set_nonblocking(true),
        }
    }

    /// The next connection, and where it comes from.
    ///
    /// The stream of a Unix socket is a [`TcpStream`] here, too: reading, writing, peeking, closing
    /// and timeouts are the same system calls for both.
    pub fn accept(&self) -> io::Result<(TcpStream, IpAddr)> {
        let (stream, address) = match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                (stream, address.ip().to_canonical())
            }
            Socket::Unix(listener) => (OwnedFd::from(listener.accept()?.0).into(), UNIX),
        };
        if cfg!(not(target_os = "linux")) {
            // Other systems inherit this from the listener.
            stream.set_nonblocking(false)?;
        }
        Ok((stream, address))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Tcp(listener) => listener.as_fd(),
            Socket::Unix(listener) => listener.as_fd(),
        }
    }
}
