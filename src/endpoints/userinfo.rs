//! `/oauth/userinfo`: who the token's user is, for applications that sign people in (modelled on
//! OpenID Connect Core 1.0, section 5.3).

use super::{Call, reply, resource};
use crate::encode::json::Object;
use crate::http::Response;
use crate::oauth::Outcome;
use crate::oauth::bearer::Challenge;
use crate::oauth::userinfo::{self, UserInfo};

/// A POST's body is not looked at: the token must be where `/` expects it.
pub fn answer<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Response {
    match who(call, outcome) {
        Ok(user) => reply::private_json(body(&user)),
        Err(challenge) => reply::challenge(call, challenge, outcome),
    }
}

fn who<'a>(call: &Call<'a>, outcome: &mut Outcome<'a>) -> Result<UserInfo<'a>, Challenge> {
    let info = resource::token(call, outcome)?;
    userinfo::userinfo(&call.known, &info)
}

fn body(user: &UserInfo) -> String {
    let mut object = Object::new().string("sub", user.id).string("preferred_username", user.id);
    for (member, value) in [("name", user.name), ("email", user.email)] {
        if let Some(value) = value {
            object = object.string(member, value);
        }
    }
    object.strings("groups", user.groups.iter().map(String::as_str)).finish()
}
