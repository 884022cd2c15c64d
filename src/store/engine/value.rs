//! What the engine stores, and under which names.
//!
//!     1             this format
//!     count         u16, then as many access tokens of a family: key, and when it expires
//!     changes       as in the state file: the names that the row uses, then the row
//!
//! Each replica numbers names in its own way, so the names are stored with the row, in which the
//! client is number 1, the user 2 and the resource 3. The value of a user code is the format, the
//! key of the device that shows it, and when that ends.

use super::names::NameTable;
use crate::oauth::{Timestamp, UserCode};
use crate::store::Key;
use crate::store::field::Field;
use crate::store::record;
use crate::store::rows::{Change, Decision, Kind, Number, Row};

const FORMAT: u8 = 1;

/// What the engine finds a value by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Name {
    AccessToken(Key),
    /// A family, or the code that it will come of.
    Family(Key),
    Device(Key),
    UserCode(UserCode),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Row(Value),
    /// The device that shows a user code, and when that ends.
    Shows(Key, Timestamp),
}

/// A row and, if it is a family, its access tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    pub row: Row,
    pub access_tokens: Vec<(Key, Timestamp)>,
}

/// The number, in what is read, of a client, user or resource that is not in the configuration. Its
/// tokens are good nowhere, but they can still be revoked: the name may come back, and another
/// replica may still have it.
pub const NOBODY: Number = Number(u32::MAX);

/// Bytes of a usual value.
const USUAL: usize = 256;

/// What some bytes are.
#[derive(Debug, PartialEq)]
pub enum Read {
    Content(Content),
    /// Something that we have not written.
    Foreign,
}

impl Content {
    /// When it ends.
    pub fn gone(&self) -> Timestamp {
        match self {
            Content::Row(value) => value.row.gone(),
            Content::Shows(_, expires) => *expires,
        }
    }

    /// Its bytes under this name; `None` if it has a number that was never assigned.
    pub fn encode(self, name: Name, names: &NameTable) -> Option<Vec<u8>> {
        match (self, name) {
            (
                Content::Row(value),
                Name::AccessToken(key) | Name::Family(key) | Name::Device(key),
            ) => value.encode(key, names),
            (Content::Shows(device, expires), Name::UserCode(_)) => {
                let mut out = vec![FORMAT];
                device.write(&mut out);
                expires.write(&mut out);
                Some(out)
            }
            _ => None,
        }
    }
}

/// Reads what is stored under this name.
pub fn decode(name: Name, bytes: &[u8], names: &NameTable) -> Read {
    match name {
        Name::UserCode(_) => shows(bytes).map_or(Read::Foreign, Read::Content),
        Name::AccessToken(key) | Name::Family(key) | Name::Device(key) => {
            match row(bytes, key, names) {
                Read::Content(content) if !belongs(name, &content) => Read::Foreign,
                read => read,
            }
        }
    }
}

fn belongs(name: Name, content: &Content) -> bool {
    let Content::Row(value) = content else { return false };
    matches!(
        (name, &value.row),
        (Name::AccessToken(_), Row::AccessToken(_))
            | (Name::Family(_), Row::Family(_) | Row::Code(_))
            | (Name::Device(_), Row::Device(_))
    )
}

fn shows(mut bytes: &[u8]) -> Option<Content> {
    let from = &mut bytes;
    let format = u8::read(from)?;
    let content = Content::Shows(Field::read(from)?, Field::read(from)?);
    (format == FORMAT && from.is_empty()).then_some(content)
}

impl Value {
    pub fn of(row: Row) -> Value {
        Value { row, access_tokens: Vec::new() }
    }

    fn encode(mut self, key: Key, names: &NameTable) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(USUAL);
        out.push(FORMAT);
        out.extend((self.access_tokens.len() as u16).to_le_bytes());
        for (key, expires) in &self.access_tokens {
            key.write(&mut out);
            expires.write(&mut out);
        }
        let mut is_known = true;
        each_number(&mut self.row, |kind, number| {
            match names.name(*number) {
                Some(name) => record::encode_name(kind, name, own_number(kind), &mut out),
                None => is_known = false,
            }
            *number = own_number(kind);
        });
        record::encode(&put(key, self.row), &mut out);
        is_known.then_some(out)
    }
}

fn row(bytes: &[u8], key: Key, names: &NameTable) -> Read {
    match value(bytes, key, names) {
        Some(value) => Read::Content(Content::Row(value)),
        None => Read::Foreign,
    }
}

/// The value, with the numbers of this process in its row.
fn value(mut bytes: &[u8], key: Key, names: &NameTable) -> Option<Value> {
    let from = &mut bytes;
    if u8::read(from)? != FORMAT {
        return None;
    }
    let access_tokens = access_tokens(from)?;
    let mut numbers = [None; Kind::ALL.len()];
    while let Some((kind, name, number)) = record::decode_name(from) {
        if number != own_number(kind) {
            return None;
        }
        numbers[kind as usize] = Some(names.number(kind, name).unwrap_or(NOBODY));
    }
    let mut row = row_of(record::decode_one(from)?, key)?;
    let mut is_ours = from.is_empty();
    each_number(&mut row, |kind, number| match numbers[kind as usize] {
        Some(known) if *number == own_number(kind) => *number = known,
        _ => is_ours = false,
    });
    is_ours.then_some(Value { row, access_tokens })
}

/// Takes the access tokens of a family from the front.
fn access_tokens(from: &mut &[u8]) -> Option<Vec<(Key, Timestamp)>> {
    let count = u16::from_le_bytes(Field::read(from)?);
    (0..count).map(|_| Some((Field::read(from)?, Field::read(from)?))).collect()
}

/// The number of a name of this kind within a value.
fn own_number(kind: Kind) -> Number {
    Number(match kind {
        Kind::Client => 1,
        Kind::User => 2,
        Kind::Resource => 3,
    })
}

/// Visits every number of a row.
fn each_number(row: &mut Row, mut visit: impl FnMut(Kind, &mut Number)) {
    let (client, user, resource) = match row {
        Row::AccessToken(row) => (&mut row.client, row.user.as_mut(), row.resource.as_mut()),
        Row::Code(row) => (&mut row.client, Some(&mut row.user), row.resource.as_mut()),
        Row::Family(row) => (&mut row.client, Some(&mut row.user), row.resource.as_mut()),
        Row::Device(row) => {
            let user = match &mut row.decision {
                Some(Decision::Allowed { user, .. }) => Some(user),
                _ => None,
            };
            (&mut row.client, user, row.resource.as_mut())
        }
    };
    visit(Kind::Client, client);
    user.into_iter().for_each(|number| visit(Kind::User, number));
    resource.into_iter().for_each(|number| visit(Kind::Resource, number));
}

fn put(key: Key, row: Row) -> Change {
    match row {
        Row::AccessToken(row) => Change::PutAccessToken(key, row),
        Row::Code(row) => Change::PutCode(key, row),
        Row::Family(row) => Change::PutFamily(key, row),
        Row::Device(row) => Change::PutDevice(key, row),
    }
}

/// The row that a change puts, if it is the one of this key.
fn row_of(change: Change, key: Key) -> Option<Row> {
    let (own, row) = match change {
        Change::PutAccessToken(own, row) => (own, Row::AccessToken(row)),
        Change::PutCode(own, row) => (own, Row::Code(row)),
        Change::PutFamily(own, row) => (own, Row::Family(row)),
        Change::PutDevice(own, row) => (own, Row::Device(row)),
        _ => return None,
    };
    (own == key).then_some(row)
}
