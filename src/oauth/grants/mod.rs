//! The token endpoint's `grant_type`s, one file each (RFC 6749, section 4).

mod authorization_code;
mod client_credentials;
mod device_code;
mod password;
mod refresh_token;

use std::net::IpAddr;

use super::throttle::Throttle;
use super::{Client, ErrorCode, GrantType, OAuthError, Registry, Timestamp};
use crate::encode::form::Form;
use crate::store::Store;
use crate::store::TokenResponse;

/// What the token endpoint knows by name.
pub const PARAMETERS: [&str; 11] = [
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
];

/// A token request whose client is known.
pub struct TokenRequest<'a> {
    pub registry: &'a Registry,
    pub store: &'a Store,
    pub throttle: &'a Throttle,
    pub client: &'a Client,
    pub form: &'a Form<'a>,
    pub address: IpAddr,
    pub now: Timestamp,
}

impl<'a> TokenRequest<'a> {
    /// A parameter that this grant cannot do without.
    fn required(&self, name: &'static str, source: &'static str) -> Result<&'a str, OAuthError> {
        self.form.get(name).ok_or_else(|| OAuthError::missing(name, source))
    }
}

/// Gives a token, by the grant that the request names.
pub fn grant(request: &TokenRequest) -> Result<(GrantType, TokenResponse), OAuthError> {
    let named = request.required("grant_type", "RFC 6749, section 5.2")?;
    let grant_type = GrantType::parse(named).ok_or_else(|| {
        OAuthError::new(
            ErrorCode::UnsupportedGrantType,
            "the grant_type is not one that this server knows",
            "RFC 6749, section 5.2",
        )
    })?;
    if !request.client.may(grant_type) {
        return Err(not_allowed());
    }
    let issued = match grant_type {
        GrantType::AuthorizationCode => authorization_code::grant(request),
        GrantType::ClientCredentials => client_credentials::grant(request),
        GrantType::DeviceCode => device_code::grant(request),
        GrantType::Password => password::grant(request),
        GrantType::RefreshToken => refresh_token::grant(request),
    }?;
    Ok((grant_type, issued))
}

/// The client is known, but this grant is not for it.
pub fn not_allowed() -> OAuthError {
    OAuthError::new(
        ErrorCode::UnauthorizedClient,
        "the client may not use this grant",
        "RFC 6749, section 5.2",
    )
}
