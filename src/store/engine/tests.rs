//! The same steps have the same results in memory and in an engine.

use proptest::prelude::*;

use super::names::NameTable;
use super::step::{Step, begins, needs, plan};
use super::value::{Content, NOBODY, Name, Read, Value, decode};
use crate::oauth::registry::samples;
use crate::oauth::{Registry, Scope, Timestamp, UserCode};
use crate::store::memory::Memory;
use crate::store::rows::{
    AccessToken, Change, Code, Decision, Device, Family, Number, OnlyIf, RefreshToken, Row,
};
use crate::store::{Found, Key};

const NOW: Timestamp = Timestamp(1_764_000_000_000);

/// An engine that does what the script says.
#[derive(Default)]
struct Fake {
    rows: Vec<(Name, Content)>,
}

impl Fake {
    fn get(&self, name: Name) -> Option<Content> {
        self.rows.iter().find(|(own, _)| *own == name).map(|(_, content)| content.clone())
    }

    fn take(&mut self, name: Name) -> usize {
        let before = self.rows.len();
        self.rows.retain(|(own, _)| *own != name);
        before - self.rows.len()
    }

    fn apply(&mut self, only_if: OnlyIf, changes: Vec<Change>) -> Option<usize> {
        let known = needs(&only_if, &changes).into_iter();
        let known = known.map(|name| (name, self.get(name))).collect();
        let Step { puts, gone, ended, refresh_tokens } = plan(&only_if, &changes, known, NOW)?;
        for (name, content) in puts {
            self.take(name);
            self.rows.push((name, content));
        }
        for name in gone {
            self.take(name);
        }
        let ended = ended.into_iter().map(|key| self.take(Name::AccessToken(key))).sum::<usize>();
        Some(ended + refresh_tokens)
    }

    /// Whether a family still names this token, which may have been revoked.
    fn has_in_a_family(&self, token: &Key) -> bool {
        let names = |value: &Value| value.access_tokens.iter().any(|(key, _)| key == token);
        self.rows.iter().any(|(_, content)| matches!(content, Content::Row(value) if names(value)))
    }

    fn row(&self, name: Name) -> Option<Row> {
        match self.get(name)? {
            Content::Row(value) => Some(value.row),
            Content::Shows(..) => None,
        }
    }
}

fn key(kind: &str, which: u8) -> Key {
    Key::of(&format!("{kind}{which}"))
}

fn user_code(which: u8) -> UserCode {
    let letter = b"BCDFGH"[usize::from(which)] as char;
    UserCode::parse(&String::from(letter).repeat(8)).unwrap()
}

fn token(family: Option<u8>) -> AccessToken {
    AccessToken {
        client: Number(1),
        user: Some(Number(2)),
        resource: None,
        scope: Scope::parse("read").unwrap(),
        issued_at: NOW,
        expires: NOW.plus_seconds(3600),
        family: family.map(|it| key("family", it)),
    }
}

fn code(which: u8) -> Code {
    Code {
        key: key("code", which),
        client: Number(1),
        user: Number(2),
        resource: None,
        scope: Scope::default(),
        redirect_uri: "https://app.example.com/cb".into(),
        redirect_uri_sent: true,
        challenge: None,
        expires: NOW.plus_seconds(60),
    }
}

/// A family with this refresh token, and as many beside it.
fn family(refresh_token: Option<u8>, beside: u8) -> Family {
    let beside = (0..beside).map(|which| RefreshToken {
        key: key("beside", which),
        issued_at: NOW,
        expires: NOW.plus_seconds(7200),
        first_used: None,
        uses: 0,
    });
    Family {
        client: Number(1),
        user: Number(2),
        resource: None,
        scope: Scope::default(),
        issued_at: NOW,
        refresh_token: refresh_token.map(|which| key("refresh", which)),
        refresh_token_expires: NOW.plus_seconds(7200),
        expires: NOW.plus_seconds(7200),
        beside: beside.collect(),
    }
}

fn device(which: u8) -> Device {
    Device {
        client: Number(1),
        resource: None,
        user_code: user_code(which),
        scope: Scope::default(),
        interval: 5,
        polled: None,
        expires: NOW.plus_seconds(600),
        decision: None,
    }
}

/// The steps that grants and endpoints make, on a few families, tokens and devices.
fn steps() -> impl Strategy<Value = (OnlyIf, Vec<Change>)> {
    let which = || 0u8..3;
    let issued = (which(), which(), 0u8..8).prop_map(|(family_key, refresh, token_key)| {
        let put = Change::PutFamily(key("family", family_key), family(Some(refresh), 0));
        let access = Change::PutAccessToken(key("token", token_key), token(Some(family_key)));
        (family_key, put, access)
    });
    let redeemed = issued.clone().prop_map(|(which, put, access)| {
        let own = key("family", which);
        (OnlyIf::CodeIs(own, key("code", which)), vec![Change::TakeCode(own), put, access])
    });
    let rotated = (issued, which(), any::<bool>()).prop_map(|((which, put, access), old, ends)| {
        let own = key("family", which);
        let ended = ends.then_some(Change::TakeAccessTokensOf(own));
        let changes = ended.into_iter().chain([put, access]).collect();
        (OnlyIf::RefreshTokenIs(own, key("refresh", old)), changes)
    });
    let graceful = (which(), which(), 0u8..3).prop_map(|(which, refresh, beside)| {
        let own = key("family", which);
        let put = Change::PutFamily(own, family(Some(refresh), beside));
        (OnlyIf::RefreshTokenIs(own, key("refresh", refresh)), vec![put])
    });
    let plain = (0u8..8).prop_map(|it| vec![Change::PutAccessToken(key("token", it), token(None))]);
    let started = which().prop_map(|which| {
        let room = OnlyIf::RoomForDevice(Number(1), 100, user_code(which));
        (room, vec![Change::PutDevice(key("device", which), device(which))])
    });
    let allowed = || Decision::Allowed { user: Number(2), scope: Scope::default() };
    let decided = (which(), any::<bool>()).prop_map(move |(which, allows)| {
        let decision = if allows { allowed() } else { Decision::Denied };
        let own = key("device", which);
        (OnlyIf::Undecided(own), vec![Change::Decide(own, decision)])
    });
    let polled = which().prop_map(|which| {
        let own = key("device", which);
        (OnlyIf::Undecided(own), vec![Change::Poll(own, NOW, 10)])
    });
    let taken = which().prop_map(|which| {
        let own = key("device", which);
        (OnlyIf::Allowed(own), vec![Change::TakeDevice(own)])
    });
    let always = |changes: Vec<Change>| (OnlyIf::Always, changes);
    prop_oneof![
        plain.prop_map(always),
        which().prop_map(move |it| always(vec![Change::PutCode(key("family", it), code(it))])),
        (0u8..8).prop_map(move |it| always(vec![Change::TakeAccessToken(key("token", it))])),
        which().prop_map(move |it| always(vec![Change::TakeFamily(key("family", it))])),
        redeemed,
        rotated,
        graceful,
        started,
        decided,
        polled,
        taken,
    ]
}

/// Whether the grants can make this step now: a new code has a new family, and a new token a new key.
fn may_happen(fake: &Fake, changes: &[Change]) -> bool {
    changes.iter().all(|change| match change {
        Change::PutCode(family, _) => fake.get(Name::Family(*family)).is_none(),
        Change::PutAccessToken(key, _) => {
            fake.get(Name::AccessToken(*key)).is_none() && !fake.has_in_a_family(key)
        }
        Change::PutDevice(key, _) => fake.get(Name::Device(*key)).is_none(),
        _ => true,
    })
}

/// Everything that look-ups find.
fn seen_in_memory(memory: &Memory) -> Vec<Option<Row>> {
    let tokens = (0..8).map(|it| memory.access_token(&key("token", it), NOW).map(Row::AccessToken));
    let families = (0..3).map(|it| memory.family(&key("family", it), NOW).map(Row::Family));
    let codes = (0..3).map(|it| memory.code(&key("family", it), NOW).map(Row::Code));
    let devices = (0..3).map(|it| memory.device(&key("device", it), NOW).map(Row::Device));
    let shown = (0..3).map(|it| {
        memory.device_showing(&user_code(it), NOW).map(|(_, device)| Row::Device(device))
    });
    tokens.chain(families).chain(codes).chain(devices).chain(shown).collect()
}

fn seen_in_engine(fake: &Fake) -> Vec<Option<Row>> {
    let tokens = (0..8).map(|it| fake.row(Name::AccessToken(key("token", it))));
    let of_family = |it| fake.row(Name::Family(key("family", it)));
    let families = (0..3).map(|it| of_family(it).filter(|row| matches!(row, Row::Family(_))));
    let codes = (0..3).map(|it| of_family(it).filter(|row| matches!(row, Row::Code(_))));
    let devices = (0..3).map(|it| fake.row(Name::Device(key("device", it))));
    let shown = (0..3).map(|it| match fake.get(Name::UserCode(user_code(it)))? {
        Content::Shows(key, _) => fake.row(Name::Device(key)),
        Content::Row(_) => None,
    });
    tokens.chain(families).chain(codes).chain(devices).chain(shown).collect()
}

proptest! {
    #[test]
    fn the_same_steps_come_to_the_same_in_memory_and_in_an_engine(
        steps in prop::collection::vec(steps(), 1..40)
    ) {
        let (memory, mut fake) = (Memory::new(), Fake::default());
        for (only_if, changes) in steps {
            if !may_happen(&fake, &changes) {
                continue;
            }
            let in_memory: Found<usize> = memory.apply(only_if, changes.clone());
            let in_engine = fake.apply(only_if, changes.clone());
            prop_assert_eq!(in_memory, Ok(in_engine), "{:?} {:?}", only_if, changes);
            prop_assert_eq!(seen_in_memory(&memory), seen_in_engine(&fake));
        }
    }

    #[test]
    fn any_bytes_are_read_or_foreign(bytes: Vec<u8>) {
        let (names, _) = names(&["app"]);
        let own = key("token", 0);
        for name in [Name::AccessToken(own), Name::UserCode(user_code(0))] {
            let _ = decode(name, &bytes, &names);
        }
    }
}

fn names(clients: &[&str]) -> (NameTable, Registry) {
    let mut registry = samples::registry(clients.iter().map(|id| samples::client(id)).collect());
    let mut names = NameTable::default();
    names.enrol(&mut registry);
    (names, registry)
}

/// A token of this client, as its replica stores it.
fn kept(names: &NameTable, client: Number) -> Vec<u8> {
    let row = AccessToken { client, user: None, ..token(None) };
    let content = Content::Row(Value::of(Row::AccessToken(row)));
    content.encode(Name::AccessToken(key("token", 0)), names).unwrap()
}

#[test]
fn replicas_that_number_names_differently_mean_the_same() {
    let (one, first) = names(&["other", "app"]);
    let (two, second) = names(&["app", "other"]);
    let numbers = [&first, &second].map(|it| it.client("app").unwrap().number);
    assert_ne!(numbers[0], numbers[1]);
    let name = Name::AccessToken(key("token", 0));
    let Read::Content(Content::Row(value)) = decode(name, &kept(&one, numbers[0]), &two) else {
        panic!("it is a row")
    };
    assert_eq!(value.row.owner(), (numbers[1], None, None));
}

#[test]
fn a_row_of_somebody_who_is_gone_is_of_nobody_and_comes_back_with_the_name() {
    let (mut names, mut registry) = names(&["app", "other"]);
    let number = registry.client("app").unwrap().number;
    let bytes = kept(&names, number);
    let name = Name::AccessToken(key("token", 0));
    let mut without = samples::registry(vec![samples::client("other")]);
    names.enrol(&mut without);
    let Read::Content(Content::Row(value)) = decode(name, &bytes, &names) else { panic!() };
    assert_eq!(value.row.owner(), (NOBODY, None, None));
    // Requests that began before still find their names.
    assert_eq!(kept(&names, number), bytes);
    names.enrol(&mut registry);
    assert!(matches!(decode(name, &bytes, &names), Read::Content(_)));
    assert_ne!(registry.client("app").unwrap().number, number);
}

#[test]
fn what_is_kept_is_read_back_and_nothing_else_is_ours() {
    let (names, registry) = names(&["app"]);
    let client = registry.client("app").unwrap().number;
    let own = key("family", 0);
    let access_tokens = vec![(key("token", 1), NOW), (key("token", 2), NOW.plus_seconds(1))];
    let row = Row::AccessToken(AccessToken { client, user: None, ..token(Some(0)) });
    let content = Content::Row(Value { row, access_tokens });
    let bytes = content.clone().encode(Name::AccessToken(own), &names).unwrap();
    assert_eq!(decode(Name::AccessToken(own), &bytes, &names), Read::Content(content.clone()));
    // With another key, as another kind, cut, longer, or in another format.
    let other = Name::AccessToken(key("family", 1));
    for name in [other, Name::Family(own), Name::Device(own), Name::UserCode(user_code(0))] {
        assert_eq!(decode(name, &bytes, &names), Read::Foreign, "{name:?}");
    }
    for end in 0..bytes.len() {
        assert_eq!(decode(Name::AccessToken(own), &bytes[..end], &names), Read::Foreign, "{end}");
    }
    for wrong in
        [[&bytes[..], &[0]].concat(), [&bytes[..], &bytes].concat(), [&[2], &bytes[1..]].concat()]
    {
        assert_eq!(decode(Name::AccessToken(own), &wrong, &names), Read::Foreign);
    }
    let unknown = AccessToken { client: Number(99), ..token(None) };
    let unknown = Content::Row(Value::of(Row::AccessToken(unknown)));
    assert_eq!(unknown.encode(Name::AccessToken(own), &names), None);
}

#[test]
fn only_what_begins_must_not_be_there_yet() {
    let own = key("family", 0);
    let begun = |only_if: OnlyIf, changes: &[Change]| begins(&needs(&only_if, changes), changes);
    let put = Change::PutFamily(own, family(Some(0), 0));
    let access = Change::PutAccessToken(key("token", 0), token(Some(0)));
    let issued = [put.clone(), access.clone()];
    assert_eq!(begun(OnlyIf::Always, &issued), [Name::Family(own)]);
    assert_eq!(begun(OnlyIf::Always, &[Change::PutCode(own, code(0))]), [Name::Family(own)]);
    assert_eq!(begun(OnlyIf::RefreshTokenIs(own, key("refresh", 1)), &issued), []);
    let redeemed = [Change::TakeCode(own), put, access];
    assert_eq!(begun(OnlyIf::CodeIs(own, key("code", 0)), &redeemed), []);
    let room = OnlyIf::RoomForDevice(Number(1), 100, user_code(0));
    let started = [Change::PutDevice(key("device", 0), device(0))];
    assert_eq!(begun(room, &started), [Name::Device(key("device", 0))]);
    let alone = Change::PutAccessToken(key("token", 0), token(None));
    assert_eq!(begun(OnlyIf::Always, &[alone]), []);
}
