//! From a response to bytes (RFC 9112, sections 4 to 6).

use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};

use super::request::{Head, Version};
use super::{Refusal, Status};
use crate::encode::{date, decimal, json};

/// The longest status line, `Date`, `Content-Length` and `Connection`, and the empty line.
const STATUS_AND_OWN_FIELDS: usize = 192;

/// A status, header fields and a body. The connection adds `Date`, `Content-Length` and
/// `Connection`.
pub struct Response {
    pub status: Status,
    /// Complete lines.
    fields: Cow<'static, str>,
    body: Cow<'static, str>,
    sent: Sent,
}

/// How much of an answer is sent. If it is not all, the connection ends after it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sent {
    Whole,
    /// Without half of its body.
    Half,
    Nothing,
}

/// What the connection knows and the service does not.
pub struct Delivery {
    /// A HEAD request: the same answer without its body (RFC 9110, section 9.3.2).
    pub head_only: bool,
    pub version: Version,
    /// Whether the connection ends after this answer.
    pub close: bool,
    pub time: SystemTime,
}

impl Delivery {
    /// For an answer to the request with this head, now.
    pub fn to(head: &Head, close: bool) -> Delivery {
        let time = SystemTime::now();
        Delivery { head_only: head.method == "HEAD", version: head.version, close, time }
    }

    /// For the last answer, to what is not a request.
    pub fn of_refusal() -> Delivery {
        let time = SystemTime::now();
        Delivery { head_only: false, version: Version::Http11, close: true, time }
    }
}

impl Response {
    pub fn new(status: Status) -> Response {
        Response::with_fields(status, "")
    }

    /// A response that begins with these fields, each a line with its CRLF. Being a constant, they
    /// cost a usual answer one copy.
    pub fn with_fields(status: Status, fields: &'static str) -> Response {
        debug_assert!(fields.is_empty() || fields.ends_with("\r\n"));
        Response {
            status,
            fields: Cow::Borrowed(fields),
            body: Cow::Borrowed(""),
            sent: Sent::Whole,
        }
    }

    /// Adds a field. Its value must not contain a line end: that would be a fault of this program.
    pub fn field(mut self, name: &str, value: &str) -> Response {
        self.add(name, value);
        self
    }

    /// The same in place.
    pub fn add(&mut self, name: &str, value: &str) {
        assert!(!value.bytes().any(|b| b == b'\r' || b == b'\n'));
        let fields = self.fields.to_mut();
        for part in [name, ": ", value, "\r\n"] {
            fields.push_str(part);
        }
    }

    /// The values of the fields with exactly this name.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields
            .split("\r\n")
            .filter_map(|line| line.split_once(": "))
            .filter_map(move |(own, value)| (own == name).then_some(value))
    }

    /// Adds a body. The fields must name its type.
    pub fn body(mut self, body: impl Into<Cow<'static, str>>) -> Response {
        self.body = body.into();
        self
    }

    /// The same, but half of the body is lost.
    pub fn half(mut self) -> Response {
        self.sent = Sent::Half;
        self
    }

    /// The same, but all of it is lost.
    pub fn nothing(mut self) -> Response {
        self.sent = Sent::Nothing;
        self
    }

    /// Whether the connection ends after it, since not all of it is sent.
    pub fn is_cut(&self) -> bool {
        self.sent != Sent::Whole
    }

    /// The answer to what is not a request.
    #[cold]
    #[inline(never)]
    pub fn refusal(refusal: Refusal) -> Response {
        let (error, description) = refusal.words();
        let body = json::Object::new()
            .string("error", error)
            .string("error_description", description)
            .finish();
        let fields = "Content-Type: application/json\r\n";
        let response = Response::with_fields(refusal.status(), fields).body(body);
        match refusal {
            Refusal::Full => response.field("Retry-After", "1"),
            _ => response,
        }
    }

    /// The most bytes that it can have.
    pub fn size(&self) -> usize {
        STATUS_AND_OWN_FIELDS + self.fields.len() + self.body.len()
    }

    /// Appends the message's bytes to `output`.
    pub fn write(&self, output: &mut Vec<u8>, delivery: &Delivery) {
        if self.sent == Sent::Nothing {
            return;
        }
        let since = delivery.time.duration_since(UNIX_EPOCH);
        let seconds = since.map_or(0, |since| since.as_secs());
        output.reserve(self.size());
        output.extend(b"HTTP/1.1 ");
        output.extend(self.status.line().as_bytes());
        output.extend(b"\r\nDate: ");
        output.extend(date::imf_fixdate(seconds));
        output.extend(b"\r\n");
        output.extend(self.fields.as_bytes());
        // A 204 has no content and no length (RFC 9110, section 8.6).
        if self.status != Status::NoContent {
            output.extend(b"Content-Length: ");
            decimal::each_digit(self.body.len() as u64, &mut |digit| output.push(digit));
            output.extend(b"\r\n");
        }
        if delivery.close {
            output.extend(b"Connection: close\r\n");
        } else if delivery.version == Version::Http10 {
            output.extend(b"Connection: keep-alive\r\n");
        }
        output.extend(b"\r\n");
        if !delivery.head_only {
            let body = self.body.as_bytes();
            let cut = if self.sent == Sent::Half { body.len() / 2 } else { body.len() };
            output.extend(&body[..cut]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn written(response: &Response, head_only: bool, close: bool, version: Version) -> String {
        let mut output = Vec::new();
        let time = UNIX_EPOCH + Duration::from_secs(784_111_777);
        response.write(&mut output, &Delivery { head_only, version, close, time });
        assert!(output.len() <= response.size());
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_response_is_written_whole() {
        let response = Response::with_fields(Status::Ok, "X: y\r\n").field("Z", "z").body("hello");
        assert_eq!(
            written(&response, false, false, Version::Http11),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nX: y\r\nZ: z\r\nContent-Length: 5\r\n\r\nhello"
        );
        assert!(
            written(&response, true, true, Version::Http11)
                .ends_with("Content-Length: 5\r\nConnection: close\r\n\r\n")
        );
        assert!(
            written(&response, true, false, Version::Http10)
                .ends_with("Connection: keep-alive\r\n\r\n")
        );
        assert!(
            !written(&Response::new(Status::NoContent), false, false, Version::Http11)
                .contains("Content-Length")
        );
    }

    #[test]
    fn what_gets_lost_is_not_written() {
        let response = Response::new(Status::Other(499)).body("hello");
        assert!(!response.is_cut());
        let half = written(&response.half(), false, false, Version::Http11);
        assert!(half.starts_with("HTTP/1.1 499 \r\n"), "{half}");
        assert!(half.ends_with("Content-Length: 5\r\n\r\nhe"), "{half}");
        let nothing = Response::new(Status::Ok).body("hello").nothing();
        assert!(nothing.is_cut());
        assert_eq!(written(&nothing, false, false, Version::Http11), "");
    }

    #[test]
    fn no_response_is_larger_than_it_says() {
        for &status in Status::ALL {
            written(&Response::new(status).body("x".repeat(70_000)), false, false, Version::Http10);
        }
    }

    #[test]
    #[should_panic]
    fn a_field_cannot_forge_another() {
        let _ = Response::new(Status::Ok).field("X", "y\r\nZ: z");
    }
}
