//! Refusals: the error codes, the rules behind them, and the error that is sent.

use std::borrow::Cow;
use std::ops::Deref;

use crate::store::Unavailable;

/// Declares the codes once, so that the enum, its list and its words cannot disagree.
macro_rules! error_codes {
    ($($(#[$where:meta])* $code:ident = $word:literal),* $(,)?) => {
        /// The `error` of an answer. Each comment says where the code is defined.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ErrorCode {
            $($(#[$where])* $code),*
        }

        impl ErrorCode {
            /// In the order in which they are declared.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$code),*];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(ErrorCode::$code => $word),*
                }
            }
        }
    };
}

error_codes! {
    /// (RFC 6749, section 5.2)
    InvalidRequest = "invalid_request",
    /// (RFC 6749, section 5.2)
    InvalidClient = "invalid_client",
    /// (RFC 6749, section 5.2)
    InvalidGrant = "invalid_grant",
    /// (RFC 6749, section 5.2)
    UnauthorizedClient = "unauthorized_client",
    /// (RFC 6749, section 5.2)
    UnsupportedGrantType = "unsupported_grant_type",
    /// (RFC 6749, section 5.2)
    InvalidScope = "invalid_scope",
    /// (RFC 8707, section 2)
    InvalidTarget = "invalid_target",
    /// (RFC 6749, section 4.1.2.1)
    AccessDenied = "access_denied",
    /// (RFC 6749, section 4.1.2.1)
    UnsupportedResponseType = "unsupported_response_type",
    /// (RFC 6749, section 4.1.2.1)
    TemporarilyUnavailable = "temporarily_unavailable",
    /// (RFC 8628, section 3.5)
    AuthorizationPending = "authorization_pending",
    /// (RFC 8628, section 3.5)
    SlowDown = "slow_down",
    /// (RFC 8628, section 3.5)
    ExpiredToken = "expired_token",
    /// (RFC 6750, section 3.1)
    InvalidToken = "invalid_token",
    /// (RFC 6750, section 3.1)
    InsufficientScope = "insufficient_scope",
    /// (RFC 7009, section 2.2.1)
    UnsupportedTokenType = "unsupported_token_type",
    /// (RFC 7591, section 3.2.2)
    InvalidRedirectUri = "invalid_redirect_uri",
    /// (RFC 7591, section 3.2.2)
    InvalidClientMetadata = "invalid_client_metadata",
    /// Our own, like those below: a request without a token, for which OAuth has no error code.
    Unauthorized = "unauthorized",
    NotFound = "not_found",
    MethodNotAllowed = "method_not_allowed",
    /// In the log only, since it is the browser that refuses.
    OriginNotAllowed = "origin_not_allowed",
}

/// A rule of the protocol: one text for the answer to whoever breaks it, for the log, and for the
/// reader of the code.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub code: ErrorCode,
    /// What must be true, as an explained step says it; `{}` is a place for a name.
    pub checked: &'static str,
    /// What is said if it is not: ASCII, without `"` and `\`, and no word of the request (RFC 6749,
    /// section 5.2).
    pub broken: &'static str,
    /// The section that demands it, such as `RFC 6749, section 5.2`.
    pub source: &'static str,
}

impl Rule {
    /// The refusal of a request that breaks this rule.
    #[cold]
    pub fn error(&self) -> OAuthError {
        self.refusal(self.checked.into())
    }

    /// The same for a rule with a place for a name.
    #[cold]
    pub fn error_with(&self, name: &str) -> OAuthError {
        self.refusal(self.checked.replace("{}", name).into())
    }

    fn refusal(&self, checked: Cow<'static, str>) -> OAuthError {
        let mut error = OAuthError::new(self.code, self.broken, self.source);
        error.0.checked = Some(checked);
        error
    }
}

/// A refusal. Boxed, since it is rare: so results stay small, and the stack frames that pass them
/// on.
#[derive(Clone, Debug, PartialEq)]
pub struct OAuthError(Box<Details>);

/// The code is for the client, the description for its developer, and the source for the operator's
/// log.
#[derive(Clone, Debug, PartialEq)]
pub struct Details {
    pub code: ErrorCode,
    /// As [`Rule::broken`].
    pub description: Cow<'static, str>,
    /// As [`Rule::source`].
    pub source: &'static str,
    /// The rule's, for an explained step; `None` if the refusal is not of a [`Rule`].
    pub checked: Option<Cow<'static, str>>,
    /// What the log says instead, if the description must not tell everything.
    pub for_log: Option<Cow<'static, str>>,
    /// Seconds until another attempt can succeed.
    pub retry_after: Option<u64>,
    /// The server cannot do it now; the client has done nothing wrong.
    pub is_unavailable: bool,
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
        let description = description.into();
        debug_assert!(description.bytes().all(is_legal), "{description}");
        OAuthError(Box::new(Details {
            code,
            description,
            source,
            checked: None,
            for_log: None,
            retry_after: None,
            is_unavailable: false,
        }))
    }

    /// A required parameter is missing, or has no value.
    pub fn missing(parameter: &'static str, source: &'static str) -> OAuthError {
        let description = format!("the parameter {parameter} is missing");
        OAuthError::new(ErrorCode::InvalidRequest, description, source)
    }

    /// A known parameter appears more than once.
    pub fn repeated(parameter: &'static str, source: &'static str) -> OAuthError {
        OAuthError::new(
            ErrorCode::InvalidRequest,
            format!("the parameter {parameter} appears more than once"),
            source,
        )
    }

    pub fn malformed_form() -> OAuthError {
        OAuthError::new(
            ErrorCode::InvalidRequest,
            "the parameters are not well-formed application/x-www-form-urlencoded",
            "RFC 6749, appendix B",
        )
    }

    /// The same for the client, but the log says more.
    pub fn logged_as(mut self, what: impl Into<Cow<'static, str>>) -> OAuthError {
        self.0.for_log = Some(what.into());
        self
    }

    /// The same, with the seconds until another attempt can succeed.
    pub fn retry_after(mut self, seconds: u64) -> OAuthError {
        self.0.retry_after = Some(seconds);
        self
    }

    /// The same, for a state of the server that should be over after these seconds.
    pub fn unavailable_for(mut self, seconds: u64) -> OAuthError {
        self.0.is_unavailable = true;
        self.retry_after(seconds)
    }

    /// The sentence for the log.
    pub fn reason(&self) -> String {
        let what = self.for_log.as_ref().unwrap_or(&self.description);
        format!("{what} ({})", self.source)
    }
}

impl From<Unavailable> for OAuthError {
    fn from(unavailable: Unavailable) -> OAuthError {
        const NOW: Rule = Rule {
            code: ErrorCode::TemporarilyUnavailable,
            checked: "the server's token store is available",
            broken: "the server's token store is not available now, try again later",
            source: "RFC 9110, section 15.6.4",
        };
        NOW.error().unavailable_for(unavailable.retry_after)
    }
}

/// Whether an error or its description may have this character (RFC 6749, section 5.2).
fn is_legal(character: u8) -> bool {
    matches!(character, b' '..=b'~') && !b"\"\\".contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_only_the_characters_that_it_may_have() {
        for code in ErrorCode::ALL {
            assert!(code.as_str().bytes().all(is_legal), "{code:?}");
        }
        // Whatever any test makes the program say is looked at where it is said.
        let is_said = |text: &'static str| {
            let say = || OAuthError::new(ErrorCode::InvalidRequest, text, "");
            std::panic::catch_unwind(say).is_ok()
        };
        assert!(is_said("it's ~ so!"));
        for text in ["\"so\"", "so\\", "s\u{f6}", "so\n", "so\u{7f}"] {
            assert_eq!(is_said(text), !cfg!(debug_assertions), "{text:?}");
        }
    }
}
