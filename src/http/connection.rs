//! One connection's life: read, answer, flush, wait, until either side ends it (RFC 9112,
//! section 9).
//!
//!     run     read, answer every complete request, then live until it ends
//!     live    flush the answers, read, answer every complete request
//!     End     the last answer, flush, linger
//!
//! A request usually costs two system calls, one read and one write: requests that arrive together
//! are answered together. [`Timed`] and [`step_aside`](crate::step_aside) save the rest.

mod slow_client;

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use super::buffer::RESTING;
use super::framing::Framing;
use super::input::Input;
use super::phase::{Phase, Wait};
use super::request::{self, Request};
use super::response::{Delivery, Response};
use super::slots::Slots;
use super::transport::{Timed, Transport};
use super::{Limits, Refusal, Service};

/// Answers are collected up to this size before they are sent.
const OUTPUT: usize = 32 * 1024;
/// How long a server that stops waits for the first byte on a new connection.
pub const FIRST_REQUEST: Duration = Duration::from_secs(1);
/// The same between requests. A proxy may just be sending one, which closing at once would lose;
/// its answer says that it is the last.
pub const LAST_REQUEST: Duration = Duration::from_millis(300);
/// How long a connection waits for another request before it frees what it would only need then.
const AWAKE: Duration = Duration::from_millis(500);
/// How often a connection whose reading side the server has closed looks for the rest of a request.
const NAP: Duration = Duration::from_millis(5);
const CUT: Refusal =
    Refusal::Malformed(&("the request ends before it is complete", "RFC 9112, section 8"));

/// Why a connection ends.
enum End {
    /// The client is gone, or was idle for too long: nobody waits for an answer.
    Silent,
    /// The last answer is in the output.
    AfterAnswer,
    /// What arrived is not a request that we take; this refusal is the last answer.
    Refused(Refusal),
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> End {
        End::Refused(refusal)
    }
}

pub struct Connection<'a, T, S, P> {
    transport: Timed<T>,
    /// Answers the requests; for this server that is `endpoints::App`.
    service: &'a S,
    /// What this connection and the server tell each other, such as that the server stops.
    phase: &'a P,
    limits: &'a Limits,
    address: IpAddr,
    input: Input,
    output: Vec<u8>,
    /// When the idle time, the head or the body began, whichever we are waiting for.
    began: Instant,
    /// When input last arrived.
    arrived: Instant,
    /// Since when the client has kept answers waiting.
    unread: Option<Instant>,
}

impl<'a, T: Transport, S: Service, P: Phase> Connection<'a, T, S, P> {
    pub fn new(
        transport: T,
        address: IpAddr,
        service: &'a S,
        phase: &'a P,
        limits: &'a Limits,
    ) -> Self {
        let now = Instant::now();
        Connection {
            transport: Timed::new(transport),
            service,
            phase,
            limits,
            address,
            input: Input::new(),
            output: Vec::new(),
            began: now,
            arrived: now,
            unread: None,
        }
    }

    /// Serves until the connection ends.
    pub fn run(mut self) {
        let mut next = self.read(Wait::First).and_then(|()| self.answer_all());
        let end = loop {
            match next {
                Ok(wait) => next = self.live(wait),
                Err(end) => break end,
            }
        };
        match end {
            End::Silent => return,
            End::AfterAnswer => {}
            End::Refused(refusal) => {
                self.service.refused(self.address, refusal);
                Response::refusal(refusal).write(&mut self.output, &Delivery::of_refusal());
            }
        }
        if self.flush().is_ok() {
            self.linger();
        }
    }

    /// One turn: sends the answers, waits for what is missing, and answers what is complete.
    fn live(&mut self, wait: Wait) -> Result<Wait, End> {
        // Before the answers leave: a client that has read them must find this connection at rest.
        self.phase.waits(wait, self.began);
        let was_slow = self.flush()?;
        if was_slow {
            // It counted as busy meanwhile.
            self.phase.waits(wait, self.began);
        }
        if wait == Wait::Request {
            self.rest();
            self.phase.steps_aside();
        }
        self.read(wait)?;
        self.answer_all()
    }

    /// Answers every complete request, and says what is missing of the next.
    fn answer_all(&mut self) -> Result<Wait, End> {
        let mut flushed = self.arrived;
        loop {
            if let Some(wait) = self.answer_one()? {
                return Ok(wait);
            }
            if self.input.has_more() && flushed.elapsed() > self.limits.answer_wait {
                self.flush()?;
                flushed = Instant::now();
            }
        }
    }

    /// Answers the next request, or says what is missing of it.
    fn answer_one(&mut self) -> Result<Option<Wait>, End> {
        if let Some(wait) = self.input.lacks(self.limits)? {
            return Ok(Some(wait));
        }
        let mut slots = Slots::new();
        let parsed = request::parse(self.input.unanswered(), &mut slots, self.limits)?;
        let Some((head, length)) = &parsed else { return Ok(Some(Wait::Head)) };
        let (body, is_last) = match self.input.body(head, *length) {
            Some(body) => (body, false),
            // Answered without its body, so we never learn where the next request begins.
            None if !self.service.wants_body(head) => (self.input.nothing(), true),
            None => {
                let (length, framing, expects) = (*length, head.framing, head.expects_continue);
                self.await_body(length, framing, expects)?;
                return Ok(None);
            }
        };
        let end = body.end;
        let is_last = is_last || !head.keep_alive || self.phase.draining();
        let mut delivery = Delivery::to(head, is_last);
        let (transport, phase) = (&self.transport, self.phase);
        let request = Request {
            body: self.input.bytes(body),
            head,
            connection: self.address,
            arrived: self.arrived,
            time: delivery.time,
            is_gone: &|| !phase.deaf() && transport.is_gone(),
        };
        let response = answer(self.service, &request, &mut delivery);
        self.input.answered(end);
        // The time of a request behind this one counts from when its bytes arrived.
        self.began = self.arrived;
        self.put(&response, &delivery)?;
        Ok(None)
    }

    /// Prepares to read the rest of the body, which follows a head of `length` bytes.
    fn await_body(
        &mut self,
        length: usize,
        framing: Framing,
        expects_continue: bool,
    ) -> Result<(), Refusal> {
        self.input.await_body(length, framing, self.limits)?;
        self.began = self.arrived;
        if expects_continue {
            self.output.extend(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        Ok(())
    }

    /// Appends an answer to those that wait to be sent.
    fn put(&mut self, response: &Response, delivery: &Delivery) -> Result<(), End> {
        if self.output.len() + response.size() > OUTPUT {
            self.flush()?;
        }
        response.write(&mut self.output, delivery);
        match delivery.close || response.is_cut() {
            true => Err(End::AfterAnswer),
            false => Ok(()),
        }
    }

    /// Frees the memory of a large request before the wait for the next one.
    fn rest(&mut self) {
        self.input.rest();
        if self.output.capacity() > RESTING {
            self.output = Vec::new();
        }
        self.unread = None;
    }

    /// Waits for more input, as long as the limits still allow.
    fn read(&mut self, wait: Wait) -> Result<(), End> {
        let draining = self.phase.draining();
        let left = match wait {
            Wait::First if draining => FIRST_REQUEST,
            Wait::Request if draining => LAST_REQUEST,
            Wait::First | Wait::Request => self.limits.idle_time,
            Wait::Head => self.limits.head_time.saturating_sub(self.began.elapsed()),
            Wait::Body => self.limits.body_time.saturating_sub(self.began.elapsed()),
        };
        let arrived = match wait {
            Wait::Request if left > AWAKE => self.fill_or_sleep(left),
            _ => self.fill(left),
        };
        let now = Instant::now();
        if !self.phase.busy(now) {
            return Err(End::Silent);
        }
        match arrived {
            Ok(1..) => {
                self.arrived = now;
                if wait.is_between_requests() {
                    self.began = now;
                }
                Ok(())
            }
            _ if wait.is_between_requests() => Err(End::Silent),
            Ok(0) if self.phase.deaf() => {
                // The rest of the request may still come.
                thread::sleep(NAP);
                Ok(())
            }
            Ok(0) => Err(CUT.into()),
            Err(error) if error.kind() != ErrorKind::TimedOut => Err(End::Silent),
            Err(_) if left.is_zero() => Err(Refusal::Timeout.into()),
            // The system's timer went off before ours did: not timed out yet.
            Err(_) => Ok(()),
        }
    }

    /// One read, and a second one where the first has filled the buffer, so that all requests that
    /// have arrived are answered together.
    fn fill(&mut self, timeout: Duration) -> io::Result<usize> {
        let transport = &mut self.transport;
        let read = self.input.fill(self.limits, |room| transport.read(timeout, room))?;
        if read > 0 && self.input.is_brimful(self.limits) {
            // The next read will meet the same error or end of the stream.
            let _ = self.input.fill(self.limits, |room| transport.read_waiting(room));
        }
        Ok(read)
    }

    /// The same where what comes may take long: mostly it comes soon, or not for a while.
    fn fill_or_sleep(&mut self, timeout: Duration) -> io::Result<usize> {
        match self.fill(AWAKE) {
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                self.phase.sleeps();
                self.fill(timeout - AWAKE)
            }
            arrived => arrived,
        }
    }

    /// Sends the answers; true where that took a while, since the client reads slowly.
    fn flush(&mut self) -> Result<bool, End> {
        if self.output.is_empty() {
            return Ok(false);
        }
        let written = match self.transport.write(self.at_once(), &self.output) {
            Ok(written) => written,
            Err(error) if error.kind() == ErrorKind::TimedOut => 0,
            Err(_) => return Err(End::Silent),
        };
        let is_slow = written < self.output.len();
        match is_slow {
            true => self.flush_slowly(written)?,
            false => self.unread = None,
        }
        self.output.clear();
        Ok(is_slow)
    }
}

/// Lets the service answer; a panic costs this connection, and no other. Not inlined, so that a
/// connection at rest does not hold the stack that this needs.
#[inline(never)]
fn answer<S: Service>(service: &S, request: &Request, delivery: &mut Delivery) -> Response {
    catch_unwind(AssertUnwindSafe(|| service.answer(request))).unwrap_or_else(|_| {
        service.refused(request.connection, Refusal::Panic);
        delivery.close = true;
        Response::refusal(Refusal::Panic)
    })
}

#[cfg(test)]
mod script;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod times;
