//! What the log and the metrics will say about a request, filled in as the rules find it out.

use super::{Client, GrantType, OAuthError, User};

/// Begins empty, and is only added to. When the answer is ready, the log's line and the counters
/// are made from it.
#[derive(Debug, Default)]
pub struct Outcome<'a> {
    /// The client that the request names, whether its secret is right or not, or the client of the
    /// token or device that it is about.
    pub client: Option<&'a Client>,
    /// The client has used its `previous_secret`.
    pub by_previous_secret: bool,
    /// The user that the request names, if there is one of this name, whether the password is right
    /// or not.
    pub user: Option<&'a User>,
    /// Why the request is refused, if it is.
    pub refusal: Option<OAuthError>,
    /// What goes wrong on purpose, if the configuration asks for it (`faults`).
    pub fault: Option<&'a str>,
    /// The grant by which a token was issued.
    pub issued: Option<GrantType>,
}
