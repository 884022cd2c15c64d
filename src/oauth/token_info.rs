//! What a live token is: for the bearer check and for introspection.

use super::audience::{self, Audience};
use super::grace::token_of;
use super::{Client, FamilyToken, Known, Outcome, Registry, Scope, Timestamp, Token, User};
use crate::store::{AccessToken, Family, Found, Key, RefreshToken};

/// A live token, whose client, user and service are in force.
#[derive(Clone, Debug)]
pub struct TokenInfo<'k> {
    pub is_refresh_token: bool,
    pub client: &'k Client,
    /// `None` where the client acts for itself.
    pub user: Option<&'k User>,
    /// The service that it is for; it is one that takes this client's and this user's tokens.
    pub audience: Audience<'k>,
    pub(super) granted: Scope,
    /// `None` of one that was given out by hand.
    pub issued_at: Option<Timestamp>,
    /// `None`: never.
    pub expires: Option<Timestamp>,
}

impl<'k> TokenInfo<'k> {
    /// The access token that was presented, if it is alive.
    pub fn of_access_token(known: &Known<'k>, presented: &str, now: Timestamp) -> Found<Self> {
        let Some(key) = Token::key_of(presented) else { return Ok(None) };
        TokenInfo::of_key(known, key, now)
    }

    /// Not inlined: its stack would lie above the hash's, and each connection at rest would hold a
    /// page more.
    #[inline(never)]
    fn of_key(known: &Known<'k>, key: Key, now: Timestamp) -> Found<Self> {
        if let Some(fixed) = known.registry.fixed_tokens.get(&key) {
            return Ok(fixed.info(known.registry, now));
        }
        let row = known.store.access_token(&key, now)?;
        Ok(row.and_then(|row| TokenInfo::of_row(known.registry, row)))
    }

    /// That of a row, whenever it expires.
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

    /// The refresh token that was presented, if it is good: a used one in its grace is not.
    pub fn of_refresh_token(known: &Known<'k>, presented: &str, now: Timestamp) -> Found<Self> {
        let Some(token) = FamilyToken::parse(presented) else { return Ok(None) };
        let row = known.store.family(&token.family.key(), now)?;
        let good = row.and_then(|row| {
            let token = token_of(&row, &token.key()).filter(|token| token.is_good(now))?;
            TokenInfo::of_family(known.registry, &row, &token)
        });
        Ok(good)
    }

    /// That of a family's refresh token, whenever it expires.
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

    /// What it may be used for now: of what was granted, the part that its client and its user may
    /// still have. What returns to the configuration returns to the token.
    pub fn scope(&self) -> Scope {
        self.granted.left_to(self.client, self.user)
    }

    /// Tells whose it is and what for, as an explained step.
    pub fn explain(&self, known: &Known) {
        if known.steps.is_none() {
            return;
        }
        let (client, scope) = (&self.client.id, self.scope());
        let user = self.user.map_or("", |user| &user.name);
        let user = if user.is_empty() { "no user" } else { user };
        let scope = if scope.is_empty() { "no scope" } else { scope.as_str() };
        let what = format_args!("it stands for client {client}, {user}, {scope}");
        known.did(what, "RFC 6749, section 1.4");
    }

    /// Says whose token a request is about.
    pub fn tell(&self, outcome: &mut Outcome<'k>) {
        outcome.client = Some(self.client);
        outcome.user = self.user;
    }
}
