//! What a refused request is told.

use std::borrow::Cow;
use std::ops::Deref;

/// The `error` of an answer: each is defined where its comment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    // RFC 6749, section 5.2
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    InvalidScope,
    // RFC 6749, section 4.1.2.1
    AccessDenied,
    UnsupportedResponseType,
    TemporarilyUnavailable,
    // RFC 8628, section 3.5
    AuthorizationPending,
    SlowDown,
    ExpiredToken,
    // RFC 6750, section 3.1
    InvalidToken,
    InsufficientScope,
}

impl ErrorCode {
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::InvalidRequest => "invalid_request",
            ErrorCode::InvalidClient => "invalid_client",
            ErrorCode::InvalidGrant => "invalid_grant",
            ErrorCode::UnauthorizedClient => "unauthorized_client",
            ErrorCode::UnsupportedGrantType => "unsupported_grant_type",
            ErrorCode::InvalidScope => "invalid_scope",
            ErrorCode::AccessDenied => "access_denied",
            ErrorCode::UnsupportedResponseType => "unsupported_response_type",
            ErrorCode::TemporarilyUnavailable => "temporarily_unavailable",
            ErrorCode::AuthorizationPending => "authorization_pending",
            ErrorCode::SlowDown => "slow_down",
            ErrorCode::ExpiredToken => "expired_token",
            ErrorCode::InvalidToken => "invalid_token",
            ErrorCode::InsufficientScope => "insufficient_scope",
        }
    }
}

/// A refusal. In a box, since it is rare: results stay small, and so do the stacks that pass them
/// on.
#[derive(Clone, Debug, PartialEq)]
pub struct OAuthError(Box<Details>);

/// The code for the client's program, the description for its author, and for the server's
/// operator also where the rule stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Details {
    pub code: ErrorCode,
    /// ASCII, without `"` and `\`, and never a word of the request (RFC 6749, section 5.2).
    pub description: Cow<'static, str>,
    /// Where the rule stands, such as `RFC 6749, section 5.2`.
    pub source: &'static str,
    /// What the log says in place of the description, where that must not tell all.
    pub for_log: Option<&'static str>,
    /// Seconds after which another attempt can succeed.
    pub retry_after: Option<u64>,
}

impl Deref for OAuthError {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl OAuthError {
    #[cold]
    pub fn new(
        code: ErrorCode,
        description: impl Into<Cow<'static, str>>,
        source: &'static str,
    ) -> OAuthError {
        OAuthError(Box::new(Details {
            code,
            description: description.into(),
            source,
            for_log: None,
            retry_after: None,
        }))
    }

    /// A required parameter is not there, or has no value.
    pub fn missing(parameter: &'static str, source: &'static str) -> OAuthError {
        let description = format!("the parameter {parameter} is missing");
        OAuthError::new(ErrorCode::InvalidRequest, description, source)
    }

    /// A known parameter is there more than once.
    pub fn repeated(parameter: &'static str) -> OAuthError {
        OAuthError::new(
            ErrorCode::InvalidRequest,
            format!("the parameter {parameter} is there more than once"),
            "RFC 6749, section 3.2",
        )
    }

    pub fn malformed_form() -> OAuthError {
        OAuthError::new(
            ErrorCode::InvalidRequest,
            "the parameters are not well-formed application/x-www-form-urlencoded",
            "RFC 6749, appendix B",
        )
    }

    /// The same to the client, but the log is told more.
    pub fn logged_as(mut self, what: &'static str) -> OAuthError {
        self.0.for_log = Some(what);
        self
    }

    /// The same, with the seconds after which another attempt can succeed.
    pub fn retry_after(mut self, seconds: u64) -> OAuthError {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The sentence for the log.
    pub fn reason(&self) -> String {
        let what = self.for_log.unwrap_or(&self.description);
        format!("{what} ({})", self.source)
    }
}
