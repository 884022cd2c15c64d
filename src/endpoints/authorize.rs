//! `/oauth/authorize` (RFC 6749, section 3.1): one page to sign in and to consent.
//!
//! No cookie and no session: the page carries the request along, and everything is checked again
//! when it is sent in, with the password. So there is nothing that a forged request could ride on.

use super::Call;
use super::pages::{self, Problem};
use super::reply::{self, Reply};
use crate::encode::form::Form;
use crate::oauth::OAuthError;
use crate::oauth::authorize::{self, Allowed, AuthorizationRequest, Refusal};

/// What the page adds to the request that it carries along.
const ADDED: [&str; 3] = ["username", "password", "decision"];

#[inline(never)] // see answer() in mod.rs
pub fn answer(call: &Call) -> Reply {
    let is_post = call.request.head.method == "POST";
    let known = [&authorize::PARAMETERS[..], &ADDED[..]].concat();
    let form = match is_post {
        true => call.form(&known),
        false => call.query(&authorize::PARAMETERS),
    };
    let form = match form {
        Ok(form) => form,
        Err(error) => return pages::dead_end(error),
    };
    let request = match authorize::check(&call.settings.registry, &form) {
        Ok(request) => request,
        Err(Refusal::Page(error)) => return pages::dead_end(error),
        Err(Refusal::Redirect(back, error)) => {
            let location = back.with_error(&error, &call.settings.issuer);
            return reply::redirect(&location).refused(error);
        }
    };
    let reply = match is_post {
        true => decide(call, &form, &request),
        false => pages::authorize(200, &request, &form, None),
    };
    reply.client(&request.client.id)
}

fn decide(call: &Call, form: &Form, request: &AuthorizationRequest) -> Reply {
    let issuer = &call.settings.issuer;
    match form.get("decision") {
        Some("deny") => {
            let error = authorize::denied();
            reply::redirect(&request.back.with_error(&error, issuer)).refused(error)
        }
        Some("allow") => allow(call, form, request),
        _ => {
            let error = OAuthError::missing("decision", "RFC 6749, section 4.1.1");
            let problem = Problem::no_decision();
            pages::authorize(400, request, form, Some(problem)).refused(error)
        }
    }
}

fn allow(call: &Call, form: &Form, request: &AuthorizationRequest) -> Reply {
    let registry = &call.settings.registry;
    let name = form.get("username").unwrap_or("");
    let who = (name, form.get("password").unwrap_or(""));
    let (address, now) = (call.address, call.now);
    match authorize::allow(call.store, registry, call.throttle, request, who, address, now) {
        Ok(Allowed::Code { code, user }) => {
            let location = request.back.with_code(&code, &call.settings.issuer);
            reply::redirect(&location).user(Some(user))
        }
        Ok(Allowed::NothingToGive(error)) => {
            let location = request.back.with_error(&error, &call.settings.issuer);
            let user = registry.user(name).map(|user| user.name.clone());
            reply::redirect(&location).refused(error).user(user)
        }
        Err(error) => {
            let problem = Problem::of(&error, Problem::wrong_password());
            let status = reply::attempt_status(&error);
            let user = registry.user(name).map(|user| user.name.clone());
            pages::authorize(status, request, form, Some(problem)).refused(error).user(user)
        }
    }
}
