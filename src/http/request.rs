//! From bytes to a request (RFC 9112, sections 2 to 6).
//!
//! httparse splits the lines; the rules about them are here. A request is refused if two readers of
//! the same bytes could disagree about where it ends: that is how requests are smuggled past a
//! proxy.

use std::net::IpAddr;
use std::time::{Instant, SystemTime};

use super::framing::{Control, Framing};
use super::slots::{self, Slots};
use super::{Limits, Refusal, target};

/// The request line and the header fields, borrowed from the connection's buffer.
#[derive(Debug)]
pub struct Head<'b> {
    pub method: &'b str,
    /// Without the query, percent-encoded as sent; `*` for the asterisk form.
    pub path: &'b str,
    pub query: Option<&'b str>,
    pub version: Version,
    pub fields: Fields<'b>,
    pub framing: Framing,
    /// Whether the client may send another request on this connection (RFC 9112, section 9.3).
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110, section
    /// 10.1.1).
    pub expects_continue: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Version {
    Http10,
    Http11,
}

/// A complete request.
pub struct Request<'b> {
    pub head: &'b Head<'b>,
    pub body: &'b [u8],
    /// The address at the other end of the connection, which may be a proxy's.
    pub connection: IpAddr,
    /// When its last byte was read.
    pub arrived: Instant,
    /// The time of day when we began to answer it.
    pub time: SystemTime,
    /// Whether the client has closed the connection by now. Asking costs three system calls.
    pub is_gone: &'b dyn Fn() -> bool,
}

/// The header fields of a request.
#[derive(Debug)]
pub struct Fields<'b>(&'b [httparse::Header<'b>]);

impl<'b> Fields<'b> {
    /// The values of all fields with this name, in order.
    pub fn all(&self, name: &str) -> impl DoubleEndedIterator<Item = &'b [u8]> {
        self.0
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value)
    }

    /// The value of the first field with this name.
    pub fn first(&self, name: &str) -> Option<&'b [u8]> {
        self.all(name).next()
    }
}

/// Reads the head at the start of `bytes`, and its length in bytes; `None` while it is incomplete.
pub fn parse<'b>(
    bytes: &'b [u8],
    slots: &'b mut Slots<'b>,
    limits: &Limits,
) -> Result<Option<(Head<'b>, usize)>, Refusal> {
    let (request, status) = slots::lines(bytes, slots);
    let length = match status {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() <= limits.head => return Ok(None),
        Ok(httparse::Status::Partial) => return Err(too_large(bytes, limits)),
        Err(error) => return Err(malformed(error)),
    };
    if length > limits.head {
        return Err(too_large(bytes, limits));
    }
    if has_bare_line_feed(&bytes[..length]) {
        return Err(Refusal::Malformed(&("a line ends in a bare LF", "RFC 9112, section 2.2")));
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Err(Refusal::Malformed(&("the request line is malformed", "RFC 9112, section 3")));
    };
    let version = match minor {
        0 => Version::Http10,
        _ => Version::Http11,
    };
    let (path, query) = target::split(method, target)?;
    let control = Control::of(request.headers, version)?;
    let head = Head {
        method,
        path,
        query,
        version,
        framing: control.framing(version)?,
        keep_alive: control.keep_alive(version),
        expects_continue: control.expects_continue,
        fields: Fields(request.headers),
    };
    Ok(Some((head, length)))
}

fn too_large(bytes: &[u8], limits: &Limits) -> Refusal {
    // Empty lines may come before the request line (RFC 9112, section 2.2).
    let line = bytes.split(|&b| b == b'\n').find(|line| line.len() > 1).unwrap_or(bytes);
    match line.last() != Some(&b'\r') || line.len() > limits.head {
        true => Refusal::TargetTooLong,
        false => Refusal::HeadTooLarge,
    }
}

fn malformed(error: httparse::Error) -> Refusal {
    Refusal::Malformed(match error {
        httparse::Error::TooManyHeaders => return Refusal::HeadTooLarge,
        httparse::Error::HeaderName => &("a field name is malformed", "RFC 9112, section 5.1"),
        httparse::Error::HeaderValue => &("a field value is malformed", "RFC 9110, section 5.5"),
        httparse::Error::Version => {
            &("the version is not HTTP/1.0 or HTTP/1.1", "RFC 9112, section 2.3")
        }
        httparse::Error::NewLine => &("a line end is malformed", "RFC 9112, section 2.2"),
        _ => &("the request line is malformed", "RFC 9112, section 3"),
    })
}

/// An LF without a CR before it ends a line for some readers and not for others.
fn has_bare_line_feed(head: &[u8]) -> bool {
    // Without an early exit, so that the compiler can check many bytes at a time.
    let pairs = head.iter().zip(&head[1..]);
    let bare =
        |found: bool, (before, byte): (&u8, &u8)| found | (*byte == b'\n' && *before != b'\r');
    pairs.fold(head.first() == Some(&b'\n'), bare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::FIELDS;
    use proptest::prelude::*;

    /// The head as its `Debug` text, or why it is none.
    fn parsed(bytes: &[u8]) -> Result<Option<(String, usize)>, Refusal> {
        parse(bytes, &mut Slots::new(), &Limits::DEFAULT)
            .map(|whole| whole.map(|(head, length)| (format!("{head:?}"), length)))
    }

    fn refusal(text: &str) -> u16 {
        parsed(text.as_bytes()).expect_err(text).status().code()
    }

    #[test]
    fn a_head_is_read_whole() {
        let text =
            b"POST /oauth/token?x=1 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhello";
        let mut slots = Slots::new();
        let (head, length) = parse(text, &mut slots, &Limits::DEFAULT).unwrap().unwrap();
        assert_eq!(length, text.len() - 5);
        assert_eq!((head.method, head.path, head.query), ("POST", "/oauth/token", Some("x=1")));
        assert_eq!(head.framing, Framing::Length(5));
        assert_eq!(head.fields.first("HOST"), Some(&b"a:80"[..]));
        assert!(head.keep_alive && !head.expects_continue);
    }

    #[test]
    fn limits_have_their_own_statuses() {
        let long = "a".repeat(Limits::DEFAULT.head);
        assert_eq!(refusal(&format!("GET /{long}")), 414);
        assert_eq!(refusal(&format!("GET /{long} HTTP/1.1\r\nHost: h\r\n\r\n")), 414);
        assert_eq!(refusal(&format!("GET / HTTP/1.1\r\nHost: h\r\nX: {long}")), 431);
        let fields = |n| format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "X: y\r\n".repeat(n));
        assert!(parsed(fields(FIELDS - 1).as_bytes()).unwrap().is_some());
        assert_eq!(refusal(&fields(FIELDS)), 431);
        assert_eq!(refusal("POST / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n"), 417);
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_fail_without_a_panic(bytes: Vec<u8>) {
            let _ = parsed(&bytes);
        }

        #[test]
        fn a_head_never_reaches_past_its_bytes(
            line in "(GET|POST|X) [ -~]{0,20} HTTP/1\\.[01]",
            fields in proptest::collection::vec("[ -~]{0,30}", 0..6),
        ) {
            let text = format!("{line}\r\n{}\r\n\r\nrest", fields.join("\r\n"));
            if let Ok(Some((_, length))) = parsed(text.as_bytes()) {
                prop_assert_eq!(&text.as_bytes()[length - 4..length], b"\r\n\r\n");
                // Cut anywhere before its end, the same head is not whole and not wrong.
                for cut in 0..length {
                    prop_assert_eq!(parsed(&text.as_bytes()[..cut]), Ok(None));
                }
            }
        }
    }
}
