//! Bytes to a request (RFC 9112, sections 2 to 6).
//!
//! httparse reads the lines; the rules about them stand here. Where two readers of the same bytes
//! could disagree about where a request ends, it is refused: that disagreement is how requests are
//! smuggled past a proxy.

use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::time::{Instant, SystemTime};

use super::{FIELDS, Limits, Refusal};

/// A request's line and fields, borrowed from the connection's buffer.
#[derive(Debug)]
pub struct Head<'b> {
    pub method: &'b str,
    /// Without the query, percent-encoded as sent; `*` for the asterisk form.
    pub path: &'b str,
    pub query: Option<&'b str>,
    pub version: Version,
    pub fields: Fields<'b>,
    pub framing: Framing,
    /// Whether the client can take another answer on this connection (RFC 9112, section 9.3).
    pub keep_alive: bool,
    /// Whether it waits for `100 Continue` before its body (RFC 9110, section 10.1.1).
    pub expects_continue: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Version {
    Http10,
    Http11,
}

/// How the end of the body is known (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Framing {
    Length(usize),
    Chunked,
}

/// A whole request.
pub struct Request<'b> {
    pub head: Head<'b>,
    pub body: &'b [u8],
    /// The address at the connection's other end.
    pub connection: IpAddr,
    /// When its last byte was read.
    pub arrived: Instant,
    /// The time of day when its answer began.
    pub time: SystemTime,
    /// Whether its client has ended the connection by now. A look costs three system calls.
    pub is_gone: &'b dyn Fn() -> bool,
}

/// The header fields of a request.
#[derive(Debug)]
pub struct Fields<'b>(&'b [httparse::Header<'b>]);

impl<'b> Fields<'b> {
    /// The values of every field of this name, in order.
    pub fn all(&self, name: &str) -> impl DoubleEndedIterator<Item = &'b [u8]> {
        self.0
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name))
            .map(|field| field.value)
    }

    /// The value of the first field of this name.
    pub fn first(&self, name: &str) -> Option<&'b [u8]> {
        self.all(name).next()
    }
}

/// Room for the fields of a request. A connection's stack holds what usual requests have; room for
/// all that are allowed, on the heap, is for the others alone. That is a page less of memory for
/// every open connection.
pub struct Slots<'b> {
    few: [MaybeUninit<httparse::Header<'b>>; FEW],
    many: Vec<httparse::Header<'b>>,
}

const FEW: usize = 16;

impl Slots<'_> {
    pub fn new() -> Self {
        Slots { few: [MaybeUninit::uninit(); FEW], many: Vec::new() }
    }
}

/// Reads the head at the start of `bytes`, with its length in bytes; `None` where it is not whole
/// yet.
pub fn parse<'b>(
    bytes: &'b [u8],
    slots: &'b mut Slots<'b>,
    limits: &Limits,
) -> Result<Option<(Head<'b>, usize)>, Refusal> {
    let mut request = httparse::Request::new(&mut []);
    let mut status = request.parse_with_uninit_headers(bytes, &mut slots.few);
    if status == Err(httparse::Error::TooManyHeaders) {
        slots.many.resize(FIELDS, httparse::EMPTY_HEADER);
        request = httparse::Request::new(&mut slots.many);
        status = request.parse(bytes);
    }
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
        return Err(Refusal::Malformed("a line ends in a bare LF", "RFC 9112, section 2.2"));
    }
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Err(Refusal::Malformed("the request line is malformed", "RFC 9112, section 3"));
    };
    let version = match minor {
        0 => Version::Http10,
        _ => Version::Http11,
    };
    let (path, query) = split_target(method, target)?;
    let mut head = Head {
        method,
        path,
        query,
        version,
        fields: Fields(request.headers),
        framing: Framing::Length(0),
        keep_alive: version == Version::Http11,
        expects_continue: false,
    };
    apply_fields(&mut head)?;
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
    let (what, source) = match error {
        httparse::Error::TooManyHeaders => return Refusal::HeadTooLarge,
        httparse::Error::HeaderName => ("a field name is malformed", "RFC 9112, section 5.1"),
        httparse::Error::HeaderValue => ("a field value is malformed", "RFC 9110, section 5.5"),
        httparse::Error::Version => {
            ("the version is not HTTP/1.0 or HTTP/1.1", "RFC 9112, section 2.3")
        }
        httparse::Error::NewLine => ("a line end is malformed", "RFC 9112, section 2.2"),
        _ => ("the request line is malformed", "RFC 9112, section 3"),
    };
    Refusal::Malformed(what, source)
}

/// A LF without CR before it ends a line for some readers and not for others.
fn has_bare_line_feed(head: &[u8]) -> bool {
    // Without a way out early, so that it is a few instructions for many bytes.
    let pairs = head.iter().zip(&head[1..]);
    let bare =
        |found: bool, (before, byte): (&u8, &u8)| found | (*byte == b'\n' && *before != b'\r');
    pairs.fold(head.first() == Some(&b'\n'), bare)
}

/// The target's four forms (RFC 9112, section 3.2).
fn split_target<'b>(method: &str, target: &'b str) -> Result<(&'b str, Option<&'b str>), Refusal> {
    const BAD: Refusal =
        Refusal::Malformed("the request target is malformed", "RFC 9112, section 3.2");
    if target.bytes().any(|b| !b.is_ascii_graphic() || b == b'#') {
        return Err(BAD);
    }
    if target == "*" && method == "OPTIONS" {
        return Ok((target, None));
    }
    if method == "CONNECT" {
        // The authority form names no resource of ours; the route table answers it.
        return if valid_host(target.as_bytes()) && target.contains(':') {
            Ok((target, None))
        } else {
            Err(BAD)
        };
    }
    let local =
        if target.starts_with('/') { target } else { after_authority(target).ok_or(BAD)? };
    Ok(match local.split_once('?') {
        Some(("", query)) => ("/", Some(query)),
        Some((path, query)) => (path, Some(query)),
        None if local.is_empty() => ("/", None),
        None => (local, None),
    })
}

/// What follows `http://host` in the absolute form.
fn after_authority(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    (end > 0 && valid_host(&rest.as_bytes()[..end])).then(|| &rest[end..])
}

/// Reads the fields that say how the message ends and what becomes of the connection.
fn apply_fields(head: &mut Head) -> Result<(), Refusal> {
    let mut hosts = 0;
    let mut length = None;
    let mut chunked = false;
    let mut close = false;
    let mut keep = false;
    for field in head.fields.0 {
        match field.name.len() {
            4 if field.name.eq_ignore_ascii_case("host") => {
                hosts += 1;
                if !valid_host(field.value) {
                    return Err(Refusal::Malformed(
                        "the Host field is malformed",
                        "RFC 9112, section 3.2",
                    ));
                }
            }
            // HTTP/1.0 has no such field (RFC 9110, section 10.1.1).
            6 if field.name.eq_ignore_ascii_case("expect") && head.version == Version::Http11 => {
                if !field.value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(Refusal::Expectation);
                }
                head.expects_continue = true;
            }
            10 if field.name.eq_ignore_ascii_case("connection") => {
                for option in field.value.split(|&b| b == b',') {
                    close |= option.trim_ascii().eq_ignore_ascii_case(b"close");
                    keep |= option.trim_ascii().eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if field.name.eq_ignore_ascii_case("content-length") => {
                if length.is_some() {
                    return Err(Refusal::Malformed(
                        "Content-Length is there twice",
                        "RFC 9112, section 6.3",
                    ));
                }
                length = Some(content_length(field.value)?);
            }
            17 if field.name.eq_ignore_ascii_case("transfer-encoding") => {
                if chunked || !field.value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Refusal::Malformed(
                        "only the coding chunked is understood",
                        "RFC 9112, section 6.1",
                    ));
                }
                chunked = true;
            }
            _ => {}
        }
    }
    if hosts > 1 || (hosts == 0 && head.version == Version::Http11) {
        return Err(Refusal::Malformed("there must be one Host field", "RFC 9112, section 3.2"));
    }
    head.keep_alive = !close && (head.keep_alive || keep);
    head.framing = match (chunked, length) {
        (true, Some(_)) => {
            return Err(Refusal::Malformed(
                "Transfer-Encoding and Content-Length exclude each other",
                "RFC 9112, section 6.3",
            ));
        }
        (true, None) if head.version == Version::Http10 => {
            return Err(Refusal::Malformed(
                "HTTP/1.0 has no Transfer-Encoding",
                "RFC 9112, section 6.1",
            ));
        }
        (true, None) => Framing::Chunked,
        (false, length) => Framing::Length(length.unwrap_or(0)),
    };
    Ok(())
}

/// Digits only: `+5`, `0x5`, `5, 5` and nothing at all are read differently by different programs.
fn content_length(value: &[u8]) -> Result<usize, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::Malformed("Content-Length is malformed", "RFC 9112, section 6.3"));
    }
    // A length that no machine can count is past every limit, like any other of that kind.
    let longer = |length: usize, digit: &u8| {
        length.saturating_mul(10).saturating_add(usize::from(digit - b'0'))
    };
    Ok(value.iter().fold(0, longer))
}

/// `uri-host [":" port]`, or nothing (RFC 9110, section 7.2).
fn valid_host(value: &[u8]) -> bool {
    let (host, port) = match value.iter().rposition(|&b| b == b':') {
        Some(colon) if !value[colon..].contains(&b']') => (&value[..colon], &value[colon + 1..]),
        _ => (value, &[][..]),
    };
    let literal = host.starts_with(b"[") && host.ends_with(b"]") && host.len() > 2;
    let name = if literal { &host[1..host.len() - 1] } else { host };
    port.iter().all(u8::is_ascii_digit)
        && (port.is_empty() || !host.is_empty())
        && name.iter().all(|&b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => true,
            b':' => literal,
            _ => b"_~%!$&'()*+;=".contains(&b),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn the_four_forms_of_a_target() {
        for (method, target, path, query) in [
            ("GET", "/a", "/a", None),
            ("GET", "/a?b?c", "/a", Some("b?c")),
            ("GET", "http://h/a?b", "/a", Some("b")),
            ("GET", "HTTP://h:80", "/", None),
            ("GET", "http://h?b", "/", Some("b")),
            ("OPTIONS", "*", "*", None),
            ("CONNECT", "h:443", "h:443", None),
        ] {
            assert_eq!(split_target(method, target), Ok((path, query)), "{target}");
        }
        for (method, target) in [
            ("GET", "*"),
            ("GET", "a"),
            ("GET", "ftp://h/"),
            ("GET", "http:///a"),
            ("GET", "/a#b"),
            ("GET", "http://u@h/"),
            ("CONNECT", "/a"),
            ("GET", "/é"),
        ] {
            assert!(split_target(method, target).is_err(), "{target}");
        }
    }

    #[test]
    fn ambiguous_framing_is_refused() {
        for fields in [
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "Content-Length: 1\r\nContent-Length: 2",
            "Content-Length: 1, 1",
            "Content-Length: +1",
            "Content-Length:",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding:",
            "X: a\r\n b",
            "X : a",
            "X: a\rb",
            "X: a\nY: b",
            ": a",
        ] {
            let text = format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n");
            assert_eq!(refusal(&text), 400, "{fields}");
        }
        assert_eq!(refusal("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
    }

    #[test]
    fn there_is_one_host_and_it_is_a_host() {
        for fields in [
            "",
            "Host: a\r\nHost: a\r\n",
            "Host: a b\r\n",
            "Host: a/b\r\n",
            "Host: u@a\r\n",
            "Host: a:b\r\n",
            "Host: a, b\r\n",
        ] {
            assert_eq!(refusal(&format!("GET / HTTP/1.1\r\n{fields}\r\n")), 400, "{fields}");
        }
        for host in ["", "a", "a:1", "[::1]", "[::1]:80", "a.b-c_d"] {
            assert!(parsed(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).is_ok());
        }
    }

    #[test]
    fn connection_options_decide_over_the_version() {
        for (version, option, keep) in [
            ("1.1", "", true),
            ("1.1", "Close", false),
            ("1.1", "x, close", false),
            ("1.0", "", false),
            ("1.0", "Keep-Alive", true),
            ("1.0", "keep-alive, close", false),
        ] {
            let text = format!("GET / HTTP/{version}\r\nHost: h\r\nConnection: {option}\r\n\r\n");
            let mut slots = Slots::new();
            let (head, _) = parse(text.as_bytes(), &mut slots, &Limits::DEFAULT).unwrap().unwrap();
            assert_eq!(head.keep_alive, keep, "{text}");
        }
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
