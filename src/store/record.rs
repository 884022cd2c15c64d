//! Changes as bytes, for everything that outlives the process.
//!
//!     change    one byte that says which, then its fields in the order of `rows.rs`
//!     key       20 bytes           number   u32           time    u64, milliseconds since 1970
//!     text      u32 and UTF-8      maybe    0, or 1 and the value
//!
//! All numbers are little-endian. Pure functions, and a promise: what one version writes, the next
//! can read. So the byte of a change is never reused for another.

use super::field::{Field, read_text, write_text};
use super::key::Key;
use super::rows::{
    AccessToken, Change, Code, Decision, Device, Family, Kind, Number, RefreshToken,
};
use crate::oauth::{Scope, Timestamp, UserCode};

/// Comes, with the number of the resource, before a change whose row is for a resource. Rows for
/// none are written as they were before there were resources.
const FOR_RESOURCE: u8 = 14;
const PUT_NAME: u8 = 11;

/// Appends a change.
pub fn encode(change: &Change, out: &mut Vec<u8>) {
    if let Some(resource) = resource(change) {
        put(out, FOR_RESOURCE, (&resource, &()));
    }
    match change {
        Change::PutAccessToken(key, row) => put(out, 1, (key, row)),
        Change::TakeAccessToken(key) => put(out, 2, (key, &())),
        Change::PutCode(family, row) => put(out, 3, (family, row)),
        Change::TakeCode(family) => put(out, 4, (family, &())),
        Change::PutFamily(key, row) if row.beside.is_empty() => put(out, 5, (key, row)),
        Change::PutFamily(key, row) => {
            put(out, 20, (key, row));
            row.beside.write(out);
        }
        Change::TakeAccessTokensOf(family) => put(out, 6, (family, &())),
        Change::TakeFamily(key) => put(out, 7, (key, &())),
        Change::PutDevice(key, row) => put(out, 8, (key, row)),
        Change::Decide(key, decision) => put(out, 9, (key, decision)),
        Change::TakeDevice(key) => put(out, 10, (key, &())),
        Change::PutName(kind, name, number) => encode_name(*kind, name, *number, out),
        Change::TakeName(kind, name) => put(out, 12, (kind, name)),
        Change::LastNumber(number) => put(out, 13, (number, &())),
        // Poll times do not outlive the process.
        Change::Poll(..) => {}
    }
}

fn put(out: &mut Vec<u8>, which: u8, (first, second): (&impl Field, &impl Field)) {
    out.push(which);
    first.write(out);
    second.write(out);
}

/// Appends a [`Change::PutName`].
pub fn encode_name(kind: Kind, name: &str, number: Number, out: &mut Vec<u8>) {
    out.push(PUT_NAME);
    kind.write(out);
    write_text(name, out);
    number.write(out);
}

/// Takes a [`Change::PutName`] from the front, if there is one.
pub fn decode_name<'a>(from: &mut &'a [u8]) -> Option<(Kind, &'a str, Number)> {
    let mut rest = from.strip_prefix(&[PUT_NAME])?;
    let name = (Field::read(&mut rest)?, read_text(&mut rest)?, Field::read(&mut rest)?);
    *from = rest;
    Some(name)
}

/// Reads the changes of a payload; `None` if they are not what [`encode`] writes.
pub fn decode(mut payload: &[u8]) -> Option<Vec<Change>> {
    let mut changes = Vec::with_capacity(4);
    while !payload.is_empty() {
        changes.push(decode_one(&mut payload)?);
    }
    Some(changes)
}

/// Takes one change from the front.
pub fn decode_one(from: &mut &[u8]) -> Option<Change> {
    if let Some((kind, name, number)) = decode_name(from) {
        return Some(Change::PutName(kind, name.into(), number));
    }
    let [which] = Field::read(from)?;
    if which == FOR_RESOURCE {
        let number = Field::read(from)?;
        let [which] = Field::read(from)?;
        let mut change = row_change(which, from)?;
        *place_for_resource(&mut change)? = Some(number);
        return Some(change);
    }
    row_change(which, from)
}

/// The resource of the row that a change puts, if it is for one.
fn resource(change: &Change) -> Option<Number> {
    match change {
        Change::PutAccessToken(_, row) => row.resource,
        Change::PutCode(_, row) => row.resource,
        Change::PutFamily(_, row) => row.resource,
        Change::PutDevice(_, row) => row.resource,
        _ => None,
    }
}

fn place_for_resource(change: &mut Change) -> Option<&mut Option<Number>> {
    match change {
        Change::PutAccessToken(_, row) => Some(&mut row.resource),
        Change::PutCode(_, row) => Some(&mut row.resource),
        Change::PutFamily(_, row) => Some(&mut row.resource),
        Change::PutDevice(_, row) => Some(&mut row.resource),
        _ => None,
    }
}

/// Reads a change, with a row for no resource.
fn row_change(which: u8, from: &mut &[u8]) -> Option<Change> {
    Some(match which {
        1 => Change::PutAccessToken(Field::read(from)?, Field::read(from)?),
        2 => Change::TakeAccessToken(Field::read(from)?),
        3 => Change::PutCode(Field::read(from)?, Field::read(from)?),
        4 => Change::TakeCode(Field::read(from)?),
        5 => Change::PutFamily(Field::read(from)?, Field::read(from)?),
        6 => Change::TakeAccessTokensOf(Field::read(from)?),
        7 => Change::TakeFamily(Field::read(from)?),
        8 => Change::PutDevice(Field::read(from)?, Field::read(from)?),
        9 => Change::Decide(Field::read(from)?, Field::read(from)?),
        10 => Change::TakeDevice(Field::read(from)?),
        12 => Change::TakeName(Field::read(from)?, Field::read(from)?),
        13 => Change::LastNumber(Field::read(from)?),
        20 => {
            let (key, mut row) = (Field::read(from)?, Family::read(from)?);
            row.beside = Field::read(from)?;
            Change::PutFamily(key, row)
        }
        _ => return None,
    })
}

/// A row is written as its fields, one after the other, except for those after `;`.
macro_rules! row {
    ($row:ident { $($field:ident),* $(; $($apart:ident),*)? }) => {
        impl Field for $row {
            fn write(&self, out: &mut Vec<u8>) {
                $(self.$field.write(out);)*
            }

            fn read(from: &mut &[u8]) -> Option<Self> {
                Some($row { $($field: Field::read(from)?,)* $($($apart: Default::default(),)*)? })
            }
        }
    };
}

row!(AccessToken { client, user, scope, issued_at, expires, family; resource });
row!(Code {
    key, client, user, scope, redirect_uri, redirect_uri_sent, challenge, expires; resource
});
row!(Family {
    client, user, scope, issued_at, refresh_token, refresh_token_expires, expires; resource, beside
});
row!(RefreshToken { key, issued_at, expires, first_used, uses });
row!(Device { client, user_code, scope, interval, polled, expires, decision; resource });

/// Their number in one byte, then each of them.
impl Field for Box<[RefreshToken]> {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u8).write(out);
        self.iter().for_each(|token| token.write(out));
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        (0..u8::read(from)?).map(|_| Field::read(from)).collect()
    }
}

impl Field for Scope {
    fn write(&self, out: &mut Vec<u8>) {
        write_text(self.as_str(), out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Scope::parse(read_text(from)?).ok()
    }
}

impl Field for Key {
    fn write(&self, out: &mut Vec<u8>) {
        self.bytes().write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Field::read(from).map(Key::from_bytes)
    }
}

impl Field for Number {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Field::read(from).map(Number)
    }
}

impl Field for Timestamp {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Field::read(from).map(Timestamp)
    }
}

impl Field for UserCode {
    fn write(&self, out: &mut Vec<u8>) {
        write_text(&self.reveal(), out);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        UserCode::parse(read_text(from)?)
    }
}

impl Field for Kind {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let [kind] = Field::read(from)?;
        Kind::ALL.into_iter().find(|known| *known as u8 == kind)
    }
}

impl Field for Decision {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Decision::Denied => out.push(0),
            Decision::Allowed { user, scope } => {
                out.push(1);
                user.write(out);
                scope.write(out);
            }
        }
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        match bool::read(from)? {
            false => Some(Decision::Denied),
            true => Some(Decision::Allowed { user: Field::read(from)?, scope: Field::read(from)? }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(change: &Change) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(change, &mut bytes);
        bytes
    }

    /// One of each, with everything in it.
    fn samples() -> Vec<Change> {
        let (key, other) = (Key::of("one"), Key::of("two"));
        let scope = Scope::parse("read write").unwrap();
        let (client, user, time) = (Number(1), Number(2), Timestamp(1_764_000_000_000));
        let token = AccessToken {
            client,
            user: Some(user),
            resource: None,
            scope: scope.clone(),
            issued_at: time,
            expires: time.plus_seconds(3600),
            family: Some(other),
        };
        let code = Code {
            key: other,
            client,
            user,
            resource: None,
            scope: scope.clone(),
            redirect_uri: "https://app.example.com/cb".into(),
            redirect_uri_sent: true,
            challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".into()),
            expires: time,
        };
        let family = Family {
            client,
            user,
            resource: None,
            scope: scope.clone(),
            issued_at: time,
            refresh_token: Some(other),
            refresh_token_expires: time,
            expires: time,
            beside: Box::default(),
        };
        let beside = [Some(time), None].map(|first_used| RefreshToken {
            key,
            issued_at: time,
            expires: time,
            first_used,
            uses: 11,
        });
        let graceful = Family { beside: beside.into(), ..family.clone() };
        let allowed = Decision::Allowed { user, scope: scope.clone() };
        let device = Device {
            client,
            resource: None,
            user_code: UserCode::parse("WDJBMJHT").unwrap(),
            scope,
            interval: 5,
            polled: Some(time),
            expires: time,
            decision: Some(allowed.clone()),
        };
        let plain = vec![
            Change::PutAccessToken(key, token.clone()),
            Change::PutAccessToken(key, AccessToken { user: None, family: None, ..token }),
            Change::TakeAccessToken(key),
            Change::PutCode(key, code),
            Change::TakeCode(key),
            Change::PutFamily(key, family),
            Change::PutFamily(key, graceful),
            Change::TakeAccessTokensOf(key),
            Change::TakeFamily(key),
            Change::PutDevice(key, device),
            Change::Decide(key, allowed),
            Change::Decide(key, Decision::Denied),
            Change::TakeDevice(key),
            Change::PutName(Kind::User, "pedroetb".into(), user),
            Change::TakeName(Kind::Client, "application".into()),
            Change::PutName(Kind::Resource, "https://api.example.com/mcp".into(), Number(3)),
            Change::LastNumber(Number(7)),
        ];
        let bound = plain.iter().cloned().filter_map(|mut change| {
            *place_for_resource(&mut change)? = Some(Number(3));
            Some(change)
        });
        plain.iter().cloned().chain(bound).collect()
    }

    #[test]
    fn every_change_is_read_back_as_it_was_written() {
        let changes = samples();
        let mut all = Vec::new();
        changes.iter().for_each(|change| encode(change, &mut all));
        assert_eq!(decode(&all), Some(changes));
    }

    #[test]
    fn a_change_that_is_cut_is_none() {
        for change in samples() {
            let bytes = encoded(&change);
            for end in 1..bytes.len() {
                assert_eq!(decode(&bytes[..end]), None, "{change:?} {end}");
            }
        }
        assert_eq!(decode(&[0]), None);
        assert_eq!(decode(&[15]), None);
    }

    #[test]
    fn a_resource_stands_before_a_row_and_nowhere_else() {
        let bound = |change: &Change| {
            let mut bytes = vec![FOR_RESOURCE, 3, 0, 0, 0];
            encode(change, &mut bytes);
            decode(&bytes).map(|changes| changes.len())
        };
        for change in samples() {
            let may_be_bound = place_for_resource(&mut change.clone()).is_some();
            let is_bound = resource(&change).is_some();
            assert_eq!(bound(&change), (may_be_bound && !is_bound).then_some(1), "{change:?}");
        }
    }

    #[test]
    fn a_family_without_a_grace_is_written_as_ever() {
        let samples = samples();
        let mut families = samples.iter().filter(|it| matches!(it, Change::PutFamily(..)));
        let [plain, graceful] = [(); 2].map(|()| families.next().unwrap());
        // A grace has begun, so the disk must have it before the answer.
        assert!(!plain.ends_something() && graceful.ends_something());
        let [plain, graceful] = [plain, graceful].map(encoded);
        assert_eq!((plain[0], graceful[0]), (5, 20));
        // The same row, then two with a key, two times, the first use, and the number of uses.
        assert_eq!(graceful[1..plain.len()], plain[1..]);
        let beside = &graceful[plain.len()..];
        let used = [&[1][..], &1_764_000_000_000u64.to_le_bytes(), &[11]].concat();
        assert_eq!((beside[0], beside.len(), &beside[37..47]), (2, 1 + 46 + 38, &used[..]));
    }

    #[test]
    fn rows_are_small() {
        let sizes: Vec<_> = samples().iter().map(|change| encoded(change).len()).collect();
        assert_eq!(sizes[..3], [81, 57, 21]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }
    }
}
