//! What a request comes to, filled in as the rules find it out.

use super::{Client, GrantType, OAuthError, User};

/// Begins empty and only ever gains: whoever learns something about a request writes it here, and
/// when the answer is ready the log's line and the counters are made of it.
#[derive(Debug, Default)]
pub struct Outcome<'a> {
    /// Who is named as the client, right secret or not, or whose token or device this is about.
    pub client: Option<&'a Client>,
    /// The client has shown the secret that is to be taken out.
    pub by_previous_secret: bool,
    /// The person who is named, where there is such a one, right password or not.
    pub user: Option<&'a User>,
    /// Why the request is refused, where it is.
    pub refusal: Option<OAuthError>,
    /// What goes wrong on purpose, where tests have asked for it.
    pub fault: Option<&'a str>,
    /// The grant by which a token was given.
    pub issued: Option<GrantType>,
}
