//! Access tokens from the configuration: `[token NAME]`, for a script or a scheduled job that
//! cannot ask for one.
//!
//! The file has their hashes. They live until the day that it names, and end when they leave it.
//! They are not in the store, and are valid even when it is unavailable.

use std::collections::HashMap;
use std::sync::Arc;

use super::Registry;
use super::token_info::TokenInfo;
use super::{Scope, Timestamp, audience};
use crate::store::{Key, fold::Fold};

/// A `[token]` of the configuration.
#[derive(Clone, Debug)]
pub struct FixedToken {
    /// The key that it is found by.
    pub key: Key,
    pub client: Arc<str>,
    /// `None` if the client acts for itself.
    pub user: Option<Arc<str>>,
    pub scope: Scope,
    /// The URL of the resource that it is for, if it is for one.
    pub resource: Option<Arc<str>>,
    /// `None` if it never expires.
    pub expires: Option<Timestamp>,
}

/// All fixed tokens of a configuration.
#[derive(Clone, Debug)]
pub struct FixedTokens {
    list: Vec<FixedToken>,
    places: HashMap<Key, usize, Fold>,
}

impl FixedTokens {
    pub fn new(list: Vec<FixedToken>) -> FixedTokens {
        FixedTokens { places: super::registry::indexed(list.iter().map(|it| it.key)), list }
    }

    /// The token with this key, expired or not.
    pub fn get(&self, key: &Key) -> Option<&FixedToken> {
        // Usually there are none, and then a look-up costs nothing.
        if self.list.is_empty() {
            return None;
        }
        Some(&self.list[*self.places.get(key)?])
    }

    pub fn iter(&self) -> impl Iterator<Item = &FixedToken> {
        self.list.iter()
    }
}

impl FixedToken {
    /// What it is worth now; `None` if it has expired, or its resource no longer accepts it.
    #[cold]
    pub fn info<'k>(&self, registry: &'k Registry, now: Timestamp) -> Option<TokenInfo<'k>> {
        if self.expires.is_some_and(|expires| expires <= now) {
            return None;
        }
        let client = registry.client(&self.client)?;
        let user = match &self.user {
            Some(name) => Some(registry.user(name)?),
            None => None,
        };
        let resource = match &self.resource {
            Some(url) => Some(registry.resources.named(url)?.number),
            None => None,
        };
        Some(TokenInfo {
            is_refresh_token: false,
            client,
            user,
            audience: audience::in_force(registry, resource, (client, user))?,
            granted: self.scope.clone(),
            issued_at: None,
            expires: self.expires,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Token;
    use crate::oauth::grants::samples::{NOW, World};

    #[test]
    fn it_is_an_access_token_of_its_client_until_its_day_is_over() {
        let mut world = World::new();
        let token = Token::random();
        let fixed = FixedToken {
            key: token.key(),
            client: "a".into(),
            user: Some("user".into()),
            scope: Scope::parse("read").unwrap(),
            resource: None,
            expires: Some(NOW.plus_seconds(60)),
        };
        world.registry.fixed_tokens = FixedTokens::new(vec![fixed]);
        let ask = |seconds| {
            let now = NOW.plus_seconds(seconds);
            TokenInfo::of_access_token(&world.known(), &token.reveal(), now).unwrap()
        };
        let info = ask(59).unwrap();
        assert_eq!((&*info.client.id, &*info.user.unwrap().name), ("a", "user"));
        assert_eq!((info.scope().as_str(), info.issued_at), ("read", None));
        assert!(ask(60).is_none());
        assert!(FixedTokens::new(Vec::new()).get(&token.key()).is_none());
    }
}
