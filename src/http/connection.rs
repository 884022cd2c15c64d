//! One connection's life: read, answer, flush, wait, until one side has enough (RFC 9112,
//! section 9).
//!
//! In the usual case a request costs two system calls, one read and one write: answers to requests
//! that arrived together leave together, and see [`Timed`] and [`step_aside`](super::step_aside).

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use super::framing::Framing;
use super::input::{Input, RESTING};
use super::phase::{Phase, Wait};
use super::request::{self, Request, Slots};
use super::response::{Delivery, Response};
use super::transport::{Timed, Transport};
use super::{Limits, Refusal, Service};

/// Answers that wait for those behind them leave before they are more than this.
const OUTPUT: usize = 32 * 1024;
/// What has not left by then did not leave at once.
const AT_ONCE: Duration = Duration::from_millis(200);
/// What a server that stops still gives a connection on which nothing has been sent yet.
pub const FIRST_REQUEST: Duration = Duration::from_secs(1);
/// The same for one at rest. A proxy may be sending on it just now, and hears with the answer that
/// it was the last: closed at once, such a request would be lost.
pub const LAST_REQUEST: Duration = Duration::from_millis(300);
/// How often a connection whose reading side the server has ended looks for the rest of a request.
const NAP: Duration = Duration::from_millis(5);
const CUT: Refusal = Refusal::Malformed(&("the request ends in its middle", "RFC 9112, section 8"));
/// How long, and for how many bytes, a connection that we end is read on, so that its client sees
/// the last answer: closing with bytes unread would reset it (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;

/// Why a connection ends.
enum End {
    /// The client is gone, or was idle for too long; nobody waits for an answer.
    Silent,
    /// The last answer is in the output.
    AfterAnswer,
    Refused(Refusal),
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> End {
        End::Refused(refusal)
    }
}

pub struct Connection<'a, T, S, P> {
    transport: Timed<T>,
    service: &'a S,
    phase: &'a P,
    limits: &'a Limits,
    address: IpAddr,
    input: Input,
    output: Vec<u8>,
    /// When what we wait for began: the idle time, the head or the body.
    began: Instant,
    /// When input last arrived.
    arrived: Instant,
    /// Since when answers that did not leave at once have been under way.
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

    /// One turn: lets the answers leave, waits for what is missing, and answers what is whole.
    fn live(&mut self, wait: Wait) -> Result<Wait, End> {
        // Told before the answers leave: whoever has read them finds this connection at rest.
        self.phase.waits(wait, self.began);
        let was_slow = self.flush()?;
        if was_slow {
            self.phase.waits(wait, self.began);
        }
        if wait == Wait::Request {
            self.rest();
            self.phase.steps_aside();
        }
        self.read(wait)?;
        self.answer_all()
    }

    /// Answers every request that is whole, and says what is missing of the next.
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
            // The answer will not wait, and where the next request begins will not be known.
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
        // What stands behind this request came with its last bytes: the next one has its own time.
        self.began = self.arrived;
        self.put(&response, &delivery)?;
        Ok(None)
    }

    /// Makes ready for the rest of the body behind a head of `length` bytes.
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

    /// Puts an answer behind those that wait to leave.
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

    /// Gives back what one large request has left behind, before the wait for the next.
    fn rest(&mut self) {
        self.input.rest();
        if self.output.capacity() > RESTING {
            self.output = Vec::new();
        }
        self.unread = None;
    }

    /// Waits for more input, for as long as the limits allow in all.
    fn read(&mut self, wait: Wait) -> Result<(), End> {
        let draining = self.phase.draining();
        let left = match wait {
            Wait::First if draining => FIRST_REQUEST,
            Wait::Request if draining => LAST_REQUEST,
            Wait::First | Wait::Request => self.limits.idle_time,
            Wait::Head => self.limits.head_time.saturating_sub(self.began.elapsed()),
            Wait::Body => self.limits.body_time.saturating_sub(self.began.elapsed()),
        };
        let arrived = self.fill(left);
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
            // The system's timer may run ahead of ours.
            Err(_) => Ok(()),
        }
    }

    /// One read. Where it fills the buffer to the brim, more may have arrived with it, and what
    /// has arrived together is answered together.
    fn fill(&mut self, timeout: Duration) -> io::Result<usize> {
        let transport = &mut self.transport;
        let read = self.input.fill(self.limits, |room| transport.read(timeout, room))?;
        if read > 0 && self.input.is_brimful(self.limits) {
            // An error or the end of the stream will still be there at the next read.
            let _ = self.input.fill(self.limits, |room| transport.read_waiting(room));
        }
        Ok(read)
    }

    /// Lets the answers leave; true where they did not leave at once.
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

    /// Writes what did not leave at once. Its time counts from its first byte to the last of all
    /// that follows without a pause, however slowly that is read.
    #[cold]
    fn flush_slowly(&mut self, mut written: usize) -> Result<(), End> {
        let now = Instant::now();
        let first = now.checked_sub(self.at_once()).unwrap_or(now);
        let since = *self.unread.get_or_insert(first);
        if !self.phase.busy(now) {
            return Err(End::Silent);
        }
        while written < self.output.len() {
            let left = self.limits.write_time.saturating_sub(since.elapsed());
            match self.transport.write(left, &self.output[written..]) {
                Ok(n) if n > 0 => written += n,
                _ => return Err(End::Silent),
            }
        }
        Ok(())
    }

    fn at_once(&self) -> Duration {
        AT_ONCE.min(self.limits.write_time)
    }

    /// Ends our side, then reads until the client has ended its own. Cold, so that a connection
    /// at rest holds no stack for it.
    #[cold]
    fn linger(&mut self) {
        let began = Instant::now();
        self.phase.waits(Wait::Request, began);
        if self.transport.end_writing().is_err() {
            return;
        }
        let mut scrap = [0; 512];
        let mut read = 0;
        // A drain waits for everyone, so nobody may take long.
        let patience = if self.phase.draining() { LINGER / 8 } else { LINGER };
        while read < LINGER_BYTES {
            let left = patience.saturating_sub(began.elapsed());
            match self.transport.read(left, &mut scrap) {
                Ok(n) if n > 0 => read += n,
                _ => return,
            }
        }
    }
}

/// Lets the service answer. Not inlined, so that what it needs of the stack is not held by every
/// connection at rest.
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
