//! `/oauth/device` (RFC 8628, section 3.3): where a person enters the code that a device shows.

use super::Call;
use super::pages::{self, Problem};
use super::reply::{self, Reply};
use crate::encode::form::Form;
use crate::oauth::device::{self, Allowed, Decision, UserCode};
use crate::oauth::{ErrorCode, OAuthError};
use crate::store::PendingDevice;

const PARAMETERS: [&str; 4] = ["user_code", "username", "password", "decision"];

#[inline(never)] // see answer() in mod.rs
pub fn answer(call: &Call) -> Reply {
    let is_post = call.request.head.method == "POST";
    let form = match is_post {
        true => call.form(&PARAMETERS),
        false => call.query(&PARAMETERS[..1]),
    };
    match form {
        Err(error) => pages::dead_end(error),
        Ok(form) => match form.repeated() {
            Some(name) => pages::dead_end(OAuthError::repeated(name)),
            None if is_post => decide(call, &form),
            None => show(call, &form),
        },
    }
}

/// The page, with the code filled in where the URI brought the right one. It still asks: the URI
/// may have come from somebody else (RFC 8628, section 5.4).
fn show(call: &Call, form: &Form) -> Reply {
    let Some(typed) = form.get("user_code") else {
        return pages::device(200, None, form, None);
    };
    match device::find(call.store, call.throttle, typed, call.address, call.now) {
        Ok((code, device)) => {
            pages::device(200, Some((&code, &device)), form, None).client(&device.client)
        }
        Err(error) if error.code == ErrorCode::TemporarilyUnavailable => {
            let problem = Problem::of(&error, Problem::wrong_code());
            pages::device(429, None, form, Some(problem)).refused(error)
        }
        Err(error) => pages::device(200, None, form, Some(Problem::wrong_code())).refused(error),
    }
}

fn decide(call: &Call, form: &Form) -> Reply {
    let typed = form.get("user_code").unwrap_or("");
    let decision = form.get("decision").filter(|word| matches!(*word, "allow" | "deny"));
    let found = device::find(call.store, call.throttle, typed, call.address, call.now);
    match (decision, found) {
        (None, found) => {
            let found = found.ok();
            let found = found.as_ref().map(|(code, device)| (code, device));
            let error = OAuthError::missing("decision", "RFC 8628, section 3.3");
            pages::device(400, found, form, Some(Problem::no_decision())).refused(error)
        }
        (Some(_), Err(error)) => {
            let problem = Problem::of(&error, Problem::wrong_code());
            let status = reply::attempt_status(&error);
            pages::device(status, None, form, Some(problem)).refused(error)
        }
        (Some("deny"), Ok((code, device))) => {
            call.store.decide_device(&code, Decision::Denied, call.now);
            pages::device_denied(&device).client(&device.client)
        }
        (Some(_), Ok((code, device))) => allow(call, form, &code, &device).client(&device.client),
    }
}

fn allow(call: &Call, form: &Form, code: &UserCode, device: &PendingDevice) -> Reply {
    let registry = &call.settings.registry;
    let name = form.get("username").unwrap_or("");
    let who = (name, form.get("password").unwrap_or(""));
    let request = (code, device);
    let (address, now) = (call.address, call.now);
    let allowed = device::allow(call.store, registry, call.throttle, request, who, address, now);
    let reply = match allowed {
        Ok(Allowed::Done) => pages::device_allowed(device),
        Ok(Allowed::NothingToGive) => pages::device_nothing_to_give(device),
        Err(error) => {
            let problem = Problem::of(&error, Problem::wrong_password());
            let status = reply::attempt_status(&error);
            pages::device(status, Some(request), form, Some(problem)).refused(error)
        }
    };
    reply.user(registry.user(name).map(|user| user.name.clone()))
}
