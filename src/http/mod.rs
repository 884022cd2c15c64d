//! HTTP/1.1 over TCP and Unix sockets (RFC 9110, RFC 9112). Nothing here knows OAuth.
//!
//! From bytes to a request: [`request`] with its [`slots`], [`target`], [`framing`], [`body`]. From
//! a response to bytes: [`response`], [`status`], and [`refusal`] if there was no request. One
//! connection: [`connection`], with its [`input`] and its [`transport`]. All connections:
//! [`server`] (threads, stopping), its [`listener`]s, [`crowd`] (the limit on connections), and a
//! connection seen from outside: [`phase`], [`slot`]. [`network`] is a block of addresses.

pub mod body;
mod buffer;
pub mod connection;
mod crowd;
mod framing;
mod input;
pub mod listener;
pub mod network;
pub mod phase;
mod refusal;
pub mod request;
pub mod response;
pub mod server;
mod slot;
mod slots;
pub mod status;
mod target;
pub mod transport;

use std::net::IpAddr;
use std::time::Duration;

use crate::step_aside::StepAside;

pub use listener::Listener;
pub use refusal::Refusal;
pub use request::{Head, Request};
pub use response::Response;
pub use status::Status;

/// What a server does with requests.
pub trait Service: Send + Sync + 'static {
    /// Whether the answer needs the request's body. If it does not, nobody waits for the body.
    fn wants_body(&self, head: &Head) -> bool;

    fn answer(&self, request: &Request) -> Response;

    /// Called for what is not a request: it is answered with `refusal`, and the connection ends.
    fn refused(&self, connection: IpAddr, refusal: Refusal);

    /// Called with what goes wrong outside of any request, in words for the operator.
    fn notice(&self, what: &str);

    /// How connections let others run before they wait. Asked once, before the first of them.
    fn step_aside(&self) -> StepAside {
        StepAside::alone()
    }
}

/// What a stranger may cost: no connection can hold more memory, or hold a thread for longer, than
/// an honest client needs.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes from the request line to the empty line. Enough for a long URL and large cookies.
    pub head: usize,
    /// Bytes of a body. OAuth's forms are short.
    pub body: usize,
    /// From a head's first byte to its last, however slowly it arrives.
    pub head_time: Duration,
    /// From the end of a head to its body's last byte.
    pub body_time: Duration,
    /// Between requests.
    pub idle_time: Duration,
    /// How long an answer may wait for those of the requests behind it. If answers are slow, this
    /// also finds out that a client has gone: the system learns of it at one write, and tells us at
    /// the next.
    pub answer_wait: Duration,
    /// How long sending may take, however slowly the client reads.
    pub write_time: Duration,
    /// How many connections may be open at once.
    pub connections: usize,
}

impl Limits {
    pub const DEFAULT: Limits = Limits {
        head: 16 * 1024,
        body: 64 * 1024,
        head_time: Duration::from_secs(10),
        body_time: Duration::from_secs(30),
        idle_time: Duration::from_secs(30),
        answer_wait: Duration::from_millis(20),
        write_time: Duration::from_secs(30),
        connections: 4096,
    };
}

/// The most header fields of a request: more is an attack, or a loop between proxies.
pub const FIELDS: usize = 100;
