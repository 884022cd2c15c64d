//! What a token is, for those who have to know (RFC 7662).

use super::{Client, Known, Timestamp};
use crate::store::TokenInfo;

/// What `client` is told of a token: everything of a live access token, whoever's it is, since an
/// API has to check its callers' tokens; of a refresh token only its own client hears. `None` is
/// "not active", whatever the reason (RFC 7662, section 2.2).
pub fn introspect(
    known: &Known,
    token: &str,
    client: &Client,
    now: Timestamp,
) -> Option<TokenInfo> {
    let facts = known.store.token(token, now)?;
    (!facts.is_refresh_token || facts.client == client.id).then_some(facts)
}
