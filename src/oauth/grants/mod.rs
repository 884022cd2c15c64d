//! The grants of the token endpoint: one file for each `grant_type`, with the request and the
//! answer at its top and every rule of its section in it.
//!
//! Each first reads and decides, then changes the store in one step, which happens as a whole or
//! not at all.

mod authorization_code;
mod client_credentials;
mod device_code;
mod issue;
mod password;
mod refresh_token;

use std::fmt::Arguments;

use super::{Client, ErrorCode, GrantType, Known, OAuthError, Origin, Outcome, Rule};
use super::{FamilyToken, Scope, Token};
use crate::encode::form::Form;

/// The parameters that the token endpoint knows.
pub const PARAMETERS: [&str; 12] = [
    "grant_type",
    "client_id",
    "client_secret",
    "scope",
    "username",
    "password",
    "refresh_token",
    "code",
    "redirect_uri",
    "code_verifier",
    "device_code",
    "resource",
];

/// A token request whose client has been authenticated.
pub struct TokenRequest<'k, 'r> {
    pub known: Known<'k>,
    pub client: &'k Client,
    pub form: &'r Form<'r>,
    pub origin: Origin,
}

/// What a successful token request gives (RFC 6749, section 5.1).
#[derive(Debug)]
pub struct TokenResponse {
    pub access_token: Token,
    /// In seconds.
    pub expires_in: u64,
    pub refresh_token: Option<FamilyToken>,
    pub scope: Scope,
}

impl<'r> TokenRequest<'_, 'r> {
    /// A parameter that this grant requires.
    fn required(&self, name: &'static str, source: &'static str) -> Result<&'r str, OAuthError> {
        self.known.required(self.form, name, source)
    }

    /// Refuses the request unless `holds`.
    #[inline(always)]
    fn must(&self, holds: bool, rule: Rule) -> Result<(), OAuthError> {
        self.known.must(holds, rule)
    }

    /// What was `found`; refuses the request if nothing was.
    #[inline(always)]
    fn must_find<T>(&self, found: Option<T>, rule: Rule) -> Result<T, OAuthError> {
        self.known.must_find(found, rule)
    }

    /// Adds to the explained steps what was done.
    #[inline(always)]
    fn did(&self, what: Arguments, source: &str) {
        self.known.did(what, source);
    }
}

/// One grant's rules.
type Grant =
    for<'k> fn(&TokenRequest<'k, '_>, &mut Outcome<'k>) -> Result<TokenResponse, OAuthError>;

fn of_type(grant_type: GrantType) -> Grant {
    match grant_type {
        GrantType::AuthorizationCode => authorization_code::grant,
        GrantType::ClientCredentials => client_credentials::grant,
        GrantType::DeviceCode => device_code::grant,
        GrantType::Password => password::grant,
        GrantType::RefreshToken => refresh_token::grant,
    }
}

const KNOWN_TYPE: Rule = Rule {
    code: ErrorCode::UnsupportedGrantType,
    checked: "this server supports the grant_type",
    broken: "this server does not support the grant_type",
    source: "RFC 6749, section 5.2",
};

/// "Not authorized to use this authorization grant type", at the token endpoint.
const MAY_USE: Rule = Rule {
    code: ErrorCode::UnauthorizedClient,
    checked: "its grants include {}",
    broken: "the client may not use this grant",
    source: "RFC 6749, section 5.2",
};

/// Issues a token by the grant that the request names.
pub fn grant<'k>(
    request: &TokenRequest<'k, '_>,
    outcome: &mut Outcome<'k>,
) -> Result<TokenResponse, OAuthError> {
    let named = request.required("grant_type", "RFC 6749, section 5.2")?;
    let grant_type = request.must_find(GrantType::parse(named), KNOWN_TYPE)?;
    let may_use = request.client.may(grant_type);
    request.known.must_with(may_use, MAY_USE, grant_type.short_name())?;
    let response = of_type(grant_type)(request, outcome)?;
    outcome.issued = Some(grant_type);
    Ok(response)
}

#[cfg(test)]
pub mod samples;
