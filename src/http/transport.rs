//! Reading bytes from a client, and writing them to it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// A socket, or a script in a test.
pub trait Transport: Read + Write {
    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()>;
    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()>;
    /// Reads what has arrived already, if anything has, without waiting.
    fn read_waiting(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
    fn end_writing(&self) -> io::Result<()>;
    /// Whether the client has closed its side, and nothing that it sent is left to be read.
    fn is_gone(&self) -> bool;
}

impl Transport for &TcpStream {
    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        TcpStream::set_read_timeout(self, Some(timeout.max(Duration::from_millis(1))))
    }

    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        TcpStream::set_write_timeout(self, Some(timeout.max(Duration::from_millis(1))))
    }

    fn read_waiting(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.set_nonblocking(true)?;
        let result = self.read(buffer);
        self.set_nonblocking(false)?;
        match result {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }

    fn end_writing(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }

    fn is_gone(&self) -> bool {
        let _ = self.set_nonblocking(true);
        let waiting = self.peek(&mut [0]);
        let _ = self.set_nonblocking(false);
        match waiting {
            Ok(bytes) => bytes == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }
}

/// A transport with a timeout for each read and write. The system is told only when the timeout
/// changes, so usually this costs no system call.
pub struct Timed<T> {
    transport: T,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl<T: Transport> Timed<T> {
    pub fn new(transport: T) -> Timed<T> {
        Timed { transport, read_timeout: None, write_timeout: None }
    }

    /// Reads once; [`ErrorKind::TimedOut`] if nothing arrives in this time.
    pub fn read(&mut self, timeout: Duration, room: &mut [u8]) -> io::Result<usize> {
        if timeout.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        if self.read_timeout != Some(timeout) {
            self.transport.set_read_timeout(timeout)?;
            self.read_timeout = Some(timeout);
        }
        patient(|| self.transport.read(room))
    }

    /// Writes once; [`ErrorKind::TimedOut`] if nothing can be sent in this time.
    pub fn write(&mut self, timeout: Duration, bytes: &[u8]) -> io::Result<usize> {
        if timeout.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        if self.write_timeout != Some(timeout) {
            self.transport.set_write_timeout(timeout)?;
            self.write_timeout = Some(timeout);
        }
        patient(|| self.transport.write(bytes))
    }

    pub fn read_waiting(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.transport.read_waiting(room)
    }

    pub fn end_writing(&self) -> io::Result<()> {
        self.transport.end_writing()
    }

    pub fn is_gone(&self) -> bool {
        self.transport.is_gone()
    }
}

/// Repeats what a signal has interrupted, and gives all timeouts the same error.
fn patient(mut attempt: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        return match attempt() {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(ErrorKind::TimedOut.into()),
            result => result,
        };
    }
}
