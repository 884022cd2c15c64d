//! `/oauth/authorize` (RFC 6749, section 3.1): one page to sign in and to consent.
//!
//! No cookie and no session: the page carries the request along, and everything is checked again
//! when it is sent in, with the password. So there is nothing that a forged request could ride on.

use super::pages::{self, Problem};
use super::{Call, reply};
use crate::encode::form::Form;
use crate::http::Response;
use crate::oauth::authorize::{self, Allowed, AuthorizationRequest, RedirectTarget, Rejection};
use crate::oauth::sign_in::Entered;
use crate::oauth::{OAuthError, Outcome};

/// What the page adds to the request that it carries along.
const ADDED: [&str; 3] = ["username", "password", "decision"];

pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    let is_post = call.request.head.method == "POST";
    let known = [&authorize::PARAMETERS[..], &ADDED[..]].concat();
    let form = match is_post {
        true => call.form(&known),
        false => call.query(&authorize::PARAMETERS),
    };
    let form = match form {
        Ok(form) => form,
        Err(error) => return pages::dead_end(error, outcome),
    };
    let request = match authorize::check(&call.settings.registry, &form) {
        Ok(request) => request,
        Err(Rejection::Page(error)) => return pages::dead_end(error, outcome),
        Err(Rejection::Redirect(target, error)) => return send_back(call, &target, error, outcome),
    };
    outcome.client = Some(request.client);
    match is_post {
        true => decide(call, &form, &request, outcome),
        false => pages::authorize(&request, &form, None, outcome),
    }
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
            let error = OAuthError::missing("decision", "RFC 6749, section 4.1.1");
            let problem = Problem::no_decision(error);
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
    match authorize::allow(&call.known, request, entered(form), (call.origin, outcome)) {
        Ok(Allowed::Code(code)) => {
            reply::redirect(&request.target.with_code(&code, &call.settings.issuer))
        }
        Ok(Allowed::NothingToGive(error)) => send_back(call, &request.target, error, outcome),
        Err(error) => {
            let problem = Problem::wrong_password(error);
            pages::authorize(request, form, Some(problem), outcome)
        }
    }
}

/// Tells the client that its request is refused (RFC 6749, section 4.1.2.1).
fn send_back(
    call: &Call,
    target: &RedirectTarget,
    error: OAuthError,
    outcome: &mut Outcome,
) -> Response {
    let location = target.with_error(&error, &call.settings.issuer);
    outcome.refusal = Some(error);
    reply::redirect(&location)
}

/// What a person has entered on a page.
pub fn entered<'a>(form: &'a Form) -> Entered<'a> {
    let field = |name| form.get(name).unwrap_or("");
    Entered { name: field("username"), password: field("password") }
}
