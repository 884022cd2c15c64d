//! What is kept, in plain rows, and the changes of which every step is made.
//!
//! A row names clients, users and resources by their [`Number`], never by their name: who was removed
//! from the configuration and comes back gets another number, and what was given out before stays
//! gone. The resource of a row is the service that it is for, where it is for one (RFC 8707).

use std::sync::Arc;

use super::key::Key;
use crate::oauth::{Scope, Timestamp, UserCode};

/// Of a client, a user or a resource: given when its name first appears in a configuration that comes into
/// force, and never to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Number(pub u32);

/// An access token (RFC 6749, section 1.4).
#[derive(Clone, Debug, PartialEq)]
pub struct AccessToken {
    pub client: Number,
    /// The resource owner; `None` where the client acts for itself.
    pub user: Option<Number>,
    pub resource: Option<Number>,
    pub scope: Scope,
    pub issued_at: Timestamp,
    pub expires: Timestamp,
    /// `None` where nothing can follow it.
    pub family: Option<Key>,
}

/// An authorization code that has not been redeemed, and what was agreed on with it (RFC 6749,
/// section 4.1.2). It stands under the key of the family that will come of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// Of the code itself.
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

/// All that comes of one grant: its refresh tokens, one after another, and their access tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    pub client: Number,
    pub user: Number,
    pub resource: Option<Number>,
    /// What was granted; a refresh may ask for less, never for more (RFC 6749, section 6).
    pub scope: Scope,
    /// Of the refresh token.
    pub issued_at: Timestamp,
    /// Its newest refresh token, which is good; `None` where the client may not refresh.
    pub refresh_token: Option<Key>,
    pub refresh_token_expires: Timestamp,
    /// When the last of its tokens expires.
    pub expires: Timestamp,
    /// Where used ones have a grace: those that may be used beside the newest.
    pub beside: Box<[RefreshToken]>,
}

/// A refresh token beside a family's newest.
#[derive(Clone, Debug, PartialEq)]
pub struct RefreshToken {
    pub key: Key,
    pub issued_at: Timestamp,
    pub expires: Timestamp,
    pub first_used: Option<Timestamp>,
    pub uses: u8,
}

impl RefreshToken {
    /// Whether it is alive and has not been used.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.first_used.is_none() && now < self.expires
    }
}

impl Family {
    /// How many refresh tokens beside the newest were good when it was issued.
    pub fn good_beside(&self) -> usize {
        self.beside.iter().filter(|token| token.is_good(self.issued_at)).count()
    }
}

/// A device that waits for a person, or for the token that a person has allowed (RFC 8628).
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    pub client: Number,
    pub resource: Option<Number>,
    pub user_code: UserCode,
    pub scope: Scope,
    /// Seconds that have to pass between two polls.
    pub interval: u64,
    pub polled: Option<Timestamp>,
    /// When its code expires; the row stays a little longer, so that the device can be told.
    pub expires: Timestamp,
    pub decision: Option<Decision>,
}

/// A row of any kind, for whoever looks through all of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    Device(Device),
    Code(Code),
    Family(Family),
    AccessToken(AccessToken),
}

/// What a person has said about a device's request.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    Denied,
    Allowed { user: Number, scope: Scope },
}

/// Whose name it is: a client and a user cannot have the same, but a name can change sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Client,
    User,
    Resource,
}

/// One change of one row. Putting a row that is there replaces it, and taking out what is not there
/// does nothing: the same changes made twice come to the same.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    PutAccessToken(Key, AccessToken),
    TakeAccessToken(Key),
    PutCode(Key, Code),
    TakeCode(Key),
    PutFamily(Key, Family),
    /// Takes the access tokens of a family out and leaves the family.
    TakeAccessTokensOf(Key),
    /// Takes a family out, with its code and its access tokens.
    TakeFamily(Key),
    PutDevice(Key, Device),
    Decide(Key, Decision),
    /// The device has polled; its next poll is welcome after so many seconds.
    Poll(Key, Timestamp, u64),
    TakeDevice(Key),
    /// A name is in force, under this number.
    PutName(Kind, Arc<str>, Number),
    TakeName(Kind, Arc<str>),
    /// No number up to this one is given again.
    LastNumber(Number),
}

impl Change {
    /// Whether something ends here before its time. The answer that says so must hold, whatever
    /// happens next.
    pub fn ends_something(&self) -> bool {
        match self {
            // A use of a refresh token, whose grace has begun.
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

    /// Whether it outlives the process: poll times begin anew.
    pub fn is_kept(&self) -> bool {
        !matches!(self, Change::Poll(..))
    }
}

/// What has to hold still, so that a step does what was decided.
#[derive(Clone, Copy, Debug)]
pub enum OnlyIf {
    Always,
    /// The first is a family's key, the second its code's.
    CodeIs(Key, Key),
    /// The first is a family's key, the second its newest refresh token's.
    RefreshTokenIs(Key, Key),
    /// The client has fewer devices than this, and none waits with this code.
    RoomForDevice(Number, usize, UserCode),
    /// Nobody has decided about this device yet.
    Undecided(Key),
    /// A person has allowed this device, and it has no token yet.
    Allowed(Key),
}
