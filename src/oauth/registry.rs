//! The clients, users and resources of the configuration.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use super::Scope;
use super::fixed_token::FixedTokens;
use super::resource::{Resource, Resources};
use super::secret::StoredSecret;
use super::userinfo::Profile;
use crate::store::{Kind, Number, fold::Fold};

/// A `grant_type` of the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantType {
    AuthorizationCode,
    ClientCredentials,
    DeviceCode,
    Password,
    RefreshToken,
}

impl GrantType {
    pub const ALL: [GrantType; 5] = [
        GrantType::AuthorizationCode,
        GrantType::ClientCredentials,
        GrantType::DeviceCode,
        GrantType::Password,
        GrantType::RefreshToken,
    ];

    /// The value of `grant_type` (RFC 6749, sections 4.1.3, 4.3.2, 4.4.2 and 6; RFC 8628,
    /// section 3.4).
    pub fn as_str(self) -> &'static str {
        match self {
            GrantType::AuthorizationCode => "authorization_code",
            GrantType::ClientCredentials => "client_credentials",
            GrantType::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            GrantType::Password => "password",
            GrantType::RefreshToken => "refresh_token",
        }
    }

    /// The name in the configuration and in the metrics, which is short even for a URN.
    pub fn short_name(self) -> &'static str {
        match self {
            GrantType::DeviceCode => "device_code",
            other => other.as_str(),
        }
    }

    pub fn parse(text: &str) -> Option<GrantType> {
        GrantType::ALL.into_iter().find(|grant| grant.as_str() == text)
    }
}

/// A program that asks for tokens (RFC 6749, section 1.1).
#[derive(Clone, Debug)]
pub struct Client {
    pub id: Arc<str>,
    /// What people read instead of the id.
    pub name: Option<Arc<str>>,
    /// The store assigns it when the configuration comes into force.
    pub number: Number,
    /// `None` for a public client, which cannot keep a secret (RFC 6749, section 2.1).
    pub secret: Option<StoredSecret>,
    pub grants: Vec<GrantType>,
    /// The most that it may ask for.
    pub scopes: Scope,
    /// What it gets when it asks for no scope (RFC 6749, section 3.3).
    pub default_scopes: Scope,
    pub redirect_uris: Vec<String>,
    /// Seconds.
    pub access_token_lifetime: u64,
    /// Seconds.
    pub refresh_token_lifetime: u64,
    /// How many seconds a used refresh token may be used again.
    pub refresh_token_grace: u64,
    pub require_pkce: bool,
    /// The URL of the resource that its tokens are for when a request names none (RFC 8707,
    /// section 2.1).
    pub default_resource: Option<Arc<str>>,
}

impl Client {
    pub fn may(&self, grant: GrantType) -> bool {
        self.grants.contains(&grant)
    }

    /// What people read: its name, or else its id.
    pub fn label(&self) -> &str {
        self.name.as_ref().unwrap_or(&self.id)
    }

    /// Whether an authorization request needs a code challenge: always if no secret protects the
    /// code (RFC 9700, section 2.1.1).
    pub fn needs_pkce(&self) -> bool {
        self.require_pkce || self.secret.is_none()
    }
}

/// A person who can sign in: OAuth's resource owner (RFC 6749, section 1.1).
#[derive(Clone, Debug)]
pub struct User {
    pub name: Arc<str>,
    /// The store assigns it when the configuration comes into force.
    pub number: Number,
    pub password: StoredSecret,
    /// The most that any client gets for this user; `None` if there is no limit.
    pub scopes: Option<Scope>,
    /// What applications may read about the user.
    pub profile: Profile,
}

/// How long things live, in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Lifetimes {
    pub access_token: u64,
    pub refresh_token: u64,
    pub authorization_code: u64,
    pub device_code: u64,
    /// The time between two polls of a device.
    pub device_interval: u64,
}

/// All clients, users and resources, and what applies to all of them.
#[derive(Clone, Debug)]
pub struct Registry {
    clients: Vec<Client>,
    users: Vec<User>,
    client_names: HashMap<Arc<str>, usize, Fold>,
    user_names: HashMap<Arc<str>, usize, Fold>,
    client_numbers: HashMap<Number, usize, Fold>,
    user_numbers: HashMap<Number, usize, Fold>,
    /// The resources that tokens can be for.
    pub resources: Resources,
    pub fixed_tokens: FixedTokens,
    pub lifetimes: Lifetimes,
    /// The most live access tokens of one client, and the most refresh tokens.
    pub max_tokens_per_client: usize,
    /// What is compared with if a name is unknown, so that it takes as long as for a known one.
    decoys: [StoredSecret; 2],
}

impl Registry {
    pub fn new(
        clients: Vec<Client>,
        users: Vec<User>,
        lifetimes: Lifetimes,
        max_tokens_per_client: usize,
    ) -> Registry {
        let costliest = |secrets: &mut dyn Iterator<Item = &StoredSecret>| {
            let nobody = StoredSecret::Sha256([0; 32]);
            secrets.max_by_key(|secret| secret.cost()).cloned().unwrap_or(nobody)
        };
        let decoys = [
            costliest(&mut clients.iter().filter_map(|client| client.secret.as_ref())),
            costliest(&mut users.iter().map(|user| &user.password)),
        ];
        Registry {
            client_names: indexed(clients.iter().map(|client| Arc::clone(&client.id))),
            user_names: indexed(users.iter().map(|user| Arc::clone(&user.name))),
            client_numbers: HashMap::with_hasher(Fold::random()),
            user_numbers: HashMap::with_hasher(Fold::random()),
            clients,
            users,
            resources: Resources::new(Vec::new()),
            fixed_tokens: FixedTokens::new(Vec::new()),
            lifetimes,
            max_tokens_per_client,
            decoys,
        }
    }

    pub fn client(&self, id: &str) -> Option<&Client> {
        Some(&self.clients[*self.client_names.get(id)?])
    }

    pub fn user(&self, name: &str) -> Option<&User> {
        Some(&self.users[*self.user_names.get(name)?])
    }

    /// The client with this number, if the configuration still has it.
    pub fn client_numbered(&self, number: Number) -> Option<&Client> {
        Some(&self.clients[*self.client_numbers.get(&number)?])
    }

    /// The user with this number, if the configuration still has it.
    pub fn user_numbered(&self, number: Number) -> Option<&User> {
        Some(&self.users[*self.user_numbers.get(&number)?])
    }

    /// Every client, in the file's order.
    pub fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// Every user, in the file's order.
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// How many clients and users there are.
    pub fn size(&self) -> (usize, usize) {
        (self.clients.len(), self.users.len())
    }

    /// Every name, and where its number goes.
    pub fn everyone(&mut self) -> impl Iterator<Item = (Kind, &Arc<str>, &mut Number)> {
        let clients = self.clients.iter_mut().map(|c| (Kind::Client, &c.id, &mut c.number));
        let users = self.users.iter_mut().map(|u| (Kind::User, &u.name, &mut u.number));
        let resources = self.resources.identities();
        let resources = resources.map(|(identity, number)| (Kind::Resource, identity, number));
        clients.chain(users).chain(resources)
    }

    /// Builds the indexes by number, once everyone has one.
    pub fn index_numbers(&mut self) {
        self.client_numbers = indexed(self.clients.iter().map(|client| client.number));
        self.user_numbers = indexed(self.users.iter().map(|user| user.number));
        self.resources.index_numbers();
    }

    /// Whether the configuration still has everyone whom a row names.
    pub fn knows(&self, client: Number, user: Option<Number>, resource: Option<Number>) -> bool {
        self.client_numbered(client).is_some()
            && user.is_none_or(|user| self.user_numbered(user).is_some())
            && resource.is_none_or(|resource| self.resources.numbered(resource).is_some())
    }

    /// This server itself as a resource, with every scope.
    pub fn as_resource(&self, issuer: &str) -> Resource {
        let scopes = Scope::from_tokens(self.scopes());
        let own = || Resource { scopes, is_issuer: true, ..Resource::new(issuer) };
        let in_file = self.resources.named(issuer).cloned();
        in_file.map_or_else(own, |it| Resource { url: issuer.into(), is_issuer: true, ..it })
    }

    /// A secret that takes as long to check as the slowest of a client's.
    pub fn decoy_secret(&self) -> &StoredSecret {
        &self.decoys[0]
    }

    /// A password that takes as long to check as the slowest of a user's.
    pub fn decoy_password(&self) -> &StoredSecret {
        &self.decoys[1]
    }

    /// Whether there is a public client whose id is the URL of its metadata document (OAuth Client
    /// ID Metadata Document, section 3).
    pub fn has_metadata_document(&self) -> bool {
        self.clients.iter().any(|client| {
            let path = client.id.strip_prefix("https://").and_then(|rest| rest.split_once('/'));
            client.secret.is_none()
                && path.is_some_and(|(host, path)| !host.is_empty() && !path.is_empty())
        })
    }

    /// Every scope that some client may ask for, in order.
    pub fn scopes(&self) -> Vec<&str> {
        let mut scopes: Vec<_> = self.clients.iter().flat_map(|c| c.scopes.tokens()).collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }
}

/// The position of each of these keys.
pub fn indexed<K: Hash + Eq>(keys: impl Iterator<Item = K>) -> HashMap<K, usize, Fold> {
    let mut places = HashMap::with_hasher(Fold::random());
    places.extend(keys.enumerate().map(|(place, key)| (key, place)));
    places
}

impl fmt::Display for GrantType {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.short_name())
    }
}

#[cfg(test)]
pub mod samples {
    //! A registry for the tests of the rules.

    use super::*;
    use crate::oauth::secret::Secret;

    pub fn client(id: &str) -> Client {
        Client {
            id: id.into(),
            name: None,
            number: Number::default(),
            secret: Some(StoredSecret::Plain(Secret::new("secret"))),
            grants: GrantType::ALL.to_vec(),
            scopes: Scope::parse("read write").unwrap(),
            default_scopes: Scope::parse("read").unwrap(),
            redirect_uris: vec!["https://app.example.com/cb".into()],
            access_token_lifetime: 3600,
            refresh_token_lifetime: 1_209_600,
            refresh_token_grace: 0,
            require_pkce: false,
            default_resource: None,
        }
    }

    pub fn user(name: &str) -> User {
        User {
            name: name.into(),
            number: Number::default(),
            password: StoredSecret::Plain(Secret::new("password")),
            scopes: None,
            profile: Profile::default(),
        }
    }

    pub fn registry(clients: Vec<Client>) -> Registry {
        let lifetimes = Lifetimes {
            access_token: 3600,
            refresh_token: 1_209_600,
            authorization_code: 60,
            device_code: 600,
            device_interval: 5,
        };
        let reader = User { scopes: Some(Scope::parse("read").unwrap()), ..user("reader") };
        Registry::new(clients, vec![user("user"), reader], lifetimes, 1000)
    }
}
