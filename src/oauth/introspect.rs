//! What a client is told about a token (RFC 7662).

use super::{Client, Known, Timestamp, TokenInfo};
use crate::store::Found;

const SOURCE: &str = "RFC 7662, section 2.2";

/// What `client` is told about a token. Every client learns about an access token, since an API has
/// to check its callers' tokens; only its own client learns about a refresh token. `None` is "not
/// active", whatever the reason (RFC 7662, section 2.2).
pub fn introspect<'k>(
    known: &Known<'k>,
    token: &str,
    client: &Client,
    now: Timestamp,
) -> Found<TokenInfo<'k>> {
    if let Some(info) = TokenInfo::of_access_token(known, token, now)? {
        info.explain(known);
        return Ok(Some(info));
    }
    let info = TokenInfo::of_refresh_token(known, token, now)?;
    let own = info.filter(|info| info.client.id == client.id);
    match &own {
        Some(info) => info.explain(known),
        None => known.did(format_args!("it is not active, whatever the reason"), SOURCE),
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::grants::samples::{NOW, World};

    #[test]
    fn an_access_token_is_told_to_all_and_a_refresh_token_to_its_client() {
        let world = World::new();
        let [a, b] = ["a", "b"].map(|id| world.registry.client(id).unwrap());
        let response = world.issue(NOW);
        let known = world.known();
        let ask = |token: &str, client, seconds| {
            introspect(&known, token, client, NOW.plus_seconds(seconds)).unwrap()
        };
        let access = response.access_token.reveal();
        let info = ask(&access, b, 3599).unwrap();
        assert_eq!((&*info.client.id, &*info.user.unwrap().name), ("a", "user"));
        assert_eq!((info.scope().as_str(), info.is_refresh_token), ("read write", false));
        let times = (info.issued_at, info.expires);
        assert_eq!(times, (Some(NOW), Some(NOW.plus_seconds(3600))));
        assert!(ask(&access, a, 3600).is_none());
        let refresh = response.refresh_token.unwrap().reveal();
        assert!(ask(&refresh, b, 0).is_none());
        let info = ask(&refresh, a, 1_209_599).unwrap();
        let expires = Some(NOW.plus_seconds(1_209_600));
        assert_eq!((info.expires, info.is_refresh_token), (expires, true));
        assert!(ask(&refresh, a, 1_209_600).is_none());
        let other = format!("{}{}", &refresh[..24], "0".repeat(40));
        assert!(ask(&other, a, 0).is_none());
    }
}
