//! `[user NAME]`: a person who can sign in.

use std::sync::Arc;

use super::Read;
use super::keys::Keys;
use super::secret::PASSWORD;
use crate::oauth::User;
use crate::oauth::secret::StoredSecret;
use crate::oauth::userinfo::Profile;
use crate::store::Number;

pub fn read(keys: &mut Keys, read: &mut Read) {
    keys.warn_of_quotes_in_name("the user's name");
    let password = PASSWORD.take(keys, read.outside);
    let scopes = keys.scopes("scopes");
    let profile = Profile {
        name: keys.label("name").map(Arc::from),
        email: keys.label("email").map(Arc::from),
        groups: keys.names("groups"),
    };
    keys.end();
    if !PASSWORD.is_in(keys) {
        let what = "the user has no password; add password, password_hash, password_file or \
                    password_env";
        keys.fault(keys.line(), what);
    }
    let Some(password) = password else { return };
    if matches!(password.secret, StoredSecret::Sha256(_)) {
        let what = "password_hash is a fast hash, right for random secrets alone; oauth2d --hash \
                    makes one that holds guessing up";
        keys.warn(password.line, what);
    }
    read.user_costs.push((password.line, password.secret.cost()));
    read.users.push(User {
        name: Arc::from(keys.name()),
        number: Number::default(),
        password: password.secret,
        scopes,
        profile,
    });
}
