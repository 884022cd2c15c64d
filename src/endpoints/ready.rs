//! `/readyz`: whether the server can do its work now. Whoever balances load asks here; `/healthz`
//! only says that the process runs.

use super::{Call, reply};
use crate::http::Response;
use crate::oauth::Outcome;

pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    match call.known.store.check() {
        Ok(()) => reply::text("ok"),
        Err(unavailable) => reply::oauth_error(unavailable.into(), outcome),
    }
}
