//! A client that follows a test's script, and a server around its connection.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::rc::Rc;

use super::*;
use crate::http::{Head, Status};
use Step::*;

/// What a client does at one read or write.
#[derive(Clone)]
pub enum Step {
    /// Sends these bytes, which may take more than one read.
    Send(Vec<u8>),
    /// Does nothing for this time.
    Rest(Duration),
    /// Does nothing until the time of the read or write is over.
    Hang,
    /// Reads so many bytes.
    Take(usize),
    /// The same after this time.
    Late(Duration, usize),
    /// Seems to be at the end, as if the server had stopped reading.
    SeemOver,
}
/// What the client has seen.
#[derive(Default)]
pub struct Seen {
    /// What was written, write by write.
    pub writes: RefCell<Vec<Vec<u8>>>,
    /// How long the writes have waited in all.
    pub waited: Cell<Duration>,
    pub ended: Cell<bool>,
    /// How much was read in all.
    pub read: Cell<usize>,
}

impl Seen {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.writes.borrow().concat()).into_owned()
    }
}

/// A client that takes these steps, then closes its side and reads everything.
pub struct Script {
    sends: VecDeque<Step>,
    takes: VecDeque<Step>,
    read_timeout: Cell<Duration>,
    write_timeout: Cell<Duration>,
    seen: Rc<Seen>,
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.sends.pop_front() {
            Some(Send(mut piece)) => {
                let n = piece.len().min(buffer.len());
                buffer[..n].copy_from_slice(&piece[..n]);
                if n < piece.len() {
                    self.sends.push_front(Send(piece.split_off(n)));
                }
                self.seen.read.update(|read| read + n);
                Ok(n)
            }
            Some(Rest(pause)) if pause < self.read_timeout.get() => {
                thread::sleep(pause);
                self.read(buffer)
            }
            Some(Rest(_) | Hang) => {
                thread::sleep(self.read_timeout.get());
                Err(ErrorKind::WouldBlock.into())
            }
            Some(SeemOver) | None => Ok(0),
            Some(Take(_) | Late(..)) => unreachable!("a read sends nothing"),
        }
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let timeout = self.write_timeout.get();
        let (pause, taken) = match self.takes.pop_front() {
            None => (Duration::ZERO, bytes.len()),
            Some(Take(n)) => (Duration::ZERO, n.min(bytes.len())),
            Some(Late(pause, n)) if pause < timeout => (pause, n.min(bytes.len())),
            Some(_) => (timeout, 0),
        };
        thread::sleep(pause);
        self.seen.waited.update(|waited| waited + pause);
        if pause == timeout {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.seen.writes.borrow_mut().push(bytes[..taken].to_vec());
        Ok(taken)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Script {
    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.read_timeout.set(timeout);
        Ok(())
    }
    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.write_timeout.set(timeout);
        Ok(())
    }
    fn read_waiting(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.sends.front() {
            Some(Send(_)) => self.read(buffer),
            _ => Ok(0),
        }
    }
    fn end_writing(&self) -> io::Result<()> {
        self.seen.ended.set(true);
        Ok(())
    }
    fn is_gone(&self) -> bool {
        self.sends.is_empty()
    }
}

/// Answers with what the request says.
pub struct Echo;

impl Service for Echo {
    fn wants_body(&self, head: &Head) -> bool {
        head.path != "/early"
    }
    fn answer(&self, request: &Request) -> Response {
        assert!(request.head.path != "/panic");
        let body = String::from_utf8_lossy(request.body);
        let text = format!("[{} {} {body}]", request.head.method, request.head.path);
        Response::new(Status::Ok).body(text)
    }
    fn refused(&self, _: IpAddr, _: Refusal) {}
    fn notice(&self, _: &str) {}
}

/// The server around a connection.
#[derive(Default)]
pub struct Around {
    /// How often the connection has let others run.
    pub steps: Cell<usize>,
    /// How often it has said that it may wait for long.
    pub sleeps: Cell<usize>,
    pub draining: bool,
    /// After so many reads the server ends the connection.
    pub ends_after: Option<usize>,
    pub busy: Cell<usize>,
}

impl Phase for Around {
    fn waits(&self, _: Wait, _: Instant) {}
    fn steps_aside(&self) {
        self.steps.update(|steps| steps + 1);
    }
    fn sleeps(&self) {
        self.sleeps.update(|sleeps| sleeps + 1);
    }
    fn busy(&self, _: Instant) -> bool {
        self.busy.update(|busy| busy + 1);
        self.ends_after.is_none_or(|end| self.busy.get() <= end)
    }
    fn draining(&self) -> bool {
        self.draining
    }
    fn deaf(&self) -> bool {
        self.draining
    }
}

/// Runs a connection whose client sends and takes these.
pub fn run(around: &Around, limits: &Limits, sends: Vec<Step>, takes: Vec<Step>) -> Rc<Seen> {
    let seen = Rc::new(Seen::default());
    let script = Script {
        sends: sends.into(),
        takes: takes.into(),
        read_timeout: Cell::default(),
        write_timeout: Cell::default(),
        seen: Rc::clone(&seen),
    };
    Connection::new(script, IpAddr::from([127, 0, 0, 1]), &Echo, around, limits).run();
    seen
}
