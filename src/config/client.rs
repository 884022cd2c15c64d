//! `[client ID]`: a program that may ask for tokens.

use std::sync::Arc;

use super::keys::Keys;
use super::nearest::{did_you_mean, nearest};
use super::secret::{self, SECRET};
use super::{Read, Server, resource, testing};
use crate::oauth::{Client, GrantType, Scope, redirect_uri};
use crate::store::Number;

pub fn read(keys: &mut Keys, read: &mut Read) {
    keys.warn_of_quotes_in_name("the client's id");
    let secret = secret::of_client(keys, read.outside);
    read.client_costs.extend(secret.as_ref().map(|given| (given.line, given.secret.cost())));
    let default_resource = resource::default(keys, read);
    let server = &read.server;
    let scopes = keys.scopes("scopes");
    let default_scopes = keys.scopes("default_scopes");
    let client = Client {
        id: Arc::from(keys.name()),
        name: keys.label("name").map(Arc::from),
        number: Number::default(),
        secret: secret.map(|given| given.secret),
        grants: grants(keys),
        scopes: scopes.clone().unwrap_or_default(),
        default_scopes: default_scopes.clone().unwrap_or_default(),
        redirect_uris: redirect_uris(keys, server.insecure_redirects),
        access_token_lifetime: keys.seconds("access_token_lifetime", server.lifetimes.access_token),
        refresh_token_lifetime: keys
            .seconds("refresh_token_lifetime", server.lifetimes.refresh_token),
        refresh_token_grace: refresh_token_grace(keys),
        require_pkce: keys.yes("require_pkce"),
        default_resource,
    };
    testing::client(keys, read);
    keys.end();
    check_grants(keys, &client);
    check_scopes(keys, scopes, default_scopes);
    check_registration(keys, &client, &read.server);
    read.clients.push(client);
}

/// Longer ones are allowed, but a stolen token is useful to its thief for as long.
const LONG_GRACE: u64 = 60;

fn refresh_token_grace(keys: &mut Keys) -> u64 {
    let grace = keys.number("refresh_token_grace", 0..=3600, 0);
    if grace > LONG_GRACE {
        let what = format!(
            "refresh_token_grace is more than {LONG_GRACE} seconds: for so long a stolen refresh \
             token works beside the program's own"
        );
        keys.warn(keys.line_of("refresh_token_grace"), what);
    }
    grace
}

/// Checks what each grant needs.
fn check_grants(keys: &mut Keys, client: &Client) {
    if client.may(GrantType::ClientCredentials) && !SECRET.is_in(keys) {
        // Otherwise anyone who knows the id could act as the client (RFC 6749, section 4.4).
        let what = "client_credentials is not for public clients; give it a secret or take the \
                    grant away";
        keys.fault(keys.line_of("grants"), what);
    }
    if client.may(GrantType::AuthorizationCode) && !keys.has("redirect_uris") {
        keys.fault(keys.line(), "authorization_code needs redirect_uris");
    }
}

/// Checks what a client needs so that programs can register themselves as it (RFC 7591).
fn check_registration(keys: &mut Keys, client: &Client, server: &Server) {
    let Some((line, id)) = &server.registration_client else { return };
    let is_fit = client.secret.is_none() && client.may(GrantType::AuthorizationCode);
    // Faults of the client itself have been reported already.
    let is_told = keys.has_unreadable() || !keys.findings.faults.is_empty();
    if **id == *client.id && !is_fit && !is_told {
        let what = "registration_client must be a public client (one without a secret) that may \
                    use authorization_code";
        keys.fault(*line, what);
    }
}

fn check_scopes(keys: &mut Keys, scopes: Option<Scope>, default: Option<Scope>) {
    if scopes.is_none() && keys.has("scopes") {
        return;
    }
    let scopes = scopes.unwrap_or_default();
    if let Some(default) = default {
        let Some(extra) = default.tokens().find(|token| !scopes.contains(token)) else { return };
        let meant = did_you_mean(extra, scopes.tokens());
        let what = format!("default_scopes has a scope that scopes lacks{meant}");
        keys.fault(keys.line_of("default_scopes"), what);
    } else if !scopes.is_empty() && !keys.has("default_scopes") {
        let what =
            "scopes without default_scopes: a request without a scope gets a token without any";
        keys.warn(keys.line(), what);
    }
}

fn grants(keys: &mut Keys) -> Vec<GrantType> {
    let Some((line, words)) = keys.words("grants") else { return Vec::new() };
    let mut grants = Vec::new();
    for word in &words {
        let known = GrantType::ALL
            .into_iter()
            .find(|grant| grant.short_name() == word || grant.as_str() == word);
        let names = GrantType::ALL.map(GrantType::short_name);
        match (known, nearest(word, names)) {
            (Some(grant), _) => grants.push(grant),
            (None, Some(meant)) => {
                keys.fault(line, format!("unknown grant {word:?}; did you mean {meant}?"));
            }
            (None, None) => {
                keys.fault(line, format!("unknown grant; the grants are {}", names.join(", ")));
            }
        }
    }
    grants
}

fn redirect_uris(keys: &mut Keys, insecure: bool) -> Vec<String> {
    let Some((line, uris)) = keys.words("redirect_uris") else { return Vec::new() };
    for uri in &uris {
        if let Some(what) = redirect_uri::fault(uri, insecure) {
            keys.fault(line, format!("a redirect URI {what}"));
        }
    }
    if uris.is_empty() {
        keys.fault(line, "redirect_uris is empty; write one or leave it out");
    }
    if uris.iter().any(|uri| uri.contains('*')) {
        // Redirect URIs are compared character for character (RFC 9700, section 2.1).
        let what = "redirect_uris has a *, which is no wildcard; write each URI in full";
        keys.warn(line, what);
    }
    uris
}
