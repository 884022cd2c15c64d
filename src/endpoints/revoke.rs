//! `POST /oauth/revoke` (RFC 7009).

use super::Call;
use super::reply::{self, Reply};
use crate::oauth::{OAuthError, revoke};

const PARAMETERS: [&str; 4] = ["token", "token_type_hint", "client_id", "client_secret"];

#[inline(never)] // see answer() in mod.rs
pub fn answer(call: &Call) -> Reply {
    match asked(call) {
        // A body, since some clients insist on one.
        Ok(()) => reply::private_json("{}".into()),
        Err(error) => reply::oauth_error(error),
    }
}

fn asked(call: &Call) -> Result<(), OAuthError> {
    let form = call.strict_form(&PARAMETERS)?;
    let client = call.client(&form)?;
    let token =
        form.get("token").ok_or_else(|| OAuthError::missing("token", "RFC 7009, section 2.1"))?;
    revoke::revoke(call.store, token, client, call.now)
}
