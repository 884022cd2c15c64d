//! `grant_type=authorization_code` (RFC 6749, section 4.1.3; RFC 7636, section 4.5).
//!
//!     user   ── signs in, allows ──> authorization endpoint
//!     client <── code, by redirect ──
//!            ─── code and verifier ──> token endpoint
//!            <── access token, refresh token ──
//!
//!     POST /oauth/token                                     as a client
//!     grant_type=authorization_code&code=5e0c…e1&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb
//!     &code_verifier=dBjf…jXk
//!
//!     {"token_type":"bearer","access_token":"72ab…25","expires_in":3600,
//!      "refresh_token":"5e0c…9f","scope":"read"}
//!
//! The code stands for everything that was agreed on, and what is sent with it has to match. Any
//! mistake of its own client spends it; another client's attempt does not.

use super::issue::Granted;
use super::{TokenRequest, TokenResponse};
use crate::oauth::audience::Audience;
use crate::oauth::family::{self, end_if_used};
use crate::oauth::{ErrorCode, FamilyToken, OAuthError, Outcome, Rule, audience, pkce};
use crate::store::{Change, Code, OnlyIf};

const SOURCE: &str = "RFC 6749, section 4.1.3";

const GOOD: Rule = good("the code is alive, not used before, and was issued to this client");
const RESOURCE_KNOWN: Rule = good("its resource still accepts tokens of this user");
const USER_KNOWN: Rule = good("its user is still in the configuration");

/// The same words whatever is wrong with it.
const fn good(checked: &'static str) -> Rule {
    let broken = "the code is unknown, expired or already used";
    Rule { code: ErrorCode::InvalidGrant, checked, broken, source: "RFC 6749, section 4.1.2" }
}

const SAME_REDIRECT_URI: Rule = Rule {
    code: ErrorCode::InvalidGrant,
    checked: "redirect_uri is the one in the authorization request",
    broken: "redirect_uri differs from the one in the authorization request",
    source: "RFC 6749, section 4.1.3",
};

const REDIRECT_URI_SENT: Rule = Rule {
    code: ErrorCode::InvalidGrant,
    checked: "redirect_uri is there where the authorization request had one",
    broken: "redirect_uri is missing; the authorization request had one",
    source: "RFC 6749, section 4.1.3",
};

const VERIFIER_SENT: Rule = Rule {
    code: ErrorCode::InvalidGrant,
    checked: "the code has a challenge, so there is a verifier",
    broken: "code_verifier is missing",
    source: "RFC 7636, section 4.6",
};

const VERIFIER_FITS: Rule = Rule {
    code: ErrorCode::InvalidGrant,
    checked: "the challenge is S256 of the verifier",
    broken: "code_verifier does not match the code_challenge",
    source: "RFC 7636, section 4.6",
};

/// An attacker may have taken the challenge out of the authorization request.
const NO_DOWNGRADE: Rule = Rule {
    code: ErrorCode::InvalidGrant,
    checked: "the code has no challenge, so there is no verifier",
    broken: "code_verifier was sent, but the authorization request had no code_challenge",
    source: "RFC 9700, section 4.8.2",
};

/// Exchanges a code for tokens.
pub fn grant<'k>(
    request: &TokenRequest<'k, '_>,
    outcome: &mut Outcome<'k>,
) -> Result<TokenResponse, OAuthError> {
    let presented = request.required("code", SOURCE)?;
    // Checked first: a request for an unknown resource does not spend the code.
    let named = audience::named(&request.known, request.form)?;
    let code = FamilyToken::parse(presented).ok_or_else(|| GOOD.error())?;
    let (store, key) = (request.known.store, code.family.key());
    // "Ensure that the authorization code was issued to the authenticated [...] client" and "verify
    // that the authorization code is valid".
    let issued = store
        .code(&key, request.origin.now)?
        .filter(|issued| issued.client == request.client.number && issued.key == code.key())
        .ok_or_else(|| not_good(request, &code))?;
    request.known.checked(GOOD);
    // A user who has left the configuration grants nothing any more.
    let user = request.known.registry.user_numbered(issued.user);
    outcome.user = user;
    let once = OnlyIf::CodeIs(key, issued.key);
    let is_good = request.must(user.is_some(), USER_KNOWN).and_then(|()| agrees(request, &issued));
    if let Err(error) = is_good.and_then(|()| is_for(request, named, &issued)) {
        store.apply(once, [Change::TakeCode(key)])?;
        let what = format_args!("the code is spent, since its own client made a mistake");
        request.did(what, "RFC 9700, section 4.2.4");
        return Err(error);
    }
    // The family keeps the name that the code begins with, so that a second use is recognized.
    let granted = Granted {
        family: Some(code.family),
        user: Some(issued.user),
        resource: issued.resource,
        scope: issued.scope,
    };
    let (fresh, response) = request.fresh(&granted, granted.scope.clone()).split();
    // Used more than once, "MUST deny" (RFC 6749, section 4.1.2): of two requests at once, the store
    // lets one through.
    let redeemed = store.apply(once, [Change::TakeCode(key)].into_iter().chain(fresh))?;
    redeemed.ok_or_else(|| not_good(request, &code))?;
    request.did(format_args!("the code is spent: it works once"), "RFC 6749, section 4.1.2");
    request.given(&response);
    Ok(response)
}

/// Whether `redirect_uri` and `code_verifier` match what the code was issued for.
fn agrees(request: &TokenRequest, issued: &Code) -> Result<(), OAuthError> {
    // "If the redirect_uri parameter was included in the authorization request, [...] their values
    // are identical."
    match request.form.get("redirect_uri") {
        Some(sent) => request.must(sent == issued.redirect_uri, SAME_REDIRECT_URI)?,
        None => request.must(!issued.redirect_uri_sent, REDIRECT_URI_SENT)?,
    }
    match (&issued.challenge, request.form.get("code_verifier")) {
        (None, verifier) => request.must(verifier.is_none(), NO_DOWNGRADE),
        (Some(_), None) => Err(VERIFIER_SENT.error()),
        (Some(challenge), Some(verifier)) => {
            request.must(pkce::verify(verifier, challenge), VERIFIER_FITS)
        }
    }
}

/// Whether the code is for the resource that the request names, and that resource still takes this
/// client's and user's tokens (RFC 8707, section 2.2).
fn is_for(request: &TokenRequest, named: Audience, issued: &Code) -> Result<(), OAuthError> {
    let known = &request.known;
    let Some(audience) = audience::of_row(known.registry, issued.resource) else {
        return Err(RESOURCE_KNOWN.error());
    };
    let user = known.registry.user_numbered(issued.user);
    audience::must_take_user(known, audience, (user, RESOURCE_KNOWN))?;
    audience::must_be_granted(known, named, issued.resource)?;
    audience::must_take_client(known, audience, request.client)
}

/// "If an authorization code is used more than once, the authorization server [...] SHOULD revoke
/// (when possible) all tokens previously issued" (RFC 6749, section 4.1.2).
#[cold]
fn not_good(request: &TokenRequest, code: &FamilyToken) -> OAuthError {
    match end_if_used(&request.known, code, request.client, request.origin.now) {
        Ok(used) => family::not_good(used, "code", "RFC 6749, section 4.1.2", GOOD),
        Err(unavailable) => unavailable.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::grants::samples::{NOW, World};

    const URI: &str = "redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    /// Redeems the code and says what came of it: `ok`, or the text of the error.
    fn redeem(world: &World, id: &str, code: &str, more: &str) -> String {
        match world.grant(id, &format!("grant_type=authorization_code&code={code}&{more}"), NOW) {
            Ok(_) => "ok".into(),
            Err(error) => {
                assert_eq!(error.code, ErrorCode::InvalidGrant);
                error.description.to_string()
            }
        }
    }

    #[test]
    fn a_code_works_once_and_its_reuse_revokes_what_it_gave() {
        let world = World::new();
        let code = world.code(None);
        let form = format!("grant_type=authorization_code&code={code}&{URI}");
        let response = world.grant("a", &form, NOW).unwrap();
        assert!(world.is_live(&response.access_token, NOW));
        // Long after the code's own end too.
        let error = world.grant("a", &form, NOW.plus_seconds(600)).unwrap_err();
        assert_eq!(error.reason(), "code reused: 2 tokens revoked (RFC 6749, section 4.1.2)");
        assert!(!world.is_live(&response.access_token, NOW));
        assert_eq!(redeem(&world, "a", &code, URI), GOOD.broken);
    }

    #[test]
    fn a_used_code_is_known_where_the_client_may_not_refresh() {
        let world =
            World::with(|client| client.grants = vec![crate::oauth::GrantType::AuthorizationCode]);
        let code = world.code(None);
        assert_eq!(redeem(&world, "a", &code, URI), "ok");
        assert_eq!(redeem(&world, "a", &code, URI), "code reused: 1 tokens revoked");
        assert_eq!(redeem(&world, "a", &code, URI), GOOD.broken);
    }

    #[test]
    fn its_own_clients_mistake_spends_a_code() {
        let world = World::new();
        for (more, error) in [
            ("", REDIRECT_URI_SENT.broken),
            ("redirect_uri=https%3A%2F%2Fapp.example.com%2F", SAME_REDIRECT_URI.broken),
            (&format!("{URI}&code_verifier={VERIFIER}"), NO_DOWNGRADE.broken),
        ] {
            let code = world.code(None);
            assert_eq!(redeem(&world, "a", &code, more), error);
            assert_eq!(redeem(&world, "a", &code, URI), GOOD.broken);
        }
    }

    #[test]
    fn another_clients_attempt_neither_works_nor_spends() {
        let world = World::new();
        let code = world.code(None);
        assert_eq!(redeem(&world, "b", &code, URI), GOOD.broken);
        assert_eq!(redeem(&world, "a", &code, URI), "ok");
        assert_eq!(redeem(&world, "b", &code, URI), GOOD.broken);
        let family = FamilyToken::parse(&code).unwrap().family;
        assert!(world.store.family(&family.key(), NOW).unwrap().is_some());
    }

    #[test]
    fn a_code_lives_a_minute() {
        let world = World::new();
        let form = |code| format!("grant_type=authorization_code&code={code}&{URI}");
        assert!(world.grant("a", &form(world.code(None)), NOW.plus_seconds(59)).is_ok());
        assert!(world.grant("a", &form(world.code(None)), NOW.plus_seconds(60)).is_err());
    }

    #[test]
    fn a_challenge_needs_its_verifier() {
        let world = World::new();
        for (more, expected) in [
            (format!("{URI}&code_verifier={VERIFIER}"), "ok"),
            (format!("{URI}&code_verifier={CHALLENGE}"), VERIFIER_FITS.broken),
            (URI.to_string(), VERIFIER_SENT.broken),
        ] {
            assert_eq!(redeem(&world, "a", &world.code(Some(CHALLENGE)), &more), expected);
        }
    }

    #[test]
    fn who_was_removed_gives_nothing_any_more() {
        let mut world = World::new();
        let code = world.code(None);
        world.reload(&["a", "b"], &[]);
        assert_eq!(redeem(&world, "a", &code, URI), GOOD.broken);
        world.reload(&["a", "b"], &["user"]);
        assert_eq!(redeem(&world, "a", &code, URI), GOOD.broken);
    }
}
