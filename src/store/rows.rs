//! What is stored, as plain rows, and the changes that steps are made of.
//!
//! A row names clients, users and resources by their [`Number`]. Whoever leaves the configuration
//! and comes back gets a new number, so what was issued before stays gone. The resource of a row is
//! the one that its token is for, if it is for one in particular (RFC 8707).

use std::sync::Arc;

use super::key::Key;
use crate::oauth::{Scope, Timestamp, UserCode};

/// The number of a client, user or resource: assigned when a configuration with its name comes into
/// force, and never to another name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Number(pub u32);

/// An access token (RFC 6749, section 1.4).
#[derive(Clone, Debug, PartialEq)]
pub struct AccessToken {
    pub client: Number,
    /// The resource owner; `None` if the client acts for itself.
    pub user: Option<Number>,
    pub resource: Option<Number>,
    pub scope: Scope,
    pub issued_at: Timestamp,
    pub expires: Timestamp,
    /// `None` if it has no family, since nothing can follow it.
    pub family: Option<Key>,
}

/// An authorization code that has not been redeemed, and what it was issued for (RFC 6749, section
/// 4.1.2). It is stored under the key of the family that it will become.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// The key of the code itself.
    pub key: Key,
    pub client: Number,
    pub user: Number,
    pub resource: Option<Number>,
    pub scope: Scope,
    pub redirect_uri: String,
    /// Whether the authorization request named the redirect URI.
    pub redirect_uri_sent: bool,
    pub challenge: Option<String>,
    pub expires: Timestamp,
}

/// A family: all that comes of one grant, which is its refresh tokens and their access tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    pub client: Number,
    pub user: Number,
    pub resource: Option<Number>,
    /// What was granted. A refresh may ask for less, never for more (RFC 6749, section 6).
    pub scope: Scope,
    /// When the newest refresh token was issued.
    pub issued_at: Timestamp,
    /// The key of its newest refresh token, which is valid; `None` if the client may not refresh.
    pub refresh_token: Option<Key>,
    pub refresh_token_expires: Timestamp,
    /// When the last of its tokens expires.
    pub expires: Timestamp,
    /// Refresh tokens that may be used besides the newest, where used ones have a grace.
    pub beside: Box<[RefreshToken]>,
}

/// A refresh token that may be used besides a family's newest.
#[derive(Clone, Debug, PartialEq)]
pub struct RefreshToken {
    pub key: Key,
    pub issued_at: Timestamp,
    pub expires: Timestamp,
    pub first_used: Option<Timestamp>,
    pub uses: u8,
}

impl RefreshToken {
    /// Whether it has neither expired nor been used.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.first_used.is_none() && now < self.expires
    }
}

impl Family {
    /// How many others were still unused when the newest was issued.
    pub fn good_beside(&self) -> usize {
        self.beside.iter().filter(|token| token.is_good(self.issued_at)).count()
    }
}

/// A device that waits for the user's decision, or has yet to collect its tokens (RFC 8628).
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    pub client: Number,
    pub resource: Option<Number>,
    pub user_code: UserCode,
    pub scope: Scope,
    /// The least number of seconds between two polls.
    pub interval: u64,
    pub polled: Option<Timestamp>,
    /// When its code expires. The row stays a little longer, so that the device can be told.
    pub expires: Timestamp,
    pub decision: Option<Decision>,
}

/// A row of any kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    Device(Device),
    Code(Code),
    Family(Family),
    AccessToken(AccessToken),
}

/// The user's decision about a device's request.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    Denied,
    Allowed { user: Number, scope: Scope },
}

/// Whose name it is. A client and a user cannot share a name, but over time one can take the
/// other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Client,
    User,
    Resource,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Client, Kind::User, Kind::Resource];
}

/// One change of one row. Putting a row that exists replaces it, and taking one that does not exist
/// does nothing, so that the same changes made twice have the same result.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    PutAccessToken(Key, AccessToken),
    TakeAccessToken(Key),
    PutCode(Key, Code),
    TakeCode(Key),
    PutFamily(Key, Family),
    /// Takes the access tokens of a family, but leaves the family.
    TakeAccessTokensOf(Key),
    /// Takes a family, with its code and its access tokens.
    TakeFamily(Key),
    PutDevice(Key, Device),
    Decide(Key, Decision),
    /// The device has polled, and must wait so many seconds before its next poll.
    Poll(Key, Timestamp, u64),
    TakeDevice(Key),
    /// A name has come into force, with this number.
    PutName(Kind, Arc<str>, Number),
    TakeName(Kind, Arc<str>),
    /// Numbers up to this one have been assigned, and never are again.
    LastNumber(Number),
}

impl Change {
    /// Whether this ends something before its time: then the answer that says so must hold, even
    /// after a power cut.
    pub fn ends_something(&self) -> bool {
        match self {
            // A refresh token has been used, and its grace has begun.
            Change::PutFamily(_, row) => !row.beside.is_empty(),
            Change::TakeAccessToken(_)
            | Change::TakeCode(_)
            | Change::TakeAccessTokensOf(_)
            | Change::TakeFamily(_)
            | Change::TakeDevice(_)
            | Change::Decide(_, Decision::Denied) => true,
            Change::PutAccessToken(..)
            | Change::PutCode(..)
            | Change::PutDevice(..)
            | Change::Decide(..)
            | Change::Poll(..)
            | Change::PutName(..)
            | Change::TakeName(..)
            | Change::LastNumber(_) => false,
        }
    }

    /// Whether it outlives the process. Poll times do not.
    pub fn is_kept(&self) -> bool {
        !matches!(self, Change::Poll(..))
    }
}

/// What must still hold when a step is made, since the decision was based on it.
#[derive(Clone, Copy, Debug)]
pub enum OnlyIf {
    Always,
    /// The family with the first key has a code, and the second is the code's key.
    CodeIs(Key, Key),
    /// The family with the first key exists, and the second is the key of its newest refresh token.
    RefreshTokenIs(Key, Key),
    /// The client has fewer devices than this, and none shows this user code.
    RoomForDevice(Number, usize, UserCode),
    /// No user has decided about this device yet.
    Undecided(Key),
    /// A user has allowed this device, and it has not collected its tokens yet.
    Allowed(Key),
}
