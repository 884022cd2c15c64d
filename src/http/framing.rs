//! What the header fields say about the end of the request, and about the connection after it (RFC
//! 9112, sections 6 and 9.3).

use super::request::Version;
use super::{Refusal, target};

/// How to find the end of the body (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Framing {
    Length(usize),
    Chunked,
}

/// What the fields that matter to the connection say together.
#[derive(Default)]
pub struct Control {
    hosts: usize,
    length: Option<usize>,
    chunked: bool,
    close: bool,
    keep: bool,
    /// Whether the client waits for `100 Continue` before it sends the body (RFC 9110, section
    /// 10.1.1).
    pub expects_continue: bool,
}

impl Control {
    /// Reads the fields of a head.
    pub fn of(fields: &[httparse::Header], version: Version) -> Result<Control, Refusal> {
        let mut control = Control::default();
        for field in fields {
            control.take(field, version)?;
        }
        if control.hosts > 1 || (control.hosts == 0 && version == Version::Http11) {
            return Err(Refusal::Malformed(&(
                "there must be one Host field",
                "RFC 9112, section 3.2",
            )));
        }
        Ok(control)
    }

    /// Most fields are none of these, and already their length shows it.
    fn take(&mut self, field: &httparse::Header, version: Version) -> Result<(), Refusal> {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        match field.name.len() {
            4 if is("host") => {
                self.hosts += 1;
                if !target::is_host(field.value) {
                    return Err(Refusal::Malformed(&(
                        "the Host field is malformed",
                        "RFC 9112, section 3.2",
                    )));
                }
            }
            // In HTTP/1.0 it is ignored (RFC 9110, section 10.1.1).
            6 if is("expect") && version == Version::Http11 => {
                if !field.value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(Refusal::Expectation);
                }
                self.expects_continue = true;
            }
            10 if is("connection") => {
                for option in field.value.split(|&b| b == b',') {
                    self.close |= option.trim_ascii().eq_ignore_ascii_case(b"close");
                    self.keep |= option.trim_ascii().eq_ignore_ascii_case(b"keep-alive");
                }
            }
            14 if is("content-length") => self.take_length(field.value)?,
            17 if is("transfer-encoding") => self.take_coding(field.value)?,
            _ => {}
        }
        Ok(())
    }

    fn take_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.length.is_some() {
            return Err(Refusal::Malformed(&(
                "there are two Content-Length fields",
                "RFC 9112, section 6.3",
            )));
        }
        self.length = Some(content_length(value)?);
        Ok(())
    }

    fn take_coding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::Malformed(&(
                "the only transfer coding supported is chunked",
                "RFC 9112, section 6.1",
            )));
        }
        self.chunked = true;
        Ok(())
    }

    /// Whether the client may send another request on this connection (RFC 9112, section 9.3).
    pub fn keep_alive(&self, version: Version) -> bool {
        !self.close && (self.keep || version == Version::Http11)
    }

    pub fn framing(&self, version: Version) -> Result<Framing, Refusal> {
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Refusal::Malformed(&(
                "Transfer-Encoding and Content-Length are both present",
                "RFC 9112, section 6.3",
            ))),
            (true, None) if version == Version::Http10 => Err(Refusal::Malformed(&(
                "HTTP/1.0 has no Transfer-Encoding",
                "RFC 9112, section 6.1",
            ))),
            (true, None) => Ok(Framing::Chunked),
            (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }
}

/// Digits only: programs disagree about `+5`, `0x5`, `5, 5` and an empty value.
fn content_length(value: &[u8]) -> Result<usize, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::Malformed(&("Content-Length is malformed", "RFC 9112, section 6.3")));
    }
    // A length that overflows exceeds every limit, like any other that is too large.
    let longer = |length: usize, digit: &u8| {
        length.saturating_mul(10).saturating_add(usize::from(digit - b'0'))
    };
    Ok(value.iter().fold(0, longer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Limits;
    use crate::http::request;
    use crate::http::slots::Slots;

    fn status(text: &str) -> u16 {
        request::parse(text.as_bytes(), &mut Slots::new(), &Limits::DEFAULT)
            .expect_err(text)
            .status()
            .code()
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
            assert_eq!(status(&text), 400, "{fields}");
        }
        assert_eq!(status("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
    }

    #[test]
    fn there_is_one_host_and_it_is_a_host() {
        for fields in [
            "",
            "Host: a\r\nHost: a\r\n",
            "Host: a b\r\n",
            "Host: a%zz\r\n",
            "Host: a/b\r\n",
            "Host: u@a\r\n",
            "Host: a:b\r\n",
            "Host: a, b\r\n",
        ] {
            assert_eq!(status(&format!("GET / HTTP/1.1\r\n{fields}\r\n")), 400, "{fields}");
        }
        for host in ["", "a", "a:1", "[::1]", "[::1]:80", "a.b-c_d"] {
            let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert!(request::parse(text.as_bytes(), &mut Slots::new(), &Limits::DEFAULT).is_ok());
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
            let (head, _) =
                request::parse(text.as_bytes(), &mut slots, &Limits::DEFAULT).unwrap().unwrap();
            assert_eq!(head.keep_alive, keep, "{text}");
        }
    }

    #[test]
    fn fields_of_the_same_length_say_nothing_about_the_connection() {
        let text = "POST / HTTP/1.1\r\nHost: h\r\nFrom: a b\r\nAccept: tea\r\nUser-Agent: close\r\n\
            Accept-Charset: 5\r\nIf-Modified-Since: chunked\r\n\r\n";
        let mut slots = Slots::new();
        let whole = request::parse(text.as_bytes(), &mut slots, &Limits::DEFAULT);
        let (head, _) = whole.unwrap().unwrap();
        assert_eq!(head.framing, Framing::Length(0));
        assert!(head.keep_alive && !head.expects_continue);
    }

    #[test]
    fn http_1_0_knows_no_expectation() {
        let text = "POST / HTTP/1.0\r\nExpect: tea\r\n\r\n";
        let mut slots = Slots::new();
        let whole = request::parse(text.as_bytes(), &mut slots, &Limits::DEFAULT);
        assert!(!whole.unwrap().unwrap().0.expects_continue);
    }
}
