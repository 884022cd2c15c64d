//! A response to bytes (RFC 9112, sections 4 to 6).

use std::borrow::Cow;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use super::request::{Refusal, Version};
use crate::encode::{decimal, json};

/// A status, header fields and a body. `Date`, `Content-Length` and `Connection` are the
/// connection's to add.
pub struct Response {
    pub status: u16,
    /// Whole lines.
    fields: Cow<'static, str>,
    body: Cow<'static, str>,
}

/// What the connection knows and the service does not.
pub struct Delivery {
    /// A HEAD request: the same answer without its body (RFC 9110, section 9.3.2).
    pub head_only: bool,
    pub version: Version,
    pub close: bool,
}

impl Response {
    pub fn new(status: u16) -> Response {
        Response::with_fields(status, "")
    }

    /// A response that begins with these fields, each a line with its end. As a constant they cost
    /// a usual answer one copy.
    pub fn with_fields(status: u16, fields: &'static str) -> Response {
        debug_assert!(fields.is_empty() || fields.ends_with("\r\n"));
        Response { status, fields: Cow::Borrowed(fields), body: Cow::Borrowed("") }
    }

    /// Adds a field. A value never holds a line end: one that does is a fault in this program.
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

    /// Adds a body. Its type is one of the fields.
    pub fn body(mut self, body: impl Into<Cow<'static, str>>) -> Response {
        self.body = body.into();
        self
    }

    /// The answer to what is not a request.
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

    /// Appends the message's bytes to `output`.
    pub fn write(&self, output: &mut Vec<u8>, delivery: &Delivery, now: SystemTime) {
        output.reserve(128 + self.fields.len() + self.body.len());
        output.extend(b"HTTP/1.1 ");
        output.extend(status_line(self.status).as_bytes());
        output.extend(b"\r\nDate: ");
        output.extend(date(now));
        output.extend(b"\r\n");
        output.extend(self.fields.as_bytes());
        // A 204 has no content and no length (RFC 9110, section 8.6).
        if self.status != 204 {
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
            output.extend(self.body.as_bytes());
        }
    }
}

fn status_line(status: u16) -> &'static str {
    match status {
        200 => "200 OK",
        204 => "204 No Content",
        303 => "303 See Other",
        400 => "400 Bad Request",
        401 => "401 Unauthorized",
        403 => "403 Forbidden",
        404 => "404 Not Found",
        405 => "405 Method Not Allowed",
        408 => "408 Request Timeout",
        413 => "413 Content Too Large",
        414 => "414 URI Too Long",
        417 => "417 Expectation Failed",
        429 => "429 Too Many Requests",
        431 => "431 Request Header Fields Too Large",
        503 => "503 Service Unavailable",
        _ => "500 Internal Server Error",
    }
}

/// The instant as an IMF-fixdate (RFC 9110, section 5.6.7).
fn date(now: SystemTime) -> [u8; 29] {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let civil = Civil::from_unix(seconds);
    let mut text = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    let weekday = (seconds / 86400 + 3) as usize % 7 * 3;
    text[0..3].copy_from_slice(&b"MonTueWedThuFriSatSun"[weekday..weekday + 3]);
    let month = (civil.month as usize - 1) * 3;
    text[8..11].copy_from_slice(&b"JanFebMarAprMayJunJulAugSepOctNovDec"[month..month + 3]);
    decimal::put(&mut text[5..7], civil.day);
    decimal::put(&mut text[12..16], civil.year);
    put_time_of_day(&mut text[17..25], seconds);
    text
}

/// Writes the digits of `hh:mm:ss` around its colons, UTC, `seconds` after the beginning of 1970.
pub fn put_time_of_day(text: &mut [u8], seconds: u64) {
    decimal::put(&mut text[0..2], seconds / 3600 % 24);
    decimal::put(&mut text[3..5], seconds / 60 % 60);
    decimal::put(&mut text[6..8], seconds % 60);
}

/// A day of the Gregorian calendar.
pub struct Civil {
    pub year: u64,
    pub month: u64,
    pub day: u64,
}

impl Civil {
    /// The day in which the second falls that comes `seconds` after the beginning of 1970, UTC.
    ///
    /// Years are counted from March, so that the leap day is the last one of its year, and in
    /// cycles of 400 years, which are all alike.
    pub fn from_unix(seconds: u64) -> Civil {
        let days = seconds / 86400 + 719_468; // since 0000-03-01
        let cycle = days / 146_097;
        let day_of_cycle = days % 146_097;
        let year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524
            - day_of_cycle / 146_096)
            / 365;
        let day_of_year =
            day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        Civil {
            year: cycle * 400 + year_of_cycle + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
        }
    }
}

/// Writes what must not wait, such as a refusal to a connection that is not served.
pub fn write_at_once(mut stream: impl Write, response: &Response) -> std::io::Result<()> {
    let mut output = Vec::new();
    let delivery = Delivery { head_only: false, version: Version::Http11, close: true };
    response.write(&mut output, &delivery, SystemTime::now());
    stream.write_all(&output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn written(response: &Response, head_only: bool, close: bool, version: Version) -> String {
        let mut output = Vec::new();
        let delivery = Delivery { head_only, version, close };
        response.write(&mut output, &delivery, UNIX_EPOCH + Duration::from_secs(784_111_777));
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_response_is_written_whole() {
        let response = Response::with_fields(200, "X: y\r\n").field("Z", "z").body("hello");
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
            !written(&Response::new(204), false, false, Version::Http11).contains("Content-Length")
        );
    }

    #[test]
    fn dates_over_leap_days_and_centuries() {
        for (seconds, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            let text = date(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(std::str::from_utf8(&text).unwrap(), expected);
        }
    }

    #[test]
    #[should_panic]
    fn a_field_cannot_forge_another() {
        let _ = Response::new(200).field("X", "y\r\nZ: z");
    }
}
