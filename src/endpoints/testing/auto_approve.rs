//! `auto_approve = USER`: everything is checked, and then counts as allowed by this user.

use super::Testing;
use crate::endpoints::pages::{self, Problem};
use crate::endpoints::{Call, authorize, device_authorization, reply};
use crate::http::Response;
use crate::oauth::authorize::{self as rules, Allowed};
use crate::oauth::device;
use crate::oauth::{Outcome, User};

/// The answer of the authorization endpoint as if the user had pressed Allow; `None` if the client
/// has no such user.
pub fn authorize<'a>(
    testing: &Testing,
    call: &Call<'a>,
    outcome: &mut Outcome<'a>,
) -> Option<Response> {
    let is_post = call.request.head.method == "POST";
    // It does not matter which site sent the request: no password is tried.
    let form = authorize::read(call, is_post, false).ok()?;
    let user = approver(testing, call, form.get("client_id")?)?;
    // A faulty request is answered as usual.
    let request = rules::check(&call.known, &form).ok()?;
    (outcome.client, outcome.user) = (Some(request.client), Some(user));
    let (target, issuer) = (&request.target, &call.settings.issuer);
    Some(match rules::allow(&call.known, &request, user, call.origin.now) {
        Ok(Allowed::Code(code)) => reply::redirect(&target.with_code(&code, issuer)),
        Ok(Allowed::NothingToGrant(error)) => authorize::send_back(call, target, error, outcome),
        Err(error) => {
            let problem = Problem::wrong_password(error);
            pages::authorize(&request, &form, Some(problem), outcome)
        }
    })
}

/// The answer to a device's request, which is allowed at once.
pub fn device_authorization<'a>(
    testing: &Testing,
    call: &Call<'a>,
    outcome: &mut Outcome<'a>,
) -> Response {
    let allowed = device_authorization::start(call, outcome).and_then(|(code, found)| {
        if let Some(user) = approver(testing, call, &found.client.id) {
            outcome.user = Some(user);
            device::allow(&call.known, &found, user)?;
        }
        Ok(device_authorization::body(call, &code, &found.user_code))
    });
    match allowed {
        Ok(body) => reply::private_json(body),
        Err(error) => reply::oauth_error(error, outcome),
    }
}

/// The user who allows whatever this client asks for.
fn approver<'a>(testing: &Testing, call: &Call<'a>, client: &str) -> Option<&'a User> {
    call.known.registry.user(testing.approver(client)?)
}
