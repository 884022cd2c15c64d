//! What a reload changes for clients and users that stay, whose tokens stay valid: an operator who
//! replaces a leaked password wants to know how to end those.

use crate::oauth::secret::StoredSecret;
use crate::oauth::{Client, Registry, User};

/// A line for each client and user that may do less than before, or has a new secret or password.
pub fn changes(before: &Registry, now: &Registry) -> Vec<String> {
    let clients = before.clients().iter().filter_map(|it| {
        let changed = of_client(it, now.client(&it.id)?);
        line("client", &it.id, &changed)
    });
    let users = before.users().iter().filter_map(|it| {
        let changed = of_user(it, now.user(&it.name)?);
        line("user", &it.name, &changed)
    });
    clients.chain(users).collect()
}

fn line(kind: &str, name: &str, changed: &[&str]) -> Option<String> {
    let what = changed.join(" and ");
    (!changed.is_empty()).then(|| {
        format!(
            "{kind} {name} has {what} now; tokens issued before live on, and oauth2d --end \
             --{kind} {name} ends them"
        )
    })
}

fn of_client(before: &Client, now: &Client) -> Vec<&'static str> {
    let same_secret = match (&before.secret, &now.secret) {
        (Some(before), Some(now)) => before.is_kept_as(now),
        (before, now) => before.is_none() && now.is_none(),
    };
    let has_all_uris = before.redirect_uris.iter().all(|uri| now.redirect_uris.contains(uri));
    let changed = [
        (!same_secret, "a new secret"),
        (!now.scopes.covers(&before.scopes), "fewer scopes"),
        (!has_all_uris, "fewer redirect URIs"),
    ];
    changed.into_iter().filter_map(|(is_so, what)| is_so.then_some(what)).collect()
}

fn of_user(before: &User, now: &User) -> Vec<&'static str> {
    let fewer = match (&before.scopes, &now.scopes) {
        (Some(before), Some(now)) => !now.covers(before),
        (before, now) => before.is_none() && now.is_some(),
    };
    let same = StoredSecret::is_kept_as(&before.password, &now.password);
    let changed = [(!same, "a new password"), (fewer, "fewer scopes")];
    changed.into_iter().filter_map(|(is_so, what)| is_so.then_some(what)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Scope;
    use crate::oauth::registry::samples::{client, user};
    use crate::oauth::secret::Secret;

    fn secret(text: &str) -> StoredSecret {
        StoredSecret::Plain(Secret::new(text))
    }

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    #[test]
    fn a_client_has_another_secret_or_fewer_rights() {
        let before = client("app");
        let both = StoredSecret::Changing(Box::new([secret("new"), secret("secret")]));
        let kept = StoredSecret::Changing(Box::new([secret("secret"), secret("old")]));
        for (now, told) in [
            (client("app"), vec![]),
            (Client { secret: Some(kept), ..client("app") }, vec![]),
            (Client { secret: Some(both), ..client("app") }, vec!["a new secret"]),
            (Client { secret: None, ..client("app") }, vec!["a new secret"]),
            (Client { scopes: scope("read write all"), ..client("app") }, vec![]),
            (Client { scopes: scope("read all"), ..client("app") }, vec!["fewer scopes"]),
            (Client { redirect_uris: vec![], ..client("app") }, vec!["fewer redirect URIs"]),
        ] {
            assert_eq!(of_client(&before, &now), told, "{now:?}");
        }
    }

    #[test]
    fn a_user_has_another_password_or_fewer_rights() {
        let limited = || User { scopes: Some(scope("read")), ..user("ann") };
        let none = || User { scopes: Some(scope("")), ..user("ann") };
        for (before, now, told) in [
            (user("ann"), user("ann"), vec![]),
            (limited(), user("ann"), vec![]),
            (user("ann"), limited(), vec!["fewer scopes"]),
            (limited(), none(), vec!["fewer scopes"]),
            (
                user("ann"),
                User { password: secret("new"), ..none() },
                vec!["a new password", "fewer scopes"],
            ),
        ] {
            assert_eq!(of_user(&before, &now), told, "{now:?}");
        }
    }

    #[test]
    fn what_is_told_names_the_way_to_end_the_tokens() {
        assert_eq!(
            line("user", "ann", &["a new password", "fewer scopes"]).unwrap(),
            "user ann has a new password and fewer scopes now; tokens issued before live \
             on, and oauth2d --end --user ann ends them"
        );
        assert_eq!(line("user", "ann", &[]), None);
    }
}
