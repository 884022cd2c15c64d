//! `/oauth/authorize` (RFC 6749, section 3.1): one page to sign in and to consent.
//!
//!     browser                             oauth2d                      application
//!       | GET /oauth/authorize?…             |                              |
//!       |----------------------------------->|                              |
//!       |        200, the page               |                              |
//!       |<-----------------------------------|                              |
//!       | POST /oauth/authorize              |                              |
//!       |----------------------------------->|                              |
//!       |        303 See Other               |                              |
//!       |<-----------------------------------|                              |
//!       | GET /cb?code=…                                                    |
//!       |------------------------------------------------------------------>|
//!
//!     GET /oauth/authorize?response_type=code&client_id=app&state=af0ifjsldkj
//!         &redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb&scope=read
//!         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256
//!
//!     POST /oauth/authorize            the same parameters, and
//!     username=ann&password=password&decision=allow
//!
//!     HTTP/1.1 303 See Other
//!     Location: https://app.example.com/cb?code=5e0c…e1&state=af0ifjsldkj
//!         &iss=https%3A%2F%2Fauth.example.com
//!
//! No cookie and no session: the page carries the request's parameters as hidden fields, and
//! everything is checked again when it is submitted, together with the password. So a forged
//! request finds nothing to ride on (RFC 6749, section 10.12).

use super::cross_site::is_cross_site;
use super::pages::{self, Problem};
use super::{Call, reply};
use crate::encode::form::Form;
use crate::http::Response;
use crate::oauth::authorize::{self, Allowed, AuthorizationRequest, RedirectTarget, Rejection};
use crate::oauth::sign_in::{Entered, sign_in};
use crate::oauth::{OAuthError, Outcome, audience};

/// What the page's form adds to the parameters of the request.
const ADDED: [&str; 3] = ["username", "password", "decision"];

pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    let is_post = call.request.head.method == "POST";
    let is_cross_site = is_post && is_cross_site(call);
    let form = match read(call, is_post, is_cross_site) {
        Ok(form) => form,
        Err(error) => return pages::dead_end(error, outcome),
    };
    outcome.client = form.get("client_id").and_then(|id| call.known.registry.client(id));
    let request = match authorize::check(&call.known, &form) {
        Ok(request) => request,
        Err(Rejection::Page(error)) => return pages::dead_end(error, outcome),
        Err(Rejection::Redirect(target, error)) => return send_back(call, &target, error, outcome),
    };
    match is_post && !is_cross_site {
        true => decide(call, &form, &request, outcome),
        false => {
            let problem = is_cross_site.then(Problem::cross_site);
            pages::authorize(&request, &form, problem, outcome)
        }
    }
}

/// The parameters of the request, and of a submitted page what its form adds. In a form that
/// another site submits, what was added is not even read.
pub fn read<'a>(
    call: &Call<'a>,
    is_post: bool,
    is_cross_site: bool,
) -> Result<Form<'a>, OAuthError> {
    let parameters = audience::parameters(call.known.registry, &authorize::PARAMETERS);
    let form = match (is_post, is_cross_site) {
        (true, false) => call.form(&[parameters, &ADDED[..]].concat()),
        (true, true) => call.form(parameters),
        (false, _) => call.query(parameters),
    }?;
    pages::must_be_short(&call.known, &form)?;
    Ok(form)
}

fn decide<'a>(
    call: &Call<'a>,
    form: &Form,
    request: &AuthorizationRequest<'a, '_>,
    outcome: &mut Outcome<'a>,
) -> Response {
    match form.get("decision") {
        Some("deny") => send_back(call, &request.target, authorize::DENIED.error(), outcome),
        Some("allow") => allow(call, form, request, outcome),
        _ => {
            let problem = Problem::no_decision("RFC 6749, section 4.1.1");
            pages::authorize(request, form, Some(problem), outcome)
        }
    }
}

fn allow<'a>(
    call: &Call<'a>,
    form: &Form,
    request: &AuthorizationRequest<'a, '_>,
    outcome: &mut Outcome<'a>,
) -> Response {
    // "MUST first verify the identity of the resource owner."
    let entered = entered(form, "RFC 6749, section 3.1");
    let user = sign_in(&call.known, entered, call.origin, outcome);
    match user.and_then(|user| authorize::allow(&call.known, request, user, call.origin.now)) {
        Ok(Allowed::Code(code)) => {
            redirect(call, &request.target.with_code(&code, &call.settings.issuer))
        }
        Ok(Allowed::NothingToGrant(error)) => send_back(call, &request.target, error, outcome),
        Err(error) => {
            let problem = Problem::wrong_password(error);
            pages::authorize(request, form, Some(problem), outcome)
        }
    }
}

/// Tells the client, by way of the browser, that its request is refused (RFC 6749, section
/// 4.1.2.1).
pub fn send_back(
    call: &Call,
    target: &RedirectTarget,
    error: OAuthError,
    outcome: &mut Outcome,
) -> Response {
    let location = target.with_error(&error, &call.settings.issuer);
    outcome.refusal = Some(error);
    redirect(call, &location)
}

fn redirect(call: &Call, location: &str) -> Response {
    let what = format_args!("the browser is sent back to the client, with its state and our iss");
    call.known.did(what, "RFC 9207, section 2");
    reply::redirect(location)
}

/// The name and password that were entered on a page; `source` is the section that asks for them.
pub fn entered<'a>(form: &'a Form, source: &'static str) -> Entered<'a> {
    let field = |name| form.get(name).unwrap_or("");
    Entered { name: field("username"), password: field("password"), source }
}
