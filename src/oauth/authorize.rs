//! The authorization request (RFC 6749, section 4.1.1). It is checked in full twice: when the page
//! is shown and when it is submitted.

use super::audience::Audience;
use super::redirect_uri::{matches, with_parameters};
use super::{
    Client, ErrorCode, FamilyName, FamilyToken, GrantType, Known, OAuthError, Rule, Scope,
    Timestamp, User, audience, pkce, scope,
};
use crate::encode::form::Form;
use crate::store::{Change, Code, OnlyIf};

/// The parameters of an authorization request; the page carries them as hidden fields.
pub const PARAMETERS: [&str; 9] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "response_mode",
    "resource",
];

/// "Not authorized to request an authorization code using this method."
const MAY_USE: Rule = Rule {
    code: ErrorCode::UnauthorizedClient,
    checked: "its grants include authorization_code",
    broken: "the client may not use this grant",
    source: "RFC 6749, section 4.1.2.1",
};

const SOURCE: &str = "RFC 6749, section 4.1.2.1";

const CLIENT_KNOWN: Rule = invalid("the client is known", "the client is unknown", SOURCE);
/// For a client that expects the server to fetch its metadata from that URL.
const URL_LISTED: Rule = invalid(
    "the client_id is a URL in this server's configuration",
    "the client_id is a URL that is not in this server's configuration",
    SOURCE,
);
const REGISTERED: Rule = invalid(
    "redirect_uri is one that the client registered",
    "redirect_uri is not one that the client registered",
    SOURCE,
);

const FOR_CODE: Rule = Rule {
    code: ErrorCode::UnsupportedResponseType,
    checked: "the response_type is code",
    broken: "response_type must be code",
    source: "RFC 6749, section 3.1.1",
};
const BY_QUERY: Rule = invalid(
    "the response_mode is query",
    "response_mode must be query",
    "OAuth 2.0 Multiple Response Type Encoding Practices, section 2.1",
);

const fn invalid(checked: &'static str, broken: &'static str, source: &'static str) -> Rule {
    Rule { code: ErrorCode::InvalidRequest, checked, broken, source }
}

/// A request that can be granted if the user agrees.
pub struct AuthorizationRequest<'k, 'r> {
    pub client: &'k Client,
    pub target: RedirectTarget<'r>,
    pub audience: Audience<'k>,
    pub scope: Scope,
    redirect_uri_sent: bool,
    challenge: Option<&'r str>,
}

/// Where the browser goes with the answer.
pub struct RedirectTarget<'a> {
    pub redirect_uri: &'a str,
    state: Option<&'a str>,
}

/// Why a request cannot be granted.
pub enum Rejection<'a> {
    /// There is no redirect URI to trust, so a page tells the user (RFC 6749, section 4.1.2.1).
    Page(OAuthError),
    Redirect(RedirectTarget<'a>, OAuthError),
}

impl RedirectTarget<'_> {
    /// The redirect URI with this answer, the request's `state`, and `iss` (RFC 9207, section 2).
    fn with(&self, answer: &[(&str, &str)], issuer: &str) -> String {
        let mut parameters = answer.to_vec();
        parameters.extend(self.state.map(|state| ("state", state)));
        parameters.push(("iss", issuer));
        with_parameters(self.redirect_uri, &parameters)
    }

    pub fn with_code(&self, code: &FamilyToken, issuer: &str) -> String {
        self.with(&[("code", &code.reveal())], issuer)
    }

    pub fn with_error(&self, error: &OAuthError, issuer: &str) -> String {
        let description = ("error_description", error.description.as_ref());
        self.with(&[("error", error.code.as_str()), description], issuer)
    }
}

/// Checks everything about a request that does not depend on the user.
pub fn check<'k: 'r, 'r>(
    known: &Known<'k>,
    form: &'r Form,
) -> Result<AuthorizationRequest<'k, 'r>, Rejection<'r>> {
    let (client, target) = who_and_where(known, form).map_err(Rejection::Page)?;
    match check_rest(known, client, form) {
        Ok((challenge, audience, scope)) => Ok(AuthorizationRequest {
            client,
            target,
            audience,
            scope,
            redirect_uri_sent: form.get("redirect_uri").is_some(),
            challenge,
        }),
        Err(error) => Err(Rejection::Redirect(target, error)),
    }
}

/// The client and where to redirect to. As long as either is in doubt, there must be no redirect.
fn who_and_where<'k: 'r, 'r>(
    known: &Known<'k>,
    form: &'r Form,
) -> Result<(&'k Client, RedirectTarget<'r>), OAuthError> {
    if let Some(name @ ("client_id" | "redirect_uri")) = form.repeated() {
        return Err(OAuthError::repeated(name, "RFC 6749, section 3.1"));
    }
    let id = known.required(form, "client_id", SOURCE)?;
    let is_url = ["https://", "http://"].iter().any(|scheme| id.starts_with(scheme));
    let listed = if is_url { URL_LISTED } else { CLIENT_KNOWN };
    let client = known.must_find(known.registry.client(id), listed)?;
    let redirect_uri = match (form.get("redirect_uri"), &client.redirect_uris[..]) {
        (Some(sent), registered) => {
            known
                .must(registered.iter().any(|uri| matches(sent, uri)), REGISTERED)
                .map_err(|error| error.logged_as(not_registered(sent, registered)))?;
            sent
        }
        (None, [only]) => only,
        (None, _) => return Err(OAuthError::missing("redirect_uri", SOURCE)),
    };
    // A `state` that appears twice is not sent back.
    let state = form.get("state").filter(|_| form.repeated() != Some("state"));
    Ok((client, RedirectTarget { redirect_uri, state }))
}

/// For the log, where the operator compares the two. The query may hold anything, so it is left
/// out.
#[cold]
fn not_registered(sent: &str, registered: &[String]) -> String {
    let shown: String = sent.split(['?', '#']).next().unwrap_or("").chars().take(200).collect();
    format!(
        "redirect_uri {shown} is not registered; the client registered {}",
        registered.join(" ")
    )
}

fn check_rest<'k, 'r>(
    known: &Known<'k>,
    client: &Client,
    form: &'r Form,
) -> Result<(Option<&'r str>, Audience<'k>, Scope), OAuthError> {
    known.must_be_once(form, "RFC 6749, section 3.1")?;
    let response_type = known.required(form, "response_type", "RFC 6749, section 3.1.1")?;
    known.must(response_type == "code", FOR_CODE)?;
    if let Some(mode) = form.get("response_mode") {
        known.must(mode == "query", BY_QUERY)?;
    }
    known.must(client.may(GrantType::AuthorizationCode), MAY_USE)?;
    let challenge = pkce::challenge(known, client, form)?;
    let audience = audience::asked(known, client, form)?;
    audience::must_take_client(known, audience, client)?;
    Ok((challenge, audience, scope::for_client(known, client, form.get("scope"))?))
}

/// Issues a code, if the user may grant any of what the client asks for.
pub fn allow(
    known: &Known,
    request: &AuthorizationRequest,
    user: &User,
    now: Timestamp,
) -> Result<Allowed, OAuthError> {
    let may = audience::must_take_user(known, request.audience, (Some(user), audience::USER_MAY));
    let scope = match may.and_then(|()| scope::for_user(known, request.scope.clone(), user)) {
        Ok(scope) => scope,
        Err(error) => return Ok(Allowed::NothingToGrant(error)),
    };
    let code = FamilyToken::of(FamilyName::random());
    let lifetime = known.registry.lifetimes.authorization_code;
    let row = Code {
        key: code.key(),
        client: request.client.number,
        user: user.number,
        resource: audience::number(request.audience),
        scope,
        redirect_uri: request.target.redirect_uri.into(),
        redirect_uri_sent: request.redirect_uri_sent,
        challenge: request.challenge.map(String::from),
        expires: now.plus_seconds(lifetime),
    };
    known.store.apply(OnlyIf::Always, [Change::PutCode(code.family.key(), row)])?;
    let what = format_args!("a code is issued, for {lifetime} seconds and one use");
    known.did(what, "RFC 6749, section 4.1.2");
    Ok(Allowed::Code(code))
}

/// What comes of the user's `allow`.
pub enum Allowed {
    Code(FamilyToken),
    /// The user may grant nothing of what the client asked for, or nothing for that resource.
    NothingToGrant(OAuthError),
}

/// What the client is told when the user denies.
pub const DENIED: Rule = Rule {
    code: ErrorCode::AccessDenied,
    checked: "the user allows it",
    broken: "the user has denied the request",
    source: "RFC 6749, section 4.1.2.1",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::grants::samples::{NOW, World};
    use crate::oauth::registry::samples;

    /// Where the request leads, or `ok`, or `page`.
    fn outcome(query: &str) -> String {
        let mut public = samples::client("public");
        public.secret = None;
        let mut two = samples::client("two");
        two.redirect_uris.push("http://127.0.0.1/cb".into());
        let mut cannot = samples::client("cannot");
        cannot.grants = vec![];
        let registry = samples::registry(vec![samples::client("app"), public, two, cannot]);
        let form = Form::parse(query, &PARAMETERS).unwrap();
        let world = World::new();
        let known = Known { registry: &registry, ..world.known() };
        match check(&known, &form) {
            Ok(_) => "ok".into(),
            Err(Rejection::Page(_)) => "page".into(),
            Err(Rejection::Redirect(target, error)) => {
                let location = target.with_error(&error, "https://i");
                location.split("&error_description").next().unwrap().into()
            }
        }
    }

    const CHALLENGE: &str = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn requests_that_can_be_granted() {
        for query in [
            "response_type=code&client_id=app",
            "response_type=code&client_id=app&redirect_uri=https://app.example.com/cb&scope=write&response_mode=query",
            &format!("response_type=code&client_id=public&{CHALLENGE}&code_challenge_method=S256"),
            "response_type=code&client_id=two&redirect_uri=http://127.0.0.1:4711/cb",
        ] {
            assert_eq!(outcome(query), "ok", "{query}");
        }
    }

    #[test]
    fn without_a_sure_way_back_there_is_a_page() {
        for query in [
            "",
            "client_id=nobody",
            "client_id=two&response_type=code",
            "client_id=app&redirect_uri=https://evilapp.example.com/cb",
            "client_id=app&client_id=app",
            "client_id=app&redirect_uri=https://app.example.com/cb&redirect_uri=x",
        ] {
            assert_eq!(outcome(query), "page", "{query}");
        }
    }

    #[test]
    fn a_code_lives_as_long_as_the_file_says_and_keeps_its_challenge() {
        let mut world = World::new();
        world.registry.lifetimes.authorization_code = 90;
        let known = world.known();
        let query =
            format!("client_id=a&response_type=code&{CHALLENGE}&code_challenge_method=S256");
        let form = Form::parse(&query, &PARAMETERS).unwrap();
        let request = check(&known, &form).ok().unwrap();
        let user = world.registry.user("user").unwrap();
        let Ok(Allowed::Code(code)) = allow(&known, &request, user, NOW) else { panic!() };
        let kept = |seconds| {
            let code = world.store.code(&code.family.key(), NOW.plus_seconds(seconds)).unwrap();
            code.and_then(|code| code.challenge)
        };
        assert_eq!(kept(89).as_deref(), CHALLENGE.strip_prefix("code_challenge="));
        assert_eq!(kept(90), None);
    }

    #[test]
    fn every_other_error_goes_back() {
        for (query, error) in [
            ("client_id=app", "invalid_request"),
            ("client_id=app&response_type=token", "unsupported_response_type"),
            ("client_id=app&response_type=code&response_mode=fragment", "invalid_request"),
            ("client_id=cannot&response_type=code", "unauthorized_client"),
            ("client_id=app&response_type=code&scope=admin", "invalid_scope"),
            ("client_id=app&response_type=code&scope=a&scope=a", "invalid_request"),
            ("client_id=public&response_type=code", "invalid_request"),
            (&format!("client_id=app&response_type=code&{CHALLENGE}"), "invalid_request"),
            (
                &format!(
                    "client_id=app&response_type=code&{CHALLENGE}&code_challenge_method=plain"
                ),
                "invalid_request",
            ),
            ("client_id=app&response_type=code&code_challenge_method=S256", "invalid_request"),
            (
                "client_id=app&response_type=code&code_challenge=short&code_challenge_method=S256",
                "invalid_request",
            ),
        ] {
            assert_eq!(
                outcome(query),
                format!("https://app.example.com/cb?error={error}"),
                "{query}"
            );
        }
    }
}
