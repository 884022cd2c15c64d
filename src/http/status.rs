//! The statuses that the server answers with (RFC 9110, section 15).

use std::sync::LazyLock;

/// Declares the statuses once, so that each has its reason phrase and the list of all has each.
macro_rules! statuses {
    ($($(#[$doc:meta])* $status:ident = $code:literal $phrase:literal),* $(,)?) => {
        /// The status of an answer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Status {
            $($(#[$doc])* $status,)*
            /// Another one from 400 to 599, for the bench for tests.
            Other(u16),
        }

        impl Status {
            /// In the order in which they are declared.
            pub const ALL: &[Status] = &[$(Status::$status),*];

            /// The number, such as 404.
            pub fn code(self) -> u16 {
                match self {
                    $(Status::$status => $code,)*
                    Status::Other(code) => code,
                }
            }

            /// The number and the reason phrase, such as `404 Not Found`.
            pub fn line(self) -> &'static str {
                match self {
                    $(Status::$status => concat!($code, " ", $phrase),)*
                    Status::Other(code) => other_line(code),
                }
            }
        }
    };
}

statuses! {
    Ok = 200 "OK",
    Created = 201 "Created",
    NoContent = 204 "No Content",
    SeeOther = 303 "See Other",
    BadRequest = 400 "Bad Request",
    Unauthorized = 401 "Unauthorized",
    Forbidden = 403 "Forbidden",
    NotFound = 404 "Not Found",
    MethodNotAllowed = 405 "Method Not Allowed",
    RequestTimeout = 408 "Request Timeout",
    ContentTooLarge = 413 "Content Too Large",
    UriTooLong = 414 "URI Too Long",
    ExpectationFailed = 417 "Expectation Failed",
    /// (RFC 6585, section 4)
    TooManyRequests = 429 "Too Many Requests",
    /// (RFC 6585, section 5)
    RequestHeaderFieldsTooLarge = 431 "Request Header Fields Too Large",
    InternalServerError = 500 "Internal Server Error",
    ServiceUnavailable = 503 "Service Unavailable",
}

impl Status {
    /// The status with this number, if it is an error.
    pub fn numbered(code: u16) -> Option<Status> {
        let named = Status::ALL.iter().copied().find(|status| status.code() == code);
        (400..600).contains(&code).then_some(named.unwrap_or(Status::Other(code)))
    }
}

/// The number without a reason phrase, which may be empty (RFC 9112, section 4).
fn other_line(code: u16) -> &'static str {
    static LINES: LazyLock<Vec<String>> =
        LazyLock::new(|| (0..600).map(|code| format!("{code} ")).collect());
    &LINES[usize::from(code)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_with_its_code() {
        assert_eq!(Status::NotFound.line(), "404 Not Found");
        for status in Status::ALL {
            assert_eq!(status.line()[..4], format!("{} ", status.code()));
        }
    }

    #[test]
    fn a_number_is_that_of_an_error() {
        assert_eq!(Status::numbered(503), Some(Status::ServiceUnavailable));
        assert_eq!(Status::numbered(418), Some(Status::Other(418)));
        assert_eq!((Status::numbered(399), Status::numbered(600)), (None, None));
    }
}
