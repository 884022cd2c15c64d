//! `/oauth/device` (RFC 8628, section 3.3): where a person enters the code that a device shows.

use super::Call;
use super::authorize::entered;
use super::pages::{self, Problem};
use crate::encode::form::Form;
use crate::http::Response;
use crate::oauth::device::{self, Allowed, Found};
use crate::oauth::{OAuthError, Outcome};

const PARAMETERS: [&str; 4] = ["user_code", "username", "password", "decision"];

pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    let is_post = call.request.head.method == "POST";
    let form = match is_post {
        true => call.form(&PARAMETERS),
        false => call.query(&PARAMETERS[..1]),
    };
    match form {
        Err(error) => pages::dead_end(error, outcome),
        Ok(form) => match form.repeated() {
            Some(name) => pages::dead_end(OAuthError::repeated(name), outcome),
            None if is_post => decide(call, &form, outcome),
            None => show(call, &form, outcome),
        },
    }
}

/// The page, with the code filled in where the URI brought the right one. It still asks: the URI
/// may have come from somebody else (RFC 8628, section 5.4).
fn show<'a>(call: &Call<'a>, form: &Form, outcome: &mut Outcome<'a>) -> Response {
    let Some(typed) = form.get("user_code") else {
        return pages::device(None, form, None, outcome);
    };
    match device::find(&call.known, typed, call.origin, outcome) {
        Ok(found) => pages::device(Some(&found), form, None, outcome),
        // Who follows a link has not typed the code: the page is as it should be.
        Err(error) => pages::device(None, form, Some(Problem::stale_link(error)), outcome),
    }
}

fn decide<'a>(call: &Call<'a>, form: &Form, outcome: &mut Outcome<'a>) -> Response {
    let typed = form.get("user_code").unwrap_or("");
    let decision = form.get("decision").filter(|word| matches!(*word, "allow" | "deny"));
    let found = device::find(&call.known, typed, call.origin, outcome);
    match (decision, found) {
        (None, found) => {
            let error = OAuthError::missing("decision", "RFC 8628, section 3.3");
            let problem = Some(Problem::no_decision(error));
            pages::device(found.as_ref().ok(), form, problem, outcome)
        }
        (Some(_), Err(error)) => {
            pages::device(None, form, Some(Problem::wrong_code(error)), outcome)
        }
        (Some("deny"), Ok(found)) => match device::deny(&call.known, &found) {
            Ok(()) => pages::device_denied(&found),
            Err(error) => {
                let problem = Problem::wrong_password(error);
                pages::device(Some(&found), form, Some(problem), outcome)
            }
        },
        (Some(_), Ok(found)) => allow(call, form, &found, outcome),
    }
}

fn allow<'a>(call: &Call<'a>, form: &Form, found: &Found, outcome: &mut Outcome<'a>) -> Response {
    match device::allow(&call.known, found, entered(form), (call.origin, outcome)) {
        Ok(Allowed::Done) => pages::device_allowed(found),
        Ok(Allowed::NothingToGive) => pages::device_nothing_to_give(found),
        Err(error) => {
            let problem = Problem::wrong_password(error);
            pages::device(Some(found), form, Some(problem), outcome)
        }
    }
}
