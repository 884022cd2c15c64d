//! What has been given out: tokens, codes and pending devices, behind the one lock.
//!
//! Every method is a whole step: it takes the lock, checks and changes, and lets go. "Works once"
//! is therefore one critical section, and a store elsewhere could stand behind the same methods.
//!
//! An approval that can outlive its first access token is a *family*: at any time at most one live
//! access token and one live refresh token. Spent refresh tokens and codes are remembered with
//! their family, so that a second use can end it (RFC 9700, section 4.14.2).

pub mod fold;
mod shelf;
mod smooth_map;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::oauth::device::{Decision, UserCode};
use crate::oauth::registry::Registry;
use crate::oauth::{
    Client, ErrorCode, GrantType, Known, OAuthError, Outcome, Scope, Timestamp, Token, User, pkce,
    scope,
};
use shelf::Shelf;
use smooth_map::SmoothMap;

/// Rows that one hold of the lock sweeps: some 50 microseconds.
const SLICE: usize = 128;
/// The most codes, and the most pending devices, of one client.
const PENDING: usize = 10_000;
/// Seconds for which an expired device code is remembered, so that its device can be told.
const DEVICE_MEMORY: u64 = 30;

pub struct Store {
    state: Mutex<State>,
}

struct State {
    access_tokens: Shelf<Grant>,
    refresh_tokens: Shelf<Grant>,
    /// Refresh tokens and codes that were used, with the family that they led to.
    spent: Shelf<FamilyId>,
    codes: Shelf<Code>,
    devices: Shelf<Device>,
    user_codes: HashMap<UserCode, Token>,
    families: SmoothMap<FamilyId, Family>,
    next_family: FamilyId,
}

type FamilyId = u64;
/// The tokens that stand alone: nothing can follow them.
const NO_FAMILY: FamilyId = 0;

#[derive(Clone, Copy, Default)]
struct Family {
    access_token: Option<Token>,
    refresh_token: Option<Token>,
}

/// What stands behind an access token or a refresh token.
#[derive(Clone)]
struct Grant {
    user: Option<Arc<str>>,
    scope: Scope,
    issued_at: Timestamp,
    family: FamilyId,
}

struct Code {
    user: Arc<str>,
    scope: Scope,
    redirect_uri: String,
    /// Whether the authorization request named the redirect URI.
    redirect_uri_sent: bool,
    challenge: Option<String>,
}

struct Device {
    user_code: UserCode,
    scope: Scope,
    /// Seconds.
    interval: u64,
    polled: Option<Timestamp>,
    /// When its code expires; the row stays [`DEVICE_MEMORY`] longer.
    ends: Timestamp,
    decision: Option<Decision>,
}

/// What a successful token request gives (RFC 6749, section 5.1).
#[derive(Debug)]
pub struct TokenResponse {
    pub access_token: Token,
    /// Seconds.
    pub expires_in: u64,
    pub refresh_token: Option<Token>,
    pub scope: Scope,
    pub user: Option<Arc<str>>,
}

/// What a live token is.
#[derive(Debug, PartialEq)]
pub struct TokenInfo {
    pub is_refresh_token: bool,
    pub client: Arc<str>,
    pub user: Option<Arc<str>>,
    pub scope: Scope,
    pub issued_at: Timestamp,
    pub expires: Timestamp,
}

impl TokenInfo {
    /// Says whose token a request is about.
    pub fn tell<'a>(&self, known: &Known<'a>, outcome: &mut Outcome<'a>) {
        outcome.client = known.registry.client(&self.client);
        outcome.user = self.user.as_ref().and_then(|user| known.registry.user(user));
    }
}

/// A device that waits for a person.
#[derive(Debug)]
pub struct PendingDevice {
    pub client: Arc<str>,
    pub scope: Scope,
}

/// What an authorization request has agreed on, to be checked again at the exchange.
pub struct NewCode {
    pub user: Arc<str>,
    pub scope: Scope,
    pub redirect_uri: String,
    pub redirect_uri_sent: bool,
    pub challenge: Option<String>,
}

/// How many of each are held, the expired ones that no sweep has seen among them.
#[derive(Debug, Default, PartialEq)]
pub struct Counts {
    pub access_tokens: usize,
    pub refresh_tokens: usize,
    pub codes: usize,
    pub devices: usize,
}

impl Store {
    pub fn new() -> Store {
        Store {
            state: Mutex::new(State {
                access_tokens: Shelf::new(),
                refresh_tokens: Shelf::new(),
                spent: Shelf::new(),
                codes: Shelf::new(),
                devices: Shelf::new(),
                user_codes: HashMap::new(),
                families: SmoothMap::new(),
                next_family: NO_FAMILY + 1,
            }),
        }
    }

    /// An access token for a client alone (RFC 6749, section 4.4.3: without a refresh token).
    pub fn issue_for_client(
        &self,
        registry: &Registry,
        client: &Client,
        scope: Scope,
        now: Timestamp,
    ) -> TokenResponse {
        let token = Token::random();
        let grant = Grant { user: None, scope, issued_at: now, family: NO_FAMILY };
        self.lock().issue_access_token(registry, client, token, grant)
    }

    /// An access token for a user, and a refresh token where the client may use one.
    pub fn issue_for_user(
        &self,
        registry: &Registry,
        client: &Client,
        user: &Arc<str>,
        scope: Scope,
        now: Timestamp,
    ) -> TokenResponse {
        let tokens = [Token::random(), Token::random()];
        self.lock().issue_family(registry, client, tokens, user, scope, now).1
    }

    /// Takes a refresh token in and gives its successor and a new access token; the old ones end
    /// (RFC 6749, section 6). Used a second time, it ends its family. `requested` is the scope
    /// that the access token is to have, where it is not the whole.
    pub fn rotate_refresh_token(
        &self,
        registry: &Registry,
        client: &Client,
        presented: &str,
        requested: Option<&str>,
        now: Timestamp,
    ) -> Result<TokenResponse, OAuthError> {
        const SOURCE: &str = "RFC 6749, section 6";
        let unknown = || {
            let text = "the refresh token is unknown, expired or revoked";
            OAuthError::new(ErrorCode::InvalidGrant, text, SOURCE)
        };
        let token = Token::parse(presented).ok_or_else(unknown)?;
        let [access_token, refresh_token] = [Token::random(), Token::random()];
        let mut state = self.lock();
        let Some(entry) = state.refresh_tokens.get(&token, now) else {
            return Err(match state.end_reused(&token, client, now) {
                Some(ended) => reused("refresh token", ended),
                None => unknown(),
            });
        };
        if *entry.client != client.id {
            return Err(unknown().logged_as("the refresh token is another client's"));
        }
        let (expires, family) = (entry.expires, entry.value.family);
        let user = entry.value.user.clone();
        // The client or the user may have been given less since.
        let kept = scope::narrowed(entry.value.scope.clone(), &client.scopes)?;
        let kept = match user.as_ref().and_then(|user| registry.user(user)) {
            Some(user) => scope::for_user(kept, user)?,
            None => kept,
        };
        let narrower = match requested {
            None => kept.clone(),
            Some(requested) => match Scope::parse(requested) {
                Ok(requested) if kept.covers(&requested) => requested,
                _ => {
                    let text = "the scope is malformed or wider than what was granted";
                    return Err(OAuthError::new(ErrorCode::InvalidScope, text, SOURCE));
                }
            },
        };

        let most = registry.max_tokens_per_client;
        state.end_family(family);
        state.spent.insert(token, &client.id, expires, family, most);
        let grant = Grant { user, scope: kept, issued_at: now, family };
        state.issue_refresh_token(registry, client, refresh_token, grant.clone());
        let grant = Grant { scope: narrower, ..grant };
        let issued = state.issue_access_token(registry, client, access_token, grant);
        Ok(TokenResponse { refresh_token: Some(refresh_token), ..issued })
    }

    /// An authorization code (RFC 6749, section 4.1.2).
    pub fn create_code(
        &self,
        registry: &Registry,
        client: &Client,
        code: NewCode,
        now: Timestamp,
    ) -> Token {
        let token = Token::random();
        let expires = now.plus_seconds(registry.lifetimes.authorization_code);
        let code = Code {
            user: code.user,
            scope: code.scope,
            redirect_uri: code.redirect_uri,
            redirect_uri_sent: code.redirect_uri_sent,
            challenge: code.challenge,
        };
        self.lock().codes.insert(token, &client.id, expires, code, PENDING);
        token
    }

    /// Exchanges a code (RFC 6749, section 4.1.3; RFC 7636, section 4.6). Whatever its own client
    /// does wrong spends it; used again, it ends the tokens that it gave.
    pub fn redeem_code(
        &self,
        registry: &Registry,
        client: &Client,
        presented: &str,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
        now: Timestamp,
    ) -> Result<TokenResponse, OAuthError> {
        let refusal = |text: &'static str, source| {
            Err(OAuthError::new(ErrorCode::InvalidGrant, text, source))
        };
        let unknown =
            || refusal("the code is unknown, expired or spent", "RFC 6749, section 4.1.2");
        let Some(token) = Token::parse(presented) else { return unknown() };
        let tokens = [Token::random(), Token::random()];
        let mut state = self.lock();
        let Some(entry) = state.codes.get(&token, now) else {
            return match state.end_reused(&token, client, now) {
                Some(ended) => Err(reused("code", ended)),
                None => unknown(),
            };
        };
        if *entry.client != client.id {
            return unknown();
        }
        let Some(code) = state.codes.remove(&token) else { return unknown() };
        match redirect_uri {
            Some(sent) if sent != code.redirect_uri => {
                return refusal(
                    "redirect_uri is not the one of the code",
                    "RFC 6749, section 4.1.3",
                );
            }
            None if code.redirect_uri_sent => {
                return refusal("redirect_uri is missing", "RFC 6749, section 4.1.3");
            }
            _ => {}
        }
        match (&code.challenge, verifier) {
            (None, None) => {}
            (Some(challenge), Some(verifier)) if pkce::verify(verifier, challenge) => {}
            (Some(_), Some(_)) => {
                return refusal(
                    "code_verifier is not the one of the code",
                    "RFC 7636, section 4.6",
                );
            }
            (Some(_), None) => {
                return refusal("code_verifier is missing", "RFC 7636, section 4.6");
            }
            (None, Some(_)) => {
                return refusal(
                    "the code was asked for without code_challenge",
                    "RFC 9700, section 4.8.2",
                );
            }
        }
        let (family, issued) =
            state.issue_family(registry, client, tokens, &code.user, code.scope, now);
        // Remembered for as long as what it gave can live.
        let lifetime = match issued.refresh_token {
            Some(_) => registry.lifetimes.refresh_token.max(client.access_token_lifetime),
            None => client.access_token_lifetime,
        };
        let expires = now.plus_seconds(lifetime);
        state.spent.insert(token, &client.id, expires, family, registry.max_tokens_per_client);
        Ok(issued)
    }

    /// A device code and its user code (RFC 8628, section 3.2).
    pub fn start_device(
        &self,
        registry: &Registry,
        client: &Client,
        scope: Scope,
        now: Timestamp,
    ) -> (Token, UserCode) {
        let token = Token::random();
        let ends = now.plus_seconds(registry.lifetimes.device_code);
        let mut state = self.lock();
        let mut user_code = UserCode::random();
        while state.user_codes.contains_key(&user_code) {
            user_code = UserCode::random();
        }
        let device = Device {
            user_code,
            scope,
            interval: registry.lifetimes.device_interval,
            polled: None,
            ends,
            decision: None,
        };
        state.user_codes.insert(user_code, token);
        let expires = ends.plus_seconds(DEVICE_MEMORY);
        if let Some((_, oldest)) = state.devices.insert(token, &client.id, expires, device, PENDING)
        {
            state.user_codes.remove(&oldest.user_code);
        }
        (token, user_code)
    }

    /// The device that shows this user code and waits.
    pub fn pending_device(&self, user_code: &UserCode, now: Timestamp) -> Option<PendingDevice> {
        let state = self.lock();
        let entry = state.devices.get(state.user_codes.get(user_code)?, now)?;
        (now < entry.value.ends).then(|| PendingDevice {
            client: Arc::clone(entry.client),
            scope: entry.value.scope.clone(),
        })
    }

    /// Settles the device that shows this user code; false where none waits.
    pub fn decide_device(&self, user_code: &UserCode, decision: Decision, now: Timestamp) -> bool {
        let mut state = self.lock();
        let Some(&token) = state.user_codes.get(user_code) else { return false };
        match state.devices.get_mut(&token) {
            Some(device) if now < device.ends => device.decision = Some(decision),
            _ => return false,
        }
        state.user_codes.remove(user_code);
        true
    }

    /// One poll of a device (RFC 8628, sections 3.4 and 3.5).
    pub fn poll_device(
        &self,
        registry: &Registry,
        client: &Client,
        presented: &str,
        now: Timestamp,
    ) -> Result<TokenResponse, OAuthError> {
        const SOURCE: &str = "RFC 8628, section 3.5";
        let refusal = |code, text: &'static str| Err(OAuthError::new(code, text, SOURCE));
        let unknown = || refusal(ErrorCode::InvalidGrant, "the device code is unknown or spent");
        let Some(token) = Token::parse(presented) else { return unknown() };
        let tokens = [Token::random(), Token::random()];
        let mut state = self.lock();
        match state.devices.get(&token, now) {
            Some(entry) if *entry.client == client.id => {}
            _ => return unknown(),
        }
        let Some(device) = state.devices.get_mut(&token) else { return unknown() };
        if device.ends <= now {
            return refusal(ErrorCode::ExpiredToken, "the device code has expired");
        }
        let polled = device.polled.replace(now);
        match &device.decision {
            Some(Decision::Denied) => {
                refusal(ErrorCode::AccessDenied, "the person has denied the request")
            }
            Some(Decision::Allowed { user, scope }) => {
                let (user, scope) = (Arc::clone(user), scope.clone());
                state.devices.remove(&token);
                Ok(state.issue_family(registry, client, tokens, &user, scope, now).1)
            }
            None if polled.is_some_and(|polled| now < polled.plus_seconds(device.interval)) => {
                device.interval += 5;
                refusal(ErrorCode::SlowDown, "the device polls too often; wait 5 seconds longer")
            }
            None => refusal(ErrorCode::AuthorizationPending, "the person has not decided yet"),
        }
    }

    /// What an access token is, while it lives.
    pub fn access_token(&self, presented: &str, now: Timestamp) -> Option<TokenInfo> {
        self.lock().facts(&Token::parse(presented)?, false, now)
    }

    /// What a token of either kind is, while it lives.
    pub fn token(&self, presented: &str, now: Timestamp) -> Option<TokenInfo> {
        let token = Token::parse(presented)?;
        let state = self.lock();
        state.facts(&token, false, now).or_else(|| state.facts(&token, true, now))
    }

    /// Ends a token; with a refresh token, its whole family (RFC 7009, section 2.1). False where
    /// it is another client's.
    pub fn revoke(&self, presented: &str, client: &Client, now: Timestamp) -> bool {
        let Some(token) = Token::parse(presented) else { return true };
        let mut state = self.lock();
        if let Some(entry) = state.access_tokens.get(&token, now) {
            let own = *entry.client == client.id;
            if own {
                state.end_access_token(&token);
            }
            return own;
        }
        if let Some(entry) = state.refresh_tokens.get(&token, now) {
            let (own, family) = (*entry.client == client.id, entry.value.family);
            if own {
                state.end_family(family);
            }
            return own;
        }
        true
    }

    /// Frees some of what has expired; true where there may be more.
    pub fn sweep(&self, now: Timestamp) -> bool {
        let mut state = self.lock();
        for _ in 0..SLICE {
            if let Some((_, grant)) = state.access_tokens.pop_expired(now) {
                state.forget_access_token(grant.family);
            } else if let Some((_, grant)) = state.refresh_tokens.pop_expired(now) {
                state.forget_refresh_token(grant.family);
            } else if let Some((_, device)) = state.devices.pop_expired(now) {
                state.user_codes.remove(&device.user_code);
            } else if state.codes.pop_expired(now).is_none()
                && state.spent.pop_expired(now).is_none()
            {
                return false;
            }
        }
        true
    }

    /// Ends the tokens, codes and devices of clients and users that are not in `registry`, a slice
    /// at a time, so that requests go on between.
    pub fn end_unknown(&self, registry: &Registry) {
        let gone = |client: &str, user: Option<&Arc<str>>| {
            registry.client(client).is_none()
                || user.is_some_and(|user| registry.user(user).is_none())
        };
        let of_grant = |client: &str, grant: &Grant| gone(client, grant.user.as_ref());
        // From the end: a removal moves the last row, which has been looked at, into its place.
        let in_slices = |rows: usize, step: &mut dyn FnMut(&mut State, usize)| {
            for slice in (0..rows.div_ceil(SLICE)).rev() {
                let mut state = self.lock();
                for at in (slice * SLICE..(slice + 1) * SLICE).rev() {
                    step(&mut state, at);
                }
            }
        };
        let (access, refresh, codes, devices) = {
            let state = self.lock();
            let (access, refresh) = (state.access_tokens.len(), state.refresh_tokens.len());
            (access, refresh, state.codes.len(), state.devices.len())
        };
        in_slices(access, &mut |state, at| {
            if let Some((_, grant)) = state.access_tokens.remove_row_if(at, of_grant) {
                state.forget_access_token(grant.family);
            }
        });
        in_slices(refresh, &mut |state, at| {
            if let Some((_, grant)) = state.refresh_tokens.remove_row_if(at, of_grant) {
                state.forget_refresh_token(grant.family);
            }
        });
        in_slices(codes, &mut |state, at| {
            state.codes.remove_row_if(at, |client, code| gone(client, Some(&code.user)));
        });
        in_slices(devices, &mut |state, at| {
            let unwanted = |client: &str, device: &Device| match &device.decision {
                Some(Decision::Allowed { user, .. }) => gone(client, Some(user)),
                _ => gone(client, None),
            };
            if let Some((_, device)) = state.devices.remove_row_if(at, unwanted) {
                state.user_codes.remove(&device.user_code);
            }
        });
    }

    pub fn counts(&self) -> Counts {
        let state = self.lock();
        Counts {
            access_tokens: state.access_tokens.len(),
            refresh_tokens: state.refresh_tokens.len(),
            codes: state.codes.len(),
            devices: state.devices.len(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not turn every later request into an error.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// `tokens` are fresh ones, made before the lock was taken: an access token and, where the
    /// client may use it, a refresh token.
    fn issue_family(
        &mut self,
        registry: &Registry,
        client: &Client,
        tokens: [Token; 2],
        user: &Arc<str>,
        scope: Scope,
        now: Timestamp,
    ) -> (FamilyId, TokenResponse) {
        let family = self.next_family;
        self.next_family += 1;
        let [access_token, refresh_token] = tokens;
        let grant = Grant { user: Some(Arc::clone(user)), scope, issued_at: now, family };
        let mut issued = self.issue_access_token(registry, client, access_token, grant.clone());
        if client.may(GrantType::RefreshToken) {
            self.issue_refresh_token(registry, client, refresh_token, grant);
            issued.refresh_token = Some(refresh_token);
        }
        (family, issued)
    }

    fn issue_access_token(
        &mut self,
        registry: &Registry,
        client: &Client,
        token: Token,
        grant: Grant,
    ) -> TokenResponse {
        let issued = TokenResponse {
            access_token: token,
            expires_in: client.access_token_lifetime,
            refresh_token: None,
            scope: grant.scope.clone(),
            user: grant.user.clone(),
        };
        let (family, most) = (grant.family, registry.max_tokens_per_client);
        let expires = grant.issued_at.plus_seconds(client.access_token_lifetime);
        let oldest = self.access_tokens.insert(token, &client.id, expires, grant, most);
        if let Some((_, oldest)) = oldest {
            self.forget_access_token(oldest.family);
        }
        self.join_family(family, |family| family.access_token = Some(token));
        issued
    }

    fn issue_refresh_token(
        &mut self,
        registry: &Registry,
        client: &Client,
        token: Token,
        grant: Grant,
    ) {
        let (family, most) = (grant.family, registry.max_tokens_per_client);
        let expires = grant.issued_at.plus_seconds(registry.lifetimes.refresh_token);
        let oldest = self.refresh_tokens.insert(token, &client.id, expires, grant, most);
        if let Some((_, oldest)) = oldest {
            self.forget_refresh_token(oldest.family);
        }
        self.join_family(family, |family| family.refresh_token = Some(token));
    }

    fn join_family(&mut self, id: FamilyId, join: impl FnOnce(&mut Family)) {
        if id == NO_FAMILY {
            return;
        }
        match self.families.get_mut(&id) {
            Some(family) => join(family),
            None => {
                let mut family = Family::default();
                join(&mut family);
                self.families.insert(id, family);
            }
        }
    }

    fn end_access_token(&mut self, token: &Token) {
        if let Some(grant) = self.access_tokens.remove(token) {
            self.forget_access_token(grant.family);
        }
    }

    /// Ends what is left of a family; how many tokens that were.
    fn end_family(&mut self, id: FamilyId) -> usize {
        let Some(family) = self.families.remove(&id) else { return 0 };
        let access = family.access_token.and_then(|token| self.access_tokens.remove(&token));
        let refresh = family.refresh_token.and_then(|token| self.refresh_tokens.remove(&token));
        usize::from(access.is_some()) + usize::from(refresh.is_some())
    }

    /// If this client has used this token before: ends its family and says how many tokens that
    /// were.
    fn end_reused(&mut self, token: &Token, client: &Client, now: Timestamp) -> Option<usize> {
        let entry = self.spent.get(token, now)?;
        let (own, family) = (*entry.client == client.id, *entry.value);
        own.then(|| self.end_family(family))
    }

    fn forget_access_token(&mut self, id: FamilyId) {
        self.leave_family(id, |family| family.access_token = None);
    }

    fn forget_refresh_token(&mut self, id: FamilyId) {
        self.leave_family(id, |family| family.refresh_token = None);
    }

    fn leave_family(&mut self, id: FamilyId, leave: impl FnOnce(&mut Family)) {
        if let Some(family) = self.families.get_mut(&id) {
            leave(family);
            if family.access_token.is_none() && family.refresh_token.is_none() {
                self.families.remove(&id);
            }
        }
    }

    fn facts(&self, token: &Token, is_refresh_token: bool, now: Timestamp) -> Option<TokenInfo> {
        let shelf = match is_refresh_token {
            true => &self.refresh_tokens,
            false => &self.access_tokens,
        };
        let entry = shelf.get(token, now)?;
        Some(TokenInfo {
            is_refresh_token,
            client: Arc::clone(entry.client),
            user: entry.value.user.clone(),
            scope: entry.value.scope.clone(),
            issued_at: entry.value.issued_at,
            expires: entry.expires,
        })
    }
}

fn reused(what: &str, ended: usize) -> OAuthError {
    OAuthError::new(
        ErrorCode::InvalidGrant,
        format!("{what} used twice: {ended} tokens ended"),
        match what {
            "code" => "RFC 6749, section 4.1.2",
            _ => "RFC 9700, section 4.14",
        },
    )
}

/// The decision of a person at a device's page.
impl Decision {
    pub fn allowed(user: &User, scope: Scope) -> Decision {
        Decision::Allowed { user: Arc::clone(&user.name), scope }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::registry::samples;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    struct World {
        registry: Registry,
        store: Store,
    }

    impl World {
        fn new() -> World {
            World {
                registry: samples::registry(vec![samples::client("a"), samples::client("b")]),
                store: Store::new(),
            }
        }

        fn client(&self, id: &str) -> &Client {
            self.registry.client(id).unwrap()
        }

        fn issue(&self, now: Timestamp) -> TokenResponse {
            let user = &self.registry.user("user").unwrap().name;
            let scope = Scope::parse("read write").unwrap();
            self.store.issue_for_user(&self.registry, self.client("a"), user, scope, now)
        }

        fn refresh(
            &self,
            token: &Token,
            id: &str,
            scope: Option<&str>,
            now: Timestamp,
        ) -> Result<TokenResponse, OAuthError> {
            let client = self.client(id);
            self.store.rotate_refresh_token(&self.registry, client, &token.reveal(), scope, now)
        }

        fn is_live(&self, token: &Token, now: Timestamp) -> bool {
            self.store.token(&token.reveal(), now).is_some()
        }

        fn code(&self, challenge: Option<&str>) -> Token {
            let code = NewCode {
                user: "user".into(),
                scope: Scope::default(),
                redirect_uri: "https://app.example.com/cb".into(),
                redirect_uri_sent: true,
                challenge: challenge.map(String::from),
            };
            self.store.create_code(&self.registry, self.client("a"), code, NOW)
        }

        fn redeem(
            &self,
            code: &Token,
            id: &str,
            uri: Option<&str>,
            verifier: Option<&str>,
            now: Timestamp,
        ) -> Result<TokenResponse, OAuthError> {
            let client = self.client(id);
            self.store.redeem_code(&self.registry, client, &code.reveal(), uri, verifier, now)
        }
    }

    const URI: Option<&str> = Some("https://app.example.com/cb");

    #[test]
    fn a_token_tells_what_it_is_until_it_expires() {
        let world = World::new();
        let issued = world.issue(NOW);
        let facts = world
            .store
            .access_token(&issued.access_token.reveal(), NOW.plus_seconds(3599))
            .unwrap();
        assert_eq!(
            facts,
            TokenInfo {
                is_refresh_token: false,
                client: "a".into(),
                user: Some("user".into()),
                scope: Scope::parse("read write").unwrap(),
                issued_at: NOW,
                expires: NOW.plus_seconds(3600),
            }
        );
        assert!(!world.is_live(&issued.access_token, NOW.plus_seconds(3600)));
        let refresh = issued.refresh_token.unwrap();
        assert!(world.store.access_token(&refresh.reveal(), NOW).is_none());
        assert!(world.is_live(&refresh, NOW.plus_seconds(1_209_599)));
        assert!(!world.is_live(&refresh, NOW.plus_seconds(1_209_600)));
    }

    #[test]
    fn rotation_ends_the_old_tokens_and_reuse_ends_the_new_ones() {
        let world = World::new();
        let first = world.issue(NOW);
        let second = world.refresh(&first.refresh_token.unwrap(), "a", None, NOW).unwrap();
        assert!(!world.is_live(&first.access_token, NOW));
        assert!(world.is_live(&second.access_token, NOW));
        let error = world.refresh(&first.refresh_token.unwrap(), "a", None, NOW).unwrap_err();
        assert_eq!(
            error.reason(),
            "refresh token used twice: 2 tokens ended (RFC 9700, section 4.14)"
        );
        assert!(!world.is_live(&second.access_token, NOW));
        assert!(!world.is_live(&second.refresh_token.unwrap(), NOW));
        assert_eq!(world.store.lock().families.len(), 0);
    }

    #[test]
    fn another_client_neither_uses_a_refresh_token_nor_ends_its_family() {
        let world = World::new();
        let first = world.issue(NOW);
        let refresh = first.refresh_token.unwrap();
        assert_eq!(
            world.refresh(&refresh, "b", None, NOW).unwrap_err().code,
            ErrorCode::InvalidGrant
        );
        let second = world.refresh(&refresh, "a", None, NOW).unwrap();
        assert_eq!(
            world.refresh(&refresh, "b", None, NOW).unwrap_err().code,
            ErrorCode::InvalidGrant
        );
        assert!(world.is_live(&second.access_token, NOW));
    }

    #[test]
    fn a_narrower_scope_is_for_one_access_token_and_a_wider_one_costs_nothing() {
        let world = World::new();
        let first = world.issue(NOW);
        let refresh = first.refresh_token.unwrap();
        let wider = world.refresh(&refresh, "a", Some("read admin"), NOW);
        assert_eq!(wider.unwrap_err().code, ErrorCode::InvalidScope);
        let second = world.refresh(&refresh, "a", Some("read"), NOW).unwrap();
        assert_eq!(second.scope.as_str(), "read");
        let third = world.refresh(&second.refresh_token.unwrap(), "a", None, NOW).unwrap();
        assert_eq!(third.scope.as_str(), "read write");
    }

    #[test]
    fn a_code_works_once_and_its_reuse_ends_what_it_gave() {
        let world = World::new();
        let code = world.code(None);
        let issued = world.redeem(&code, "a", URI, None, NOW).unwrap();
        assert!(world.is_live(&issued.access_token, NOW));
        // Long after the code's own end too.
        let error = world.redeem(&code, "a", URI, None, NOW.plus_seconds(600)).unwrap_err();
        assert_eq!(error.reason(), "code used twice: 2 tokens ended (RFC 6749, section 4.1.2)");
        assert!(!world.is_live(&issued.access_token, NOW));
    }

    #[test]
    fn a_code_is_spent_by_its_own_client_alone() {
        let world = World::new();
        for (uri, verifier) in
            [(None, None), (Some("https://app.example.com/"), None), (URI, Some("v"))]
        {
            let code = world.code(None);
            assert!(world.redeem(&code, "b", URI, None, NOW).is_err());
            assert!(world.redeem(&code, "a", uri, verifier, NOW).is_err());
            assert!(world.redeem(&code, "a", URI, None, NOW).is_err());
        }
        let code = world.code(None);
        assert!(world.redeem(&code, "b", URI, None, NOW).is_err());
        assert!(world.redeem(&code, "a", URI, None, NOW.plus_seconds(59)).is_ok());
        let code = world.code(None);
        assert!(world.redeem(&code, "a", URI, None, NOW.plus_seconds(60)).is_err());
    }

    #[test]
    fn a_challenge_needs_its_verifier() {
        let world = World::new();
        let challenge = Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let verifier = Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert!(world.redeem(&world.code(challenge), "a", URI, verifier, NOW).is_ok());
        assert!(world.redeem(&world.code(challenge), "a", URI, challenge, NOW).is_err());
        assert!(world.redeem(&world.code(challenge), "a", URI, None, NOW).is_err());
    }

    #[test]
    fn a_device_polls_at_its_interval_and_gets_its_token_once() {
        let world = World::new();
        let client = world.client("a");
        let (code, user_code) =
            world.store.start_device(&world.registry, client, Scope::default(), NOW);
        let poll = |seconds| {
            let now = NOW.plus_seconds(seconds);
            let result = world.store.poll_device(&world.registry, client, &code.reveal(), now);
            result.map_err(|error| error.code)
        };
        assert_eq!(poll(0).unwrap_err(), ErrorCode::AuthorizationPending);
        assert_eq!(poll(5).unwrap_err(), ErrorCode::AuthorizationPending);
        assert_eq!(poll(9).unwrap_err(), ErrorCode::SlowDown);
        assert_eq!(poll(18).unwrap_err(), ErrorCode::SlowDown);
        assert_eq!(poll(33).unwrap_err(), ErrorCode::AuthorizationPending);
        let user = world.registry.user("user").unwrap();
        assert!(world.store.decide_device(
            &user_code,
            Decision::allowed(user, Scope::default()),
            NOW
        ));
        assert!(!world.store.decide_device(&user_code, Decision::Denied, NOW));
        assert!(poll(34).is_ok());
        assert_eq!(poll(35).unwrap_err(), ErrorCode::InvalidGrant);
    }

    #[test]
    fn a_device_hears_of_its_end_for_a_while() {
        let world = World::new();
        let client = world.client("a");
        let (code, user_code) =
            world.store.start_device(&world.registry, client, Scope::default(), NOW);
        let poll = |id, seconds| {
            let client = world.client(id);
            let now = NOW.plus_seconds(seconds);
            world.store.poll_device(&world.registry, client, &code.reveal(), now).unwrap_err().code
        };
        assert_eq!(poll("b", 0), ErrorCode::InvalidGrant);
        assert_eq!(poll("a", 600), ErrorCode::ExpiredToken);
        assert_eq!(poll("a", 629), ErrorCode::ExpiredToken);
        assert_eq!(poll("a", 630), ErrorCode::InvalidGrant);
        assert!(world.store.pending_device(&user_code, NOW.plus_seconds(599)).is_some());
        assert!(world.store.pending_device(&user_code, NOW.plus_seconds(600)).is_none());
    }

    #[test]
    fn revoking_a_refresh_token_ends_its_family_and_an_access_token_only_itself() {
        let world = World::new();
        let client = world.client("a");
        let issued = world.issue(NOW);
        let refresh = issued.refresh_token.unwrap();
        assert!(!world.store.revoke(&issued.access_token.reveal(), world.client("b"), NOW));
        assert!(!world.store.revoke(&refresh.reveal(), world.client("b"), NOW));
        assert!(world.store.revoke(&issued.access_token.reveal(), client, NOW));
        assert!(!world.is_live(&issued.access_token, NOW) && world.is_live(&refresh, NOW));
        let next = world.refresh(&refresh, "a", None, NOW).unwrap();
        assert!(world.store.revoke(&next.refresh_token.unwrap().reveal(), client, NOW));
        assert!(!world.is_live(&next.access_token, NOW));
        assert!(world.store.revoke("unknown", client, NOW));
    }

    #[test]
    fn expired_entries_leave_memory() {
        let world = World::new();
        for _ in 0..300 {
            world.issue(NOW);
            world.code(None);
            world.store.start_device(&world.registry, world.client("a"), Scope::default(), NOW);
        }
        assert!(!world.store.sweep(NOW.plus_seconds(10)));
        let late = NOW.plus_seconds(1_209_600 + 60);
        while world.store.sweep(late) {}
        assert_eq!(world.store.counts(), Counts::default());
        let state = world.store.lock();
        assert_eq!((state.families.len(), state.user_codes.len()), (0, 0));
    }

    #[test]
    fn the_oldest_token_of_a_client_makes_room() {
        let mut world = World::new();
        world.registry.max_tokens_per_client = 2;
        let tokens: Vec<_> = (0..3).map(|_| world.issue(NOW)).collect();
        let live: Vec<_> =
            tokens.iter().map(|issued| world.is_live(&issued.access_token, NOW)).collect();
        assert_eq!(live, [false, true, true]);
        assert!(!world.is_live(&tokens[0].refresh_token.unwrap(), NOW));
        assert_eq!(world.store.lock().families.len(), 2);
    }

    #[test]
    fn who_is_gone_loses_everything_and_others_nothing() {
        let world = World::new();
        let (a, b) = (world.client("a"), world.client("b"));
        let reader: Arc<str> = "reader".into();
        let of_a: Vec<_> = (0..400).map(|_| world.issue(NOW)).collect();
        let of_reader =
            world.store.issue_for_user(&world.registry, a, &reader, Scope::default(), NOW);
        let of_b: Vec<_> = (0..400)
            .map(|_| world.store.issue_for_client(&world.registry, b, Scope::default(), NOW))
            .collect();
        world.store.end_unknown(&samples::registry(vec![samples::client("b")]));
        assert!(of_a.iter().all(|issued| !world.is_live(&issued.access_token, NOW)));
        assert!(!world.is_live(&of_reader.refresh_token.unwrap(), NOW));
        assert!(of_b.iter().all(|issued| world.is_live(&issued.access_token, NOW)));
        assert_eq!(world.store.counts().access_tokens, 400);
    }
}
