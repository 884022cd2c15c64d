//! `/readyz`: whether the server can do its work now, for load balancers. `/healthz` only says that
//! the process is running.

use super::route::ROUTES;
use super::{Call, reply};
use crate::http::{Response, Status};
use crate::oauth::{ErrorCode, Outcome, Rule};

const STOPPING: Rule = Rule {
    code: ErrorCode::TemporarilyUnavailable,
    checked: "the server is not stopping",
    broken: "the server is stopping",
    source: "RFC 9110, section 15.6.4",
};
/// Seconds until another server is likely to have taken over.
const RETRY_AFTER: u64 = 1;

pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    if call.is_stopping {
        return reply::oauth_error(STOPPING.error().unavailable_for(RETRY_AFTER), outcome);
    }
    match call.known.store.check() {
        Ok(()) => reply::text("ok"),
        Err(unavailable) => reply::oauth_error(unavailable.into(), outcome),
    }
}

/// Whether this was a successful probe, which the text log leaves out: they come every few seconds.
pub fn is_good(route: Option<usize>, status: Status) -> bool {
    let is_probe = route.is_some_and(|at| ["/healthz", "/readyz"].contains(&ROUTES[at].path));
    is_probe && status == Status::Ok
}
