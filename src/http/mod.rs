//! HTTP/1.1 over TCP and Unix sockets (RFC 9110, RFC 9112). Nothing here knows OAuth.
//!
//! Bytes to a request: [`request`], [`target`], [`framing`], [`body`]. A response to bytes:
//! [`response`], [`status`], and [`refusal`] where there was no request. One connection's life:
//! [`connection`], with its [`input`], its [`transport`] and [`step_aside`]. All of them:
//! [`server`] (threads, the drain), its [`listener`]s, [`crowd`] (the cap), and a connection seen from
//! outside: [`phase`], [`slot`]. [`network`] is a block of addresses.

pub mod body;
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
pub mod status;
mod step_aside;
mod target;
pub mod transport;

use std::net::IpAddr;
use std::time::Duration;

pub use listener::Listener;
pub use refusal::Refusal;
pub use request::{Head, Request};
pub use response::Response;
pub use status::Status;

/// What a server does with requests.
pub trait Service: Send + Sync + 'static {
    /// Whether the answer needs the request's body; where it does not, nobody waits for it.
    fn wants_body(&self, head: &Head) -> bool;

    fn answer(&self, request: &Request) -> Response;

    /// Hears of what never became a request: it is answered with `refusal` and its connection ends.
    fn refused(&self, connection: IpAddr, refusal: Refusal);

    /// Hears, in words for an operator, what goes wrong outside any request.
    fn notice(&self, what: &str);
}

/// What a stranger may cost. Each is there so that no connection can hold memory or a thread for
/// longer, or more of it, than an honest one needs.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes from the request line to the empty line: room for a long URL and large cookies.
    pub head: usize,
    /// Bytes of a body: OAuth's forms are short.
    pub body: usize,
    /// From a head's first byte to its last, however it trickles.
    pub head_time: Duration,
    /// From the end of a head to its body's last byte.
    pub body_time: Duration,
    /// Between requests.
    pub idle_time: Duration,
    /// For an answer to wait for those to the requests behind it. Where answers are slow, a client
    /// that has gone is found out by this: the system hears of it at the first write, and tells us
    /// at the next.
    pub answer_wait: Duration,
    /// For one answer to leave, however slowly it is read.
    pub write_time: Duration,
    /// Connections at once.
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

/// Header fields in one request: more is an attack or a loop between proxies.
pub const FIELDS: usize = 100;
