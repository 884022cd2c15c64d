//! The protocol: plain values in, `Result` out. No sockets, header fields, clock or files.
//!
//! Read the nouns first ([`error`], [`scope`], [`secret`], [`token`], [`resource`] and
//! [`registry`]), then [`store`](crate::store), which keeps what has been given out, then the rules:
//! [`client_auth`], [`audience`], the [`grants`], and [`authorize`], [`device`], [`introspect`],
//! [`revoke`] and [`bearer`].

pub mod audience;
pub mod authorize;
pub mod bearer;
pub mod client_auth;
pub mod credentials;
pub mod device;
pub mod error;
pub mod family;
pub mod fixed_token;
pub mod grace;
pub mod grants;
pub mod introspect;
pub mod origin;
pub mod outcome;
pub mod pkce;
pub mod presented;
pub mod redirect_uri;
pub mod registration;
pub mod registry;
pub mod resource;
pub mod revoke;
pub mod scope;
pub mod secret;
pub mod sign_in;
mod steps;
pub mod throttle;
pub mod token;
mod token_info;
mod user_code;
pub mod userinfo;

pub use error::{ErrorCode, OAuthError, Rule};
pub use origin::{Origin, Uptime};
pub use outcome::Outcome;
pub use registry::{Client, GrantType, Registry, User};
pub use scope::Scope;
pub use steps::Steps;
pub use throttle::Throttle;
pub use token::{FamilyName, FamilyToken, Timestamp, Token};
pub use token_info::TokenInfo;
pub use user_code::UserCode;

use crate::store::Store;

/// What is known to the server: who there is, what was given out, who has failed too often.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub registry: &'a Registry,
    pub store: &'a Store,
    pub throttle: &'a Throttle,
    pub in_turn: InTurn<'a>,
    /// `None` where nobody asked to be told.
    pub steps: Option<&'a Steps>,
}

/// Checks a secret slowly, when it is the request's turn, and says whether it was right; `None`
/// where the turn does not come.
pub type InTurn<'a> = &'a dyn Fn(&mut dyn FnMut() -> bool) -> Option<bool>;

/// The `Authorization` fields of a request, of which there may be one.
#[derive(Clone, Copy, Debug)]
pub enum Authorization<'a> {
    None,
    One(&'a [u8]),
    Several,
}

impl<'a> Authorization<'a> {
    /// From the values of the fields.
    pub fn of(values: impl IntoIterator<Item = &'a [u8]>) -> Authorization<'a> {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (None, _) => Authorization::None,
            (Some(value), None) => Authorization::One(value),
            (Some(_), Some(_)) => Authorization::Several,
        }
    }
}
