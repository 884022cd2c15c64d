//! What the server knows about a live token, for the bearer check and for introspection.

use super::audience::{self, Audience};
use super::grace::token_of;
use super::{Client, FamilyToken, Known, Outcome, Registry, Scope, Timestamp, Token, User};
use crate::store::{AccessToken, Family, Found, Key, RefreshToken};

/// A live token. Its client, user and resource are in the configuration.
#[derive(Clone, Debug)]
pub struct TokenInfo<'k> {
    pub is_refresh_token: bool,
    pub client: &'k Client,
    /// `None` if the client acts for itself.
    pub user: Option<&'k User>,
    /// The resource that it is for, which accepts this client's and this user's tokens.
    pub audience: Audience<'k>,
    pub(super) granted: Scope,
    /// `None` for a token from the configuration.
    pub issued_at: Option<Timestamp>,
    /// `None` if it never expires.
    pub expires: Option<Timestamp>,
}

impl<'k> TokenInfo<'k> {
    /// The access token that was presented, if it is valid.
    pub fn of_access_token(known: &Known<'k>, presented: &str, now: Timestamp) -> Found<Self> {
        let Some(key) = Token::key_of(presented) else { return Ok(None) };
        TokenInfo::of_key(known, key, now)
    }

    /// Not inlined, so that the stack of the hash is not on top of it: that would cost every
    /// connection at rest a page.
    #[inline(never)]
    fn of_key(known: &Known<'k>, key: Key, now: Timestamp) -> Found<Self> {
        if let Some(fixed) = known.registry.fixed_tokens.get(&key) {
            return Ok(fixed.info(known.registry, now));
        }
        let row = known.store.access_token(&key, now)?;
        Ok(row.and_then(|row| TokenInfo::of_row(known.registry, row)))
    }

    /// The token of a row, whether it has expired or not.
    pub fn of_row(registry: &'k Registry, row: AccessToken) -> Option<Self> {
        let client = registry.client_numbered(row.client)?;
        let user = match row.user {
            Some(number) => Some(registry.user_numbered(number)?),
            None => None,
        };
        Some(TokenInfo {
            is_refresh_token: false,
            client,
            user,
            audience: audience::in_force(registry, row.resource, (client, user))?,
            granted: row.scope,
            issued_at: Some(row.issued_at),
            expires: Some(row.expires),
        })
    }

    /// The refresh token that was presented, if it is valid. A used one is not, even within its
    /// grace.
    pub fn of_refresh_token(known: &Known<'k>, presented: &str, now: Timestamp) -> Found<Self> {
        let Some(token) = FamilyToken::parse(presented) else { return Ok(None) };
        let row = known.store.family(&token.family.key(), now)?;
        let good = row.and_then(|row| {
            let token = token_of(&row, &token.key()).filter(|token| token.is_good(now))?;
            TokenInfo::of_family(known.registry, &row, &token)
        });
        Ok(good)
    }

    /// A refresh token of a family, whether it has expired or not.
    pub fn of_family(registry: &'k Registry, row: &Family, token: &RefreshToken) -> Option<Self> {
        let client = registry.client_numbered(row.client)?;
        let user = Some(registry.user_numbered(row.user)?);
        Some(TokenInfo {
            is_refresh_token: true,
            client,
            user,
            audience: audience::in_force(registry, row.resource, (client, user))?,
            granted: row.scope.clone(),
            issued_at: Some(token.issued_at),
            expires: Some(token.expires),
        })
    }

    /// What it may be used for now: the part of what was granted that its client and its user may
    /// still have. A scope that returns to the configuration returns to the token.
    pub fn scope(&self) -> Scope {
        self.granted.left_to(self.client, self.user)
    }

    /// Adds an explained step that says whose token it is and what for.
    pub fn explain(&self, known: &Known) {
        if known.steps.is_none() {
            return;
        }
        let (client, scope) = (&self.client.id, self.scope());
        let user = self.user.map_or("", |user| &user.name);
        let user = if user.is_empty() { "itself" } else { user };
        let scope = if scope.is_empty() { "no scope" } else { scope.as_str() };
        let what = format_args!("it was issued to client {client}, for {user}, with {scope}");
        known.did(what, "RFC 6749, section 1.4");
    }

    /// Notes for the log whose token it is.
    pub fn tell(&self, outcome: &mut Outcome<'k>) {
        outcome.client = Some(self.client);
        outcome.user = self.user;
    }
}
