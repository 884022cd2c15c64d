//! A small world for the tests of the grants: clients `a` and `b`, users `user` and `reader`.

use super::{TokenRequest, TokenResponse, grant};
use crate::encode::form::Form;
use crate::oauth::registry::samples;
use crate::oauth::resource::{Resource, Resources};
use crate::oauth::{
    Client, FamilyName, FamilyToken, InTurn, Known, OAuthError, Origin, Outcome, Registry, Scope,
    Throttle, Timestamp, Token, TokenInfo, Uptime, UserCode, device,
};
use crate::store::{Change, Code, OnlyIf, Store};

pub const NOW: Timestamp = Timestamp(1_000_000_000);

pub struct World {
    pub registry: Registry,
    pub store: Store,
    throttle: Throttle,
}

impl World {
    pub fn new() -> World {
        World::with(|_| ())
    }

    /// A world with these changes to its clients.
    pub fn with(change: impl Fn(&mut Client)) -> World {
        let mut clients = vec![samples::client("a"), samples::client("b")];
        clients.iter_mut().for_each(change);
        World::of_clients(clients, Store::new())
    }

    /// A world with this store.
    pub fn of(store: Store) -> World {
        World::of_clients(vec![samples::client("a"), samples::client("b")], store)
    }

    fn of_clients(clients: Vec<Client>, store: Store) -> World {
        let mut registry = samples::registry(clients);
        store.enrol(&mut registry);
        World { registry, store, throttle: Throttle::new() }
    }

    /// Puts a configuration with these clients and users into force.
    pub fn reload(&mut self, clients: &[&str], users: &[&str]) {
        let clients = clients.iter().map(|id| samples::client(id)).collect();
        let users = users.iter().map(|name| samples::user(name)).collect();
        let (lifetimes, limit) = (self.registry.lifetimes.clone(), 1000);
        self.registry = Registry::new(clients, users, lifetimes, limit);
        self.store.enrol(&mut self.registry);
    }

    /// Puts a configuration with these resources into force.
    pub fn serve(&mut self, urls: &[&str]) {
        self.registry.resources =
            Resources::new(urls.iter().map(|url| Resource::new(url)).collect());
        self.store.enrol(&mut self.registry);
    }

    /// Gives the client `id` these scopes instead of its own.
    pub fn narrow(&mut self, id: &str, scopes: &str) {
        let mut clients = vec![samples::client("a"), samples::client("b")];
        let client = clients.iter_mut().find(|client| &*client.id == id).unwrap();
        client.scopes = Scope::parse(scopes).unwrap();
        self.registry = samples::registry(clients);
        self.store.enrol(&mut self.registry);
    }

    pub fn known(&self) -> Known<'_> {
        Known {
            registry: &self.registry,
            store: &self.store,
            throttle: &self.throttle,
            in_turn: AT_ONCE,
            steps: None,
        }
    }

    pub fn grant(&self, id: &str, form: &str, now: Timestamp) -> Result<TokenResponse, OAuthError> {
        let form = Form::parse(form, &super::PARAMETERS).unwrap();
        let client = self.registry.client(id).unwrap();
        let origin = origin(now);
        let request = TokenRequest { known: self.known(), client, form: &form, origin };
        grant(&request, &mut Outcome::default())
    }

    /// Issues tokens for `user` to the client `a`, with all scopes.
    pub fn issue(&self, now: Timestamp) -> TokenResponse {
        let form = "grant_type=password&username=user&password=password&scope=read+write";
        self.grant("a", form, now).unwrap()
    }

    /// Issues a code for `user` to the client `a`.
    pub fn code(&self, challenge: Option<&str>) -> String {
        let code = FamilyToken::of(FamilyName::random());
        let row = Code {
            key: code.key(),
            client: self.registry.client("a").unwrap().number,
            user: self.registry.user("user").unwrap().number,
            resource: None,
            scope: Scope::default(),
            redirect_uri: "https://app.example.com/cb".into(),
            redirect_uri_sent: true,
            challenge: challenge.map(String::from),
            expires: NOW.plus_seconds(60),
        };
        self.store.apply(OnlyIf::Always, [Change::PutCode(code.family.key(), row)]).unwrap();
        code.reveal().to_string()
    }

    /// Starts a device of this client.
    pub fn device(&self, id: &str) -> (Token, UserCode) {
        let client = self.registry.client(id).unwrap();
        let form = Form::parse("", &[]).unwrap();
        let (code, found) = device::start(&self.known(), client, &form, origin(NOW)).ok().unwrap();
        (code, found.user_code)
    }

    pub fn is_live(&self, token: &Token, now: Timestamp) -> bool {
        TokenInfo::of_access_token(&self.known(), &token.reveal(), now).unwrap().is_some()
    }
}

pub fn origin(now: Timestamp) -> Origin {
    Origin { address: [10, 0, 0, 1].into(), relays: false, now, uptime: Uptime(now.0) }
}

/// In tests nobody waits for a turn.
pub const AT_ONCE: InTurn = &|check| Some(check());
