//! One connection's life: read, answer, until one side has enough (RFC 9112, section 9).
//!
//! In the usual case a request costs two system calls, one read and one write: timeouts are only
//! set where they differ from the one in force, and answers to requests that arrived together
//! leave together. In a crowd there is a third, which spares the system more than it costs: see
//! `step_aside`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::body::Body;
use super::framing::Framing;
use super::request::{self, Request, Slots, Version};
use super::response::{Delivery, Response};
use super::{Limits, Refusal, Service};

/// The input buffer of a connection at rest. Small, since thousands of them rest at once; it holds
/// the requests that OAuth clients send.
const RESTING: usize = 1024;
/// What the input buffer grows to once a read has filled it.
const GROWN: usize = 16 * 1024;
/// Answers that wait for those behind them leave at this size at the latest.
const OUTPUT: usize = 64 * 1024;
/// How long, and for how many bytes, a connection that we end is read on, so that its client sees
/// the last answer: closing with bytes unread would reset it (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;

/// Stepping aside was worth it where other connections have had so many turns meanwhile.
const CROWD: u64 = 8;
/// A connection that finds itself in no crowd still steps aside once in so many waits.
const RARELY: u64 = 4096;

/// The bytes' way to the client: a TCP stream, or a script in a test.
pub trait Transport: Read + Write {
    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()>;
    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()>;
    /// Reads what is there already, and nothing where nothing is.
    fn read_waiting(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
    fn end_writing(&self) -> io::Result<()>;
    /// Whether the client has ended its side, and nothing that it sent is left to be read.
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

/// What a connection tells the server about itself, and hears from it.
pub trait Phase {
    /// Waits for a request; nothing of it has arrived.
    fn idle(&self, since: Instant);
    /// How often any connection of the server has come to wait for a request.
    fn waits(&self) -> u64;
    /// Waits for the rest of a head.
    fn in_head(&self, since: Instant);
    /// Waits for the rest of a body.
    fn in_body(&self, since: Instant);
    /// Has a request in hand. False where the server has ended this connection meanwhile.
    fn busy(&self, since: Instant) -> bool;
    /// Whether the next answer is to be the last.
    fn draining(&self) -> bool;
}

/// Why a connection ends.
enum End {
    /// The client is gone, or was idle for too long; nobody waits for an answer.
    Silent,
    /// The last answer is in the output.
    AfterAnswer,
}

/// What the next read waits for.
#[derive(PartialEq)]
enum Wait {
    Request,
    Head,
    Body,
}

pub struct Connection<'a, T, S, P> {
    transport: T,
    service: &'a S,
    phase: &'a P,
    limits: &'a Limits,
    address: IpAddr,
    input: Vec<u8>,
    output: Vec<u8>,
    /// A request whose body is not whole yet; `input` then begins with its head.
    body: Option<Body>,
    /// When what we wait for began: the idle time, the head or the body.
    began: Instant,
    /// When input last arrived.
    arrived: Instant,
    /// Whether what arrived since the last look could complete a head.
    news: bool,
    read_timeout: Duration,
    /// Waits for a request since the beginning, or since the last in a crowd and with it.
    waits: u64,
}

impl<'a, T: Transport, S: Service, P: Phase> Connection<'a, T, S, P> {
    /// A connection whose read and write timeouts are the limits' idle and write times.
    pub fn new(
        transport: T,
        address: IpAddr,
        service: &'a S,
        phase: &'a P,
        limits: &'a Limits,
    ) -> Self {
        let now = Instant::now();
        Connection {
            transport,
            service,
            phase,
            limits,
            address,
            input: Vec::new(),
            output: Vec::new(),
            body: None,
            began: now,
            arrived: now,
            news: false,
            read_timeout: limits.idle_time,
            waits: 0,
        }
    }

    /// Serves until the connection ends.
    pub fn run(mut self) {
        let end = loop {
            let wait = match self.answer_all() {
                Ok(wait) => wait,
                Err(end) => break end,
            };
            if let Err(end) = self.flush().and_then(|()| self.read(wait)) {
                break end;
            }
        };
        if let End::AfterAnswer = end
            && self.flush().is_ok()
        {
            self.linger();
        }
    }

    /// Answers every request that is whole, and says what is missing of the next.
    fn answer_all(&mut self) -> Result<Wait, End> {
        let mut at = 0;
        let mut flushed = self.arrived;
        let wait = loop {
            let another = at < self.input.len();
            if self.output.len() > OUTPUT
                || (another && flushed.elapsed() > self.limits.answer_wait)
            {
                self.flush()?;
                flushed = Instant::now();
            }
            if let Some(wait) = self.answer_one(&mut at)? {
                break wait;
            }
        };
        self.input.drain(..at);
        Ok(wait)
    }

    /// Answers the request at `at` and moves `at` behind it, or says what is missing of it.
    fn answer_one(&mut self, at: &mut usize) -> Result<Option<Wait>, End> {
        if let Some(body) = &mut self.body {
            match body.advance(&mut self.input, self.limits) {
                Ok(true) => {}
                Ok(false) => return Ok(Some(Wait::Body)),
                Err(refusal) => return Err(self.refuse(refusal)),
            }
        } else if *at == self.input.len() {
            return Ok(Some(Wait::Request));
        } else if !self.news {
            return Ok(Some(Wait::Head));
        }
        let mut slots = Slots::new();
        let (head, length) = match request::parse(&self.input[*at..], &mut slots, self.limits) {
            Ok(Some(whole)) => whole,
            Ok(None) => {
                self.news = false;
                return Ok(Some(Wait::Head));
            }
            Err(refusal) => return Err(self.refuse(refusal)),
        };
        let (body, next, close) = match (&self.body, head.framing) {
            (Some(body), _) => (body.range(), body.range().end, false),
            (None, Framing::Length(body)) if body <= self.input.len() - *at - length => {
                let start = *at + length;
                (start..start + body, start + body, false)
            }
            // The answer will not wait, and where the next request begins will not be known.
            (None, _) if !self.service.wants_body(&head) => (0..0, self.input.len(), true),
            (None, Framing::Length(body)) if body > self.limits.body => {
                return Err(self.refuse(Refusal::BodyTooLarge));
            }
            (None, framing) => {
                if head.expects_continue {
                    self.output.extend(b"HTTP/1.1 100 Continue\r\n\r\n");
                }
                self.body = Some(Body::new(length, framing));
                self.input.drain(..*at);
                *at = 0;
                self.began = self.arrived;
                return Ok(None);
            }
        };
        let delivery = Delivery {
            head_only: head.method == "HEAD",
            version: head.version,
            close: close || !head.keep_alive || self.phase.draining(),
        };
        let transport = &self.transport;
        let request = Request {
            body: &self.input[body],
            head,
            connection: self.address,
            arrived: self.arrived,
            time: SystemTime::now(),
            is_gone: &|| transport.is_gone(),
        };
        let close = answer(self.service, &request, delivery, &mut self.output);
        self.body = None;
        *at = next;
        // What stands behind this request came with its last bytes: the next one has its own time.
        self.began = self.arrived;
        match close {
            true => Err(End::AfterAnswer),
            false => Ok(None),
        }
    }

    fn refuse(&mut self, refusal: Refusal) -> End {
        self.service.refused(self.address, refusal);
        let delivery = Delivery { head_only: false, version: Version::Http11, close: true };
        Response::refusal(refusal).write(&mut self.output, &delivery, SystemTime::now());
        End::AfterAnswer
    }

    /// Waits for more input, for as long as the limits allow in all.
    fn read(&mut self, wait: Wait) -> Result<(), End> {
        let (limit, timeout) = match wait {
            Wait::Request => {
                self.rest();
                // Since the last request was whole, a little before its answer left.
                self.phase.idle(self.began);
                self.step_aside();
                (self.limits.idle_time, self.limits.idle_time)
            }
            Wait::Head => {
                self.phase.in_head(self.began);
                let left = self.limits.head_time.saturating_sub(self.began.elapsed());
                (self.limits.head_time, left)
            }
            Wait::Body => {
                self.phase.in_body(self.began);
                let left = self.limits.body_time.saturating_sub(self.began.elapsed());
                (self.limits.body_time, left)
            }
        };
        if timeout != self.read_timeout && !timeout.is_zero() {
            self.transport.set_read_timeout(timeout).map_err(|_| End::Silent)?;
            self.read_timeout = timeout;
        }
        let arrived = if wait == Wait::Request && self.phase.draining() {
            // A request that has arrived already is still answered.
            self.fill_with(|transport, space| transport.read_waiting(space))
        } else if timeout.is_zero() {
            Err(ErrorKind::TimedOut.into())
        } else {
            self.fill()
        };
        let now = Instant::now();
        if !self.phase.busy(now) {
            return Err(End::Silent);
        }
        match arrived {
            Ok(0) if wait == Wait::Request => Err(End::Silent),
            Ok(0) => Err(self.refuse(Refusal::Malformed(
                "the request ends in its middle",
                "RFC 9112, section 8",
            ))),
            Ok(_) => {
                self.arrived = now;
                if wait == Wait::Request {
                    self.began = self.arrived;
                }
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                match wait {
                    Wait::Request => Err(End::Silent),
                    // The system's timer may run ahead of ours.
                    _ if self.began.elapsed() < limit => Ok(()),
                    _ => Err(self.refuse(Refusal::Timeout)),
                }
            }
            Err(_) => Err(End::Silent),
        }
    }

    /// Lets the other threads run before the wait for the next request. In a crowd that request has
    /// arrived by then, and the system has neither to put this thread to sleep nor to wake it. At
    /// 64 connections a token request so took 10.3 in place of 12.0 microseconds of processor time,
    /// and a second had 106,000 in place of 95,000.
    ///
    /// But another program that computes takes the processor for milliseconds. So a connection for
    /// which few others had their turn meanwhile does this ever more rarely: at its 2nd wait, the
    /// 4th, the 8th and so on. Not at the first, before which there is no answer.
    fn step_aside(&mut self) {
        self.waits += 1;
        let doubled = self.waits > 1 && self.waits.is_power_of_two();
        if !doubled && !self.waits.is_multiple_of(RARELY) {
            return;
        }
        let before = self.phase.waits();
        thread::yield_now();
        if self.phase.waits() - before >= CROWD {
            self.waits = 1;
        }
    }

    /// Gives back what one large request has left behind, before the wait for the next.
    fn rest(&mut self) {
        if self.input.capacity() > RESTING {
            self.input = Vec::new();
        }
        if self.output.capacity() > RESTING {
            self.output = Vec::new();
        }
    }

    /// One read. Where it fills the buffer to the brim, more may have arrived with it, and what
    /// has arrived together is answered together.
    fn fill(&mut self) -> io::Result<usize> {
        let first = self.fill_with(|transport, space| transport.read(space))?;
        if first > 0 && self.input.len() == self.input.capacity() {
            // An error or the end of the stream will still be there at the next read.
            let _ = self.fill_with(|transport, space| transport.read_waiting(space));
        }
        Ok(first)
    }

    fn fill_with(
        &mut self,
        read: impl FnOnce(&mut T, &mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let filled = self.input.len();
        if filled == 0 && self.input.capacity() == 0 {
            self.input.reserve_exact(RESTING);
        } else if filled == self.input.capacity() {
            let size = GROWN.max(filled * 2);
            self.input.reserve_exact(size - filled);
        }
        self.input.resize(self.input.capacity(), 0);
        let result = read(&mut self.transport, &mut self.input[filled..]);
        self.input.truncate(filled + *result.as_ref().unwrap_or(&0));
        // The first bytes may be wrong at once; after them only a line's end can matter.
        self.news |= filled == 0
            || self.input[filled..].contains(&b'\n')
            || self.input.len() > self.limits.head;
        result
    }

    /// Writes the output within the write time, however slowly it is read.
    fn flush(&mut self) -> Result<(), End> {
        let mut written = match self.output.is_empty() {
            true => return Ok(()),
            false => self.transport.write(&self.output).map_err(|_| End::Silent)?,
        };
        if written < self.output.len() {
            // A partial write means that the first one has used up its time or was interrupted.
            let began = Instant::now();
            while written < self.output.len() {
                let left = self.limits.write_time.saturating_sub(began.elapsed());
                if left.is_zero() || self.transport.set_write_timeout(left).is_err() {
                    return Err(End::Silent);
                }
                match self.transport.write(&self.output[written..]) {
                    Ok(n) if n > 0 => written += n,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    _ => return Err(End::Silent),
                }
            }
        }
        self.output.clear();
        Ok(())
    }

    /// Ends our side, then reads until the client has ended its own. Cold, so that a connection
    /// at rest holds no stack for it.
    #[cold]
    fn linger(&mut self) {
        let began = Instant::now();
        self.phase.idle(began);
        if self.transport.end_writing().is_err() {
            return;
        }
        let mut scrap = [0; 512];
        let mut read = 0;
        // A drain waits for everyone, so nobody may take long.
        let patience = if self.phase.draining() { LINGER / 8 } else { LINGER };
        while read < LINGER_BYTES {
            let left = patience.saturating_sub(began.elapsed());
            if left.is_zero() || self.transport.set_read_timeout(left).is_err() {
                return;
            }
            match self.transport.read(&mut scrap) {
                Ok(n) if n > 0 => read += n,
                _ => return,
            }
        }
    }
}

/// Lets the service answer; true where the connection ends after it. Not inlined, so that what it
/// needs of the stack is not held by every connection at rest.
#[inline(never)]
fn answer<S: Service>(
    service: &S,
    request: &Request,
    mut delivery: Delivery,
    output: &mut Vec<u8>,
) -> bool {
    let response = catch_unwind(AssertUnwindSafe(|| service.answer(request)));
    let response = response.unwrap_or_else(|_| {
        service.refused(request.connection, Refusal::Panic);
        delivery.close = true;
        Response::refusal(Refusal::Panic)
    });
    response.write(output, &delivery, request.time);
    delivery.close
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Head, Status};
    use proptest::prelude::*;
    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;

    /// A client that sends these pieces, one a read, and then ends.
    struct Script {
        pieces: VecDeque<Vec<u8>>,
        writes: std::rc::Rc<RefCell<Vec<Vec<u8>>>>,
    }

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(mut piece) = self.pieces.pop_front() else { return Ok(0) };
            let n = piece.len().min(buffer.len());
            buffer[..n].copy_from_slice(&piece[..n]);
            if n < piece.len() {
                self.pieces.push_front(piece.split_off(n));
            }
            Ok(n)
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.writes.borrow_mut().push(bytes.to_vec());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Transport for Script {
        fn set_read_timeout(&self, _: Duration) -> io::Result<()> {
            Ok(())
        }
        fn set_write_timeout(&self, _: Duration) -> io::Result<()> {
            Ok(())
        }
        fn read_waiting(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.read(buffer)
        }
        fn end_writing(&self) -> io::Result<()> {
            Ok(())
        }
        fn is_gone(&self) -> bool {
            self.pieces.is_empty()
        }
    }

    /// Answers with what it was asked.
    struct Echo;

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

    /// A server in which as many others have their turn whenever the connection steps aside.
    #[derive(Default)]
    struct Among {
        others: u64,
        asked: Cell<u64>,
    }

    impl Phase for Among {
        fn idle(&self, _: Instant) {}
        fn waits(&self) -> u64 {
            self.asked.update(|asked| asked + 1);
            self.asked.get() * self.others
        }
        fn in_head(&self, _: Instant) {}
        fn in_body(&self, _: Instant) {}
        fn busy(&self, _: Instant) -> bool {
            true
        }
        fn draining(&self) -> bool {
            false
        }
    }

    /// What is written for these pieces, write by write.
    fn writes(pieces: &[&[u8]]) -> Vec<String> {
        writes_among(&Among::default(), pieces)
    }

    fn writes_among(among: &Among, pieces: &[&[u8]]) -> Vec<String> {
        // However slow this machine is, answers wait for those behind them.
        let limits = Limits { answer_wait: Duration::from_secs(3600), ..Limits::DEFAULT };
        writes_within(&limits, among, pieces)
    }

    fn writes_within(limits: &Limits, among: &Among, pieces: &[&[u8]]) -> Vec<String> {
        let writes = std::rc::Rc::default();
        let script = Script {
            pieces: pieces.iter().map(|piece| piece.to_vec()).collect(),
            writes: std::rc::Rc::clone(&writes),
        };
        let address = IpAddr::from([127, 0, 0, 1]);
        Connection::new(script, address, &Echo, among, limits).run();
        let writes = writes.borrow();
        writes.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }

    /// Status codes and echoes, in order, of everything that is written.
    fn answers(pieces: &[&[u8]]) -> String {
        let text = writes(pieces).concat().replace("HTTP/1.1 ", "\r\nHTTP/1.1 ");
        let told = |line: &str| match line.strip_prefix("HTTP/1.1 ") {
            Some(status) => Some(String::from(&status[..3])),
            None => line.starts_with('[').then(|| String::from(line)),
        };
        text.split("\r\n").filter_map(told).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_arrives_together_is_answered_together() {
        let request = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n".repeat(50);
        let writes = writes(&[&request]);
        assert_eq!(writes.len(), 1);
        assert_eq!(writes[0].matches("[GET /a ]").count(), 50);
    }

    #[test]
    fn an_answer_waits_only_so_long_for_those_behind_it() {
        let request = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n".repeat(50);
        let limits = Limits { answer_wait: Duration::ZERO, ..Limits::DEFAULT };
        let writes = writes_within(&limits, &Among::default(), &[&request]);
        assert_eq!(writes.len(), 50);
    }

    #[test]
    fn bodies_of_both_framings_and_the_request_behind_them() {
        let text = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi\
            POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyou\r\n0\r\n\r\n\
            GET /c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\n\r\n";
        assert_eq!(answers(&[text]), "200 [POST /a hi] 200 [POST /b you] 200 [GET /c ]");
    }

    #[test]
    fn continue_is_said_once_and_only_while_the_body_is_missing() {
        let head =
            b"POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
        let waited = writes(&[head, b"h", b"i"]);
        assert_eq!(waited[0], "HTTP/1.1 100 Continue\r\n\r\n");
        assert!(waited[1].ends_with("[POST /a hi]"));
        let sent = [&head[..], b"hi"].concat();
        assert!(writes(&[&sent])[0].starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn a_connection_steps_aside_in_a_crowd_and_ever_more_rarely_out_of_it() {
        let requests = [&b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..]; 100];
        // Out of a crowd after the first answer, then after 2, 4, 8, 16 and 32 more.
        for (others, expected) in [(CROWD, 100), (CROWD - 1, 6)] {
            let among = Among { others, ..Among::default() };
            assert_eq!(writes_among(&among, &requests).len(), 100);
            assert_eq!(among.asked.get() / 2, expected);
        }
    }

    #[test]
    fn an_answer_that_needs_no_body_does_not_wait_for_it() {
        let head = b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n";
        let text = writes(&[head, b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"]).concat();
        assert!(text.contains("Connection: close") && text.ends_with("[POST /early ]"), "{text}");
    }

    #[test]
    fn a_panic_is_a_500_and_the_end_of_its_connection_alone() {
        let text = writes(&[b"GET /panic HTTP/1.1\r\nHost: h\r\n\r\n"]).concat();
        assert!(text.starts_with("HTTP/1.1 500 ") && text.contains("Connection: close"), "{text}");
    }

    #[test]
    fn a_request_that_ends_in_its_middle_is_refused() {
        assert!(writes(&[b"GET / HT"]).concat().starts_with("HTTP/1.1 400 "));
        assert!(
            writes(&[b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhi"])
                .concat()
                .starts_with("HTTP/1.1 400 ")
        );
        assert!(writes(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn requests_are_the_same_however_they_are_cut(cuts in proptest::collection::vec(1usize..40, 0..40)) {
            let text = b"\r\nPOST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello\
                POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nyou\r\n2\r\n!!\r\n0\r\nX: y\r\n\r\n\
                GET /c HTTP/1.1\r\nHost: h\r\n\r\nGET\t/d HTTP/1.1\r\n\r\n";
            let strip_dates = |text: String| text.split("\r\n").filter(|line| !line.starts_with("Date")).collect::<Vec<_>>().join("\n");
            let whole = strip_dates(writes(&[text]).concat());
            let mut pieces = Vec::new();
            let mut rest = &text[..];
            for cut in cuts {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = behind;
            }
            pieces.push(rest);
            let pieces: Vec<_> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
            prop_assert_eq!(strip_dates(writes(&pieces).concat()), whole);
        }

        #[test]
        fn any_bytes_end_without_a_panic(pieces in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).filter(|piece| !piece.is_empty()).collect();
            let _ = writes(&pieces);
        }
    }
}
