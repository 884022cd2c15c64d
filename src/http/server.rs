//! Accepting connections, a thread for each of them, and stopping.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::connection::{Connection, FIRST_REQUEST, LAST_REQUEST};
use super::crowd::Crowd;
use super::listener::{Listener, UNIX};
use super::phase::{Phase, Wait};
use super::response::{Delivery, Response};
use super::slot::Slot;
use super::{Limits, Refusal, Service};
use crate::os;
use crate::step_aside::StepAside;

/// The stack of a connection's thread. It touches a few pages of it; the rest is only address
/// space.
const STACK: usize = 256 * 1024;
/// How long we read on from a client that was refused.
const REFUSAL_TIME: Duration = Duration::from_secs(1);
/// How long the accept loop pauses when the system has run out of something.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(20);
/// The operator is told again about exhaustion that comes back after this time.
const EXHAUSTED_SILENCE: Duration = Duration::from_secs(60);

pub struct Server<S> {
    service: S,
    limits: Limits,
    started: Instant,
    crowd: Arc<Crowd>,
    /// When exhaustion was last seen.
    exhausted: Mutex<Option<Instant>>,
    draining: AtomicBool,
    /// Closed when the server stops, which wakes the accept loops.
    stopped: PipeReader,
    stopper: Mutex<Option<PipeWriter>>,
    step_aside: StepAside,
}

impl<S: Service> Server<S> {
    pub fn new(service: S, limits: Limits) -> io::Result<Arc<Server<S>>> {
        let (stopped, stopper) = io::pipe()?;
        Ok(Arc::new(Server {
            step_aside: service.step_aside(),
            service,
            started: Instant::now(),
            crowd: Crowd::new(limits.connections),
            limits,
            exhausted: Mutex::default(),
            draining: AtomicBool::new(false),
            stopped,
            stopper: Mutex::new(Some(stopper)),
        }))
    }

    pub fn service(&self) -> &S {
        &self.service
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.crowd.len()
    }

    /// Accepts connections until [`Server::stop`], whatever errors there are. The listener must not
    /// block ([`Listener::never_wait`]).
    pub fn accept(self: &Arc<Self>, listener: Listener) {
        self.crowd.accept_loop_begins();
        self.accept_all(&listener);
        // Closed before it counts as ended, so that after [`Server::stop`] nothing is bound.
        drop(listener);
        self.crowd.accept_loop_ends();
    }

    fn accept_all(self: &Arc<Self>, listener: &Listener) {
        // Connections that wait at a passed socket are left to our successor.
        while !(listener.is_passed() && self.is_draining()) {
            match listener.accept() {
                Ok((stream, address)) => self.take(stream, address),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.is_draining() {
                        return;
                    }
                    os::wait_for_input([listener.as_fd(), self.stopped.as_fd()]);
                }
                Err(error) if is_exhaustion(&error) => self.exhausted(&error),
                // The connection was gone before we accepted it, or the like.
                Err(_) => {}
            }
        }
    }

    /// Gives the connection a thread, if there is a place for it.
    fn take(self: &Arc<Self>, stream: TcpStream, address: IpAddr) {
        let slot = Arc::new(Slot::new(stream, self.micros(Instant::now())));
        let Some(place) = self.crowd.enter(&slot) else {
            self.refuse(&slot.stream, address);
            return;
        };
        let id = place.id();
        let server = Arc::clone(self);
        let thread = thread::Builder::new().stack_size(STACK).spawn(move || {
            // Owned here, so that a panic gives the place back.
            let place = place;
            match place.has_room() {
                true => server.serve(&place.slot, address),
                false => server.refuse_and_linger(&place.slot.stream, address),
            }
        });
        match thread {
            Ok(thread) => self.crowd.started(id, &slot, thread),
            Err(error) => {
                self.refuse(&slot.stream, address);
                self.exhausted(&error);
            }
        }
    }

    fn serve(&self, slot: &Slot, address: IpAddr) {
        if address == UNIX || slot.stream.set_nodelay(true).is_ok() {
            let phase = InServer { server: self, slot };
            Connection::new(&slot.stream, address, &self.service, &phase, &self.limits).run();
        }
    }

    /// Says that there is no room, without waiting for anything.
    fn refuse(&self, mut stream: &TcpStream, address: IpAddr) {
        self.service.refused(address, Refusal::Full);
        let mut output = Vec::new();
        Response::refusal(Refusal::Full).write(&mut output, &Delivery::of_refusal());
        if stream.set_nonblocking(true).is_ok() {
            let _ = stream.write_all(&output);
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    /// The same, and waits for the client to read it: otherwise what it has sent would reset the
    /// connection first.
    #[cold]
    fn refuse_and_linger(&self, mut stream: &TcpStream, address: IpAddr) {
        self.refuse(stream, address);
        let deadline = Instant::now() + REFUSAL_TIME;
        let mut scrap = [0; 2048];
        for _ in 0..8 {
            let left = deadline.saturating_duration_since(Instant::now());
            let ready = !left.is_zero()
                && stream.set_nonblocking(false).is_ok()
                && stream.set_read_timeout(Some(left)).is_ok();
            if !ready || !matches!(io::Read::read(&mut stream, &mut scrap), Ok(1..)) {
                return;
            }
        }
    }

    /// The system has no descriptor, thread or memory left for a connection. An idle one makes
    /// room, and the others get time to end.
    fn exhausted(&self, error: &io::Error) {
        self.crowd.make_room();
        let now = Instant::now();
        let mut exhausted = self.exhausted.lock().unwrap_or_else(PoisonError::into_inner);
        let said = exhausted.replace(now);
        drop(exhausted);
        if said.is_none_or(|said| now.duration_since(said) > EXHAUSTED_SILENCE) {
            self.service.notice(&format!(
                "the system cannot take another connection ({error}); idle ones make room"
            ));
        }
        thread::sleep(EXHAUSTED_PAUSE);
    }

    /// Stops accepting, lets requests in progress finish, and returns when all have, or when
    /// `patience` is over.
    pub fn stop(&self, patience: Duration) {
        let began = Instant::now();
        self.draining.store(true, SeqCst);
        drop(self.stopper.lock().unwrap_or_else(PoisonError::into_inner).take());
        if self.crowd.await_end(began + patience.min(LAST_REQUEST)) {
            return;
        }
        self.crowd.stop_those_that_wait_for(Wait::Request);
        if !self.crowd.await_end(began + patience.min(FIRST_REQUEST)) {
            self.crowd.stop_those_that_wait_for(Wait::First);
            self.crowd.await_end(began + patience);
        }
    }

    /// A point in time as slots store it.
    fn micros(&self, at: Instant) -> u64 {
        at.duration_since(self.started).as_micros() as u64
    }

    fn is_draining(&self) -> bool {
        self.draining.load(SeqCst)
    }
}

struct InServer<'a, S> {
    server: &'a Server<S>,
    slot: &'a Slot,
}

impl<S: Service> Phase for InServer<'_, S> {
    fn waits(&self, what: Wait, since: Instant) {
        self.slot.waits(what, self.server.micros(since));
        if what == Wait::Request {
            self.server.step_aside.turn();
        }
        self.server.crowd.rests();
    }

    fn busy(&self, since: Instant) -> bool {
        self.slot.busy(self.server.micros(since))
    }

    fn steps_aside(&self) {
        self.server.step_aside.before_a_wait();
    }

    fn sleeps(&self) {
        os::free_unused_stack();
    }

    fn draining(&self) -> bool {
        self.server.is_draining()
    }

    fn deaf(&self) -> bool {
        self.slot.is_deaf()
    }
}

/// Out of file descriptors (EMFILE, ENFILE) or memory (ENOMEM, ENOBUFS).
fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(12 | 23 | 24 | 55 | 105))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Head, Request, Status};
    use std::io::Read;
    use std::net::TcpListener;

    /// A service that panics where nobody catches it.
    struct Panicking;

    impl Service for Panicking {
        fn wants_body(&self, head: &Head) -> bool {
            if head.path == "/panic" {
                std::panic::resume_unwind(Box::new("without a word"));
            }
            true
        }
        fn answer(&self, _: &Request) -> Response {
            Response::new(Status::NoContent)
        }
        fn refused(&self, _: IpAddr, _: Refusal) {}
        fn notice(&self, _: &str) {}
    }

    #[test]
    fn a_panic_gives_its_place_back() {
        let server = Server::new(Panicking, Limits { connections: 1, ..Limits::DEFAULT });
        let server = server.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = Arc::clone(&server);
        listener.set_nonblocking(true).unwrap();
        thread::spawn(move || accepting.accept(Listener::tcp(listener)));
        let ask = |text: &str| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(text.as_bytes()).unwrap();
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            answer
        };
        for _ in 0..40 {
            assert_eq!(ask("POST /panic HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"), "");
        }
        let answer = ask("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
        server.stop(Duration::from_secs(5));
        assert!(server.crowd.await_end(Instant::now()));
    }
}
