//! The answers to bytes that are not a request, and to a connection that there is no room for.

use super::Status;

/// Why there is no request to serve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Refusal {
    /// It breaks the grammar, or its end is ambiguous: what is wrong, and the section of the rule.
    Malformed(&'static (&'static str, &'static str)),
    HeadTooLarge,
    TargetTooLong,
    BodyTooLarge,
    /// The head or the body did not arrive in time.
    Timeout,
    /// An `Expect` other than `100-continue`.
    Expectation,
    /// No room for another connection.
    Full,
    /// The service panicked.
    Panic,
}

impl Refusal {
    pub fn status(self) -> Status {
        match self {
            Refusal::Malformed(..) => Status::BadRequest,
            Refusal::Timeout => Status::RequestTimeout,
            Refusal::BodyTooLarge => Status::ContentTooLarge,
            Refusal::TargetTooLong => Status::UriTooLong,
            Refusal::Expectation => Status::ExpectationFailed,
            Refusal::HeadTooLarge => Status::RequestHeaderFieldsTooLarge,
            Refusal::Panic => Status::InternalServerError,
            Refusal::Full => Status::ServiceUnavailable,
        }
    }

    /// The error code and a sentence about it, for the answer.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Refusal::Malformed((what, _)) => ("bad_request", what),
            Refusal::Timeout => ("request_timeout", "the request took too long to arrive"),
            Refusal::BodyTooLarge => ("content_too_large", "the body is too large"),
            Refusal::TargetTooLong => ("uri_too_long", "the request target is too long"),
            Refusal::Expectation => {
                ("expectation_failed", "the only expectation supported is 100-continue")
            }
            Refusal::HeadTooLarge => (
                "request_header_fields_too_large",
                "the request has too many or too large header fields",
            ),
            Refusal::Panic => ("internal_error", "the server failed to answer"),
            Refusal::Full => ("temporarily_unavailable", "too many connections, try again"),
        }
    }

    /// The same sentence and the section of the rule, for the log.
    pub fn reason(self) -> String {
        format!("{} ({})", self.words().1, self.source())
    }

    fn source(self) -> &'static str {
        match self {
            Refusal::Malformed((_, source)) => source,
            Refusal::Timeout => "RFC 9110, section 15.5.9",
            Refusal::BodyTooLarge => "RFC 9110, section 15.5.14",
            Refusal::TargetTooLong => "RFC 9110, section 15.5.15",
            Refusal::Expectation => "RFC 9110, section 10.1.1",
            Refusal::HeadTooLarge => "RFC 6585, section 5",
            Refusal::Panic => "RFC 9110, section 15.6.1",
            Refusal::Full => "RFC 9110, section 15.6.4",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_hears_where_the_rule_stands_and_the_client_does_not() {
        let refusal = Refusal::Malformed(&("a line ends in a bare LF", "RFC 9112, section 2.2"));
        assert_eq!(refusal.words(), ("bad_request", "a line ends in a bare LF"));
        assert_eq!(refusal.reason(), "a line ends in a bare LF (RFC 9112, section 2.2)");
    }
}
