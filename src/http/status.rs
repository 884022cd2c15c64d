//! The statuses that are answered (RFC 9110, section 15).

/// Declares the statuses once: no code is without its reason phrase, and nothing that goes through
/// all of them can miss one.
macro_rules! statuses {
    ($($(#[$doc:meta])* $status:ident = $code:literal $phrase:literal),* $(,)?) => {
        /// What an answer says first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Status {
            $($(#[$doc])* $status),*
        }

        impl Status {
            /// In the order in which they are declared.
            pub const ALL: &[Status] = &[$(Status::$status),*];

            /// The number, such as 404.
            pub fn code(self) -> u16 {
                match self {
                    $(Status::$status => $code),*
                }
            }

            /// Number and reason phrase, such as `404 Not Found`.
            pub fn line(self) -> &'static str {
                match self {
                    $(Status::$status => concat!($code, " ", $phrase)),*
                }
            }
        }
    };
}

statuses! {
    Ok = 200 "OK",
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
}
