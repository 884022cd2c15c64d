//! A socket that listens, and the two kinds of stream that come of it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

/// The address of everyone who comes over a Unix socket: the one that no host has (RFC 1122,
/// section 3.2.1.3).
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

    /// Somebody else holds this socket too, and gives it to whoever comes after us.
    pub fn passed(self) -> Listener {
        Listener { is_passed: true, ..self }
    }

    pub fn is_passed(&self) -> bool {
        self.is_passed
    }

    /// Lets [`Listener::accept`] return where nobody is there. Others may share a passed socket, and
    /// have taken whom we saw come.
    pub fn never_wait(&self) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(listener) => listener.set_nonblocking(true),
            Socket::Unix(listener) => listener.set_nonblocking(true),
        }
    }

    /// The next connection, and where it comes from.
    ///
    /// A stream is a [`TcpStream`] here also where it is a Unix socket: what is done with it (read,
    /// write, look, end, wait so long) are the same calls of the system for both.
    pub fn accept(&self) -> io::Result<(TcpStream, IpAddr)> {
        let (stream, address) = match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                (stream, address.ip().to_canonical())
            }
            Socket::Unix(listener) => (OwnedFd::from(listener.accept()?.0).into(), UNIX),
        };
        if cfg!(not(target_os = "linux")) {
            // Elsewhere it has this from the listener.
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
