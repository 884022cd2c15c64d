//! `/oauth/device` (RFC 8628, section 3.3): where a person enters the code that a device shows.
//!
//!     device                   oauth2d                     browser, somewhere else
//!       | shows WDJB-MJHT         |                                   |
//!       | and polls               |     POST /oauth/device            |
//!       |------------------------>|<----------------------------------|
//!       | authorization_pending   |     200, who asks, and for what   |
//!       |<------------------------|---------------------------------->|
//!       |------------------------>|     POST /oauth/device            |
//!       |                         |<----------------------------------|
//!       | its token               |     200, "Device connected"       |
//!       |<------------------------|---------------------------------->|
//!
//!     GET /oauth/device                            the first step: the code, alone
//!     GET /oauth/device?user_code=WDJB-MJHT        as a link brings it: the second step
//!
//!     POST /oauth/device
//!     user_code=wdjb-mjht                          the second step: who asks, and for what
//!
//!     POST /oauth/device
//!     user_code=WDJB-MJHT&username=ann&password=password&decision=allow
//!
//! Two steps, since nobody should allow what they have not seen: the code may come from an attacker
//! who wants to be let in (RFC 8628, section 5.4).

use super::Call;
use super::authorize::entered;
use super::cross_site::is_cross_site;
use super::pages::{self, Problem};
use crate::encode::form::Form;
use crate::http::Response;
use crate::oauth::device::{self, Allowed, Found};
use crate::oauth::sign_in::sign_in;
use crate::oauth::{OAuthError, Outcome};

const PARAMETERS: [&str; 4] = ["user_code", "username", "password", "decision"];

pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    let is_post = call.request.head.method == "POST";
    match read(call, is_post) {
        Err(error) => pages::dead_end(error, outcome),
        // After a link from another site the user has to press the button: an image on that site
        // could send the same request, and use up the visitor's attempts.
        Ok(form) if is_cross_site(call) => {
            let problem = is_post.then(Problem::cross_site);
            pages::enter_code(form.get("user_code"), problem, outcome)
        }
        Ok(form) => match form.get("user_code") {
            None if !is_post => pages::enter_code(None, None, outcome),
            typed => look_up(call, &form, typed.unwrap_or(""), outcome),
        },
    }
}

/// The form that was submitted or, for a GET, the user code in the query.
fn read<'a>(call: &Call<'a>, is_post: bool) -> Result<Form<'a>, OAuthError> {
    let form = match is_post {
        true => call.form(&PARAMETERS),
        false => call.query(&PARAMETERS[..1]),
    }?;
    pages::must_be_short(&call.known, &form)?;
    call.known.must_be_once(&form, "RFC 6749, section 10.14")?;
    Ok(form)
}

/// The second step if a device shows this code, and otherwise the first step again.
fn look_up<'a>(call: &Call<'a>, form: &Form, typed: &str, outcome: &mut Outcome<'a>) -> Response {
    match device::find(&call.known, typed, call.origin, outcome) {
        Ok(found) => decide(call, form, &found, outcome),
        Err(error) => {
            let problem = match call.request.head.method {
                "POST" => Problem::wrong_code(error),
                _ => Problem::stale_link(error),
            };
            pages::enter_code(Some(typed), Some(problem), outcome)
        }
    }
}

fn decide<'a>(call: &Call<'a>, form: &Form, found: &Found, outcome: &mut Outcome<'a>) -> Response {
    match form.get("decision") {
        None => pages::device(found, form, None, outcome),
        Some("allow") => allow(call, form, found, outcome),
        Some("deny") => match device::deny(&call.known, found) {
            Ok(()) => pages::device_denied(found),
            Err(error) => pages::device(found, form, Some(Problem::wrong_password(error)), outcome),
        },
        Some(_) => {
            let problem = Problem::no_decision("RFC 8628, section 3.3");
            pages::device(found, form, Some(problem), outcome)
        }
    }
}

fn allow<'a>(call: &Call<'a>, form: &Form, found: &Found, outcome: &mut Outcome<'a>) -> Response {
    let entered = entered(form, "RFC 8628, section 3.3");
    let user = sign_in(&call.known, entered, call.origin, outcome);
    match user.and_then(|user| device::allow(&call.known, found, user)) {
        Ok(Allowed::Done) => pages::device_allowed(found),
        Ok(Allowed::NothingToGrant) => pages::device_nothing_to_grant(found),
        Err(error) => {
            let problem = Problem::wrong_password(error);
            pages::device(found, form, Some(problem), outcome)
        }
    }
}
