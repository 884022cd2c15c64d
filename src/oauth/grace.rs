//! The grace of used refresh tokens, for clients with a `refresh_token_grace`.
//!
//!     refresh token 1 ──> refresh token 2        the answer is lost on its way
//!                    └──> refresh token 3        and the client asks again, within its grace
//!
//! A program that lost an answer, or whose two sessions refresh at the same moment, looks like a
//! thief, since a used refresh token ends its family (RFC 9700, section 4.14.2). With a grace, a
//! used one may come again for so many seconds after its first use. Each use gives a new refresh
//! token, so several of a family can be valid at once: the newest and those *beside* it, all in the
//! family's row.

use super::{Client, Timestamp};
use crate::store::{Family, Key, RefreshToken};

/// How many more times a refresh token may be used after its first use.
const AGAIN: u8 = 10;
/// The most refresh tokens beside the newest, which limits the size of the row. Then the oldest
/// goes, and counts as used long ago.
const BESIDE: usize = 128;

/// The refresh token with this key, if it is the family's newest or one beside it.
pub fn token_of(family: &Family, key: &Key) -> Option<RefreshToken> {
    known(family).find(|token| token.key == *key)
}

/// The refresh tokens beside the newest, the oldest first, and then the newest.
pub fn known(family: &Family) -> impl Iterator<Item = RefreshToken> {
    let newest = family.refresh_token.map(|key| RefreshToken {
        key,
        issued_at: family.issued_at,
        expires: family.refresh_token_expires,
        first_used: None,
        uses: 0,
    });
    family.beside.iter().cloned().chain(newest)
}

/// Whether it may be used: for the first time, or again within the client's grace.
pub fn may_be_used(token: &RefreshToken, client: &Client, now: Timestamp) -> bool {
    token.first_used.is_none_or(|first| {
        now < first.plus_seconds(client.refresh_token_grace) && token.uses <= AGAIN
    })
}

/// Moves the refresh tokens that may still be used from `before` to `after`, beside the newest;
/// `used` has just been used. At most `most` are valid at once: the oldest are ended first.
pub fn hand_on(after: &mut Family, (before, used): (&Family, &Key), client: &Client, most: usize) {
    let now = after.issued_at;
    let mut beside: Vec<_> = known(before).collect();
    if let Some(token) = beside.iter_mut().find(|token| token.key == *used) {
        token.first_used.get_or_insert(now);
        token.uses += 1;
    }
    beside.retain(|token| may_be_used(token, client, now));
    beside.drain(..beside.len().saturating_sub(BESIDE));
    let good = beside.iter().filter(|token| token.is_good(now)).count();
    let surplus = (good + 1).saturating_sub(most);
    beside.iter_mut().filter(|token| token.is_good(now)).take(surplus).for_each(|token| {
        // Still in the row for a while, so that it does not look stolen.
        token.expires = now;
    });
    if client.refresh_token_grace > 0 || !beside.is_empty() {
        // The tokens that were issued before live on.
        after.expires = after.expires.max(before.expires);
    }
    after.beside = beside.into();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::grants::TokenResponse;
    use crate::oauth::grants::samples::{NOW, World};
    use crate::oauth::{ErrorCode, FamilyToken, TokenInfo, introspect, revoke};
    use crate::store::Counts;

    fn world(grace: u64) -> World {
        World::with(|client| client.refresh_token_grace = grace)
    }

    /// A use of this refresh token so many seconds after [`NOW`].
    fn refresh(
        world: &World,
        token: &FamilyToken,
        seconds: u64,
    ) -> Result<TokenResponse, ErrorCode> {
        let form = format!("grant_type=refresh_token&refresh_token={}", &*token.reveal());
        world.grant("a", &form, NOW.plus_seconds(seconds)).map_err(|error| error.code)
    }

    fn next(world: &World, token: &FamilyToken, seconds: u64) -> FamilyToken {
        refresh(world, token, seconds).unwrap().refresh_token.unwrap()
    }

    fn is_active(world: &World, token: &FamilyToken, seconds: u64) -> bool {
        let now = NOW.plus_seconds(seconds);
        TokenInfo::of_refresh_token(&world.known(), &token.reveal(), now).unwrap().is_some()
    }

    const REUSED: Option<ErrorCode> = Some(ErrorCode::InvalidGrant);

    #[test]
    fn a_used_one_comes_ten_times_more_and_each_use_gives_a_good_one() {
        let world = world(60);
        let issued = world.issue(NOW);
        let first = issued.refresh_token.unwrap();
        let given: Vec<_> = (0..=10).map(|_| next(&world, &first, 0)).collect();
        assert_eq!(world.store.counts().refresh_tokens, 11);
        // No access token has ended.
        assert_eq!(world.store.counts().access_tokens, 12);
        assert!(world.is_live(&issued.access_token, NOW));
        for token in &given {
            assert!(is_active(&world, token, 59));
            next(&world, token, 59);
        }
        assert_eq!(world.store.counts().refresh_tokens, 11);
        // The eleventh time is reuse, within the grace too.
        assert_eq!(refresh(&world, &first, 59).err(), REUSED);
        assert_eq!(world.store.counts(), Counts::default());
    }

    #[test]
    fn the_grace_counts_from_the_first_use() {
        let world = world(60);
        let first = world.issue(NOW).refresh_token.unwrap();
        let second = next(&world, &first, 1000);
        let third = next(&world, &first, 1030);
        assert!(refresh(&world, &first, 1059).is_ok());
        assert!(is_active(&world, &second, 1060) && is_active(&world, &third, 1060));
        assert_eq!(refresh(&world, &first, 1060).err(), REUSED);
        assert_eq!(refresh(&world, &second, 1060).err(), REUSED);
    }

    #[test]
    fn each_of_two_sessions_goes_its_own_way() {
        let world = world(10);
        let first = world.issue(NOW).refresh_token.unwrap();
        let [mut one, mut two] = [0, 1].map(|seconds| next(&world, &first, seconds));
        for hour in 1..50 {
            one = next(&world, &one, hour * 3600);
            two = next(&world, &two, hour * 3600 + 1800);
        }
        assert_eq!(world.store.counts().refresh_tokens, 2);
        assert_eq!(refresh(&world, &first, 50 * 3600).err(), REUSED);
        assert!(refresh(&world, &two, 50 * 3600).is_err());
    }

    #[test]
    fn a_use_that_is_refused_for_its_scope_is_none() {
        let world = world(60);
        let first = world.issue(NOW).refresh_token.unwrap();
        let form =
            format!("grant_type=refresh_token&scope=admin&refresh_token={}", &*first.reveal());
        for uses in 0..=10 {
            assert!(world.grant("a", &form, NOW).is_err());
            assert_eq!(is_active(&world, &first, 0), uses == 0);
            assert!(refresh(&world, &first, 0).is_ok(), "{uses}");
        }
        assert_eq!(refresh(&world, &first, 0).err(), REUSED);
    }

    #[test]
    fn a_used_one_is_inactive_and_revoking_it_ends_the_family() {
        let world = world(60);
        let issued = world.issue(NOW);
        let first = issued.refresh_token.unwrap();
        let second = refresh(&world, &first, 0).unwrap();
        let client = world.registry.client("a").unwrap();
        let ask = |token: &FamilyToken| {
            introspect::introspect(&world.known(), &token.reveal(), client, NOW).unwrap()
        };
        assert!(ask(&first).is_none() && ask(&second.refresh_token.unwrap()).is_some());
        revoke::revoke(&world.known(), &first.reveal(), client, NOW).unwrap();
        assert_eq!(world.store.counts(), Counts::default());
    }

    #[test]
    fn one_beside_lives_as_long_as_when_it_was_issued() {
        let world = World::with(|client| {
            client.refresh_token_grace = 60;
            client.refresh_token_lifetime = 1000;
        });
        let first = world.issue(NOW).refresh_token.unwrap();
        let idle = next(&world, &first, 10);
        let busy = next(&world, &first, 20);
        let busy = next(&world, &busy, 900);
        assert!(is_active(&world, &idle, 1009) && !is_active(&world, &idle, 1010));
        // Its end is no reuse: the other session goes on.
        assert!(refresh(&world, &idle, 1010).is_err());
        assert!(refresh(&world, &busy, 1010).is_ok());
    }

    #[test]
    fn a_grace_that_was_taken_away_leaves_the_good_ones() {
        let mut world = World::with(|client| {
            client.refresh_token_grace = 60;
            client.refresh_token_lifetime = 2_000_000;
        });
        let first = world.issue(NOW).refresh_token.unwrap();
        let [one, two] = [0, 1].map(|seconds| next(&world, &first, seconds));
        world.reload(&["a", "b"], &["user"]);
        let one = next(&world, &one, 2);
        // The family lives as long as the longest of them.
        assert!(is_active(&world, &two, 2_000_000) && !is_active(&world, &two, 2_000_001));
        let two = next(&world, &two, 2);
        assert_eq!(world.store.counts().refresh_tokens, 2);
        assert_eq!(refresh(&world, &first, 2).err(), REUSED);
        assert!(refresh(&world, &one, 2).is_err() && refresh(&world, &two, 2).is_err());
    }

    #[test]
    fn a_familys_row_is_bounded() {
        let world = world(3600);
        let first = world.issue(NOW).refresh_token.unwrap();
        let mut newest = first;
        for _ in 0..20 {
            let used = newest;
            for _ in 0..=10 {
                newest = next(&world, &used, 0);
            }
        }
        let key = first.family.key();
        let family = world.store.family(&key, NOW).unwrap().unwrap();
        assert_eq!(family.beside.len(), BESIDE);
        assert_eq!(world.store.counts().refresh_tokens, BESIDE + 1);
        assert!(is_active(&world, &newest, 0));
    }

    #[test]
    fn the_bound_on_a_clients_tokens_counts_those_beside() {
        let mut world = world(60);
        world.registry.max_tokens_per_client = 3;
        world.store.enrol(&mut world.registry);
        let old = world.issue(NOW).refresh_token.unwrap();
        let first = world.issue(NOW).refresh_token.unwrap();
        let given: Vec<_> = (0..3).map(|_| next(&world, &first, 0)).collect();
        // The oldest of the client's ends first, then the oldest of the family.
        assert!(!is_active(&world, &old, 0));
        let fourth = next(&world, &first, 0);
        assert!(!is_active(&world, &given[0], 0) && is_active(&world, &given[1], 0));
        assert_eq!(world.store.counts().refresh_tokens, 3);
        // That is no reuse.
        assert!(refresh(&world, &given[0], 0).is_err());
        assert!(is_active(&world, &fourth, 0));
    }
}
