//! The protocol, as functions of plain values: no sockets, header fields, clock or files. They all
//! speak the same few words:
//!
//! - [`Known`] is what a rule may know; it reaches every rule as an argument.
//! - A [`Rule`] is one demand of an RFC. `known.must(holds, RULE)?` goes on if it holds and otherwise
//!   refuses the request with the rule's error; `must_find` does so for what has to be there.
//! - An [`OAuthError`] is a refusal: the RFC's error code, a description for the client's developer,
//!   and what only the log may say (`logged_as`).
//! - `known.did(…)` and `checked` add an *explained step* for whoever asked to be told ([`Steps`]).
//! - An [`Outcome`] collects what the log and the metrics will say about the request.
//! - An [`Audience`](audience::Audience) is the protected resource that a token is for (RFC 8707);
//!   with the demo data there is none, and these rules pass everything.

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

/// What a rule may know: the configuration, what was issued, who has failed too often.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The clients, users and resources of the configuration.
    pub registry: &'a Registry,
    pub store: &'a Store,
    /// Counts failed attempts.
    pub throttle: &'a Throttle,
    pub in_turn: InTurn<'a>,
    /// The explained steps so far; `None` unless someone asked for them.
    pub steps: Option<&'a Steps>,
}

/// Runs a slow check of a secret when it is the request's turn, and returns its result; `None` if
/// the turn does not come in time.
pub type InTurn<'a> = &'a dyn Fn(&mut dyn FnMut() -> bool) -> Option<bool>;

/// The `Authorization` fields of a request: there should be one at most.
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
