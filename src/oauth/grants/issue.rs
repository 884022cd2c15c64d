//! New tokens, for all grants alike: rows for the store and an answer for the client.

use super::{TokenRequest, TokenResponse};
use crate::oauth::{FamilyName, FamilyToken, GrantType, Scope, Timestamp, Token};
use crate::store::{AccessToken, Change, Family, Key, Number};

/// What was granted.
pub struct Granted {
    /// Names all tokens that will come of this grant; `None` if there will only be one access
    /// token.
    pub family: Option<FamilyName>,
    /// The resource owner; `None` if the client acts for itself.
    pub user: Option<Number>,
    /// The protected resource that it is for, if it is for one in particular (RFC 8707).
    pub resource: Option<Number>,
    pub scope: Scope,
}

/// Tokens that nobody has yet: valid once the store has made these changes.
pub struct Fresh {
    /// The row of the family, and the key that it is stored under.
    pub family: Option<(Key, Family)>,
    access_token: Change,
    pub response: TokenResponse,
}

impl Fresh {
    /// The changes that make the tokens valid, and the response that tells the client.
    pub fn split(self) -> (Vec<Change>, TokenResponse) {
        let family = self.family.map(|(key, row)| Change::PutFamily(key, row));
        (family.into_iter().chain([self.access_token]).collect(), self.response)
    }
}

impl TokenRequest<'_, '_> {
    /// Adds to the explained steps that the store has these tokens.
    pub fn given(&self, response: &TokenResponse) {
        const SOURCE: &str = "RFC 6749, section 5.1";
        if self.known.steps.is_none() {
            return;
        }
        let seconds = response.expires_in;
        let scope = if response.scope.is_empty() { "no scope" } else { response.scope.as_str() };
        self.did(format_args!("an access token is issued: {seconds} seconds, {scope}"), SOURCE);
        if response.refresh_token.is_some() {
            let seconds = self.client.refresh_token_lifetime;
            self.did(format_args!("a refresh token is issued: {seconds} seconds"), SOURCE);
        }
    }

    /// A name for a family, if this client may refresh: otherwise nothing can follow.
    pub fn family_name(&self) -> Option<FamilyName> {
        self.client.may(GrantType::RefreshToken).then(FamilyName::random)
    }

    /// An access token for `scope` and, where there is a family and the client may refresh, the
    /// family's next refresh token.
    pub fn fresh(&self, granted: &Granted, scope: Scope) -> Fresh {
        let (client, now) = (self.client, self.origin.now);
        let access_token = Token::random();
        let expires = now.plus_seconds(client.access_token_lifetime);
        let row = AccessToken {
            client: client.number,
            user: granted.user,
            resource: granted.resource,
            scope: scope.clone(),
            issued_at: now,
            expires,
            family: granted.family.map(|name| name.key()),
        };
        let refresh_token =
            granted.family.filter(|_| client.may(GrantType::RefreshToken)).map(FamilyToken::of);
        Fresh {
            family: row
                .family
                .zip(granted.user)
                .map(|(key, user)| (key, self.family((user, granted), refresh_token, expires))),
            access_token: Change::PutAccessToken(access_token.key(), row),
            response: TokenResponse {
                access_token,
                expires_in: client.access_token_lifetime,
                refresh_token,
                scope,
            },
        }
    }

    /// The family's row from now on; its newest access token expires at `expires`.
    fn family(
        &self,
        (user, granted): (Number, &Granted),
        refresh_token: Option<FamilyToken>,
        expires: Timestamp,
    ) -> Family {
        let now = self.origin.now;
        let refresh_token_expires = now.plus_seconds(self.client.refresh_token_lifetime);
        Family {
            client: self.client.number,
            user,
            resource: granted.resource,
            scope: granted.scope.clone(),
            issued_at: now,
            refresh_token: refresh_token.map(|token| token.key()),
            refresh_token_expires,
            // Without a refresh token the family is only kept to recognize a used code.
            expires: match refresh_token {
                Some(_) => expires.max(refresh_token_expires),
                None => expires,
            },
            beside: Box::default(),
        }
    }
}
