//! What a shelf has to know about each kind of row: whose it is, when it goes, and its size in a
//! file.

use super::rows::{AccessToken, Code, Decision, Device, Number, Row};
use super::shelf::Kept;
use crate::oauth::Timestamp;

/// How many seconds an expired device code is remembered, so that its device can be told.
const DEVICE_MEMORY: u64 = 30;

impl Kept for AccessToken {
    fn client(&self) -> Number {
        self.client
    }
    fn user(&self) -> Option<Number> {
        self.user
    }
    fn resource(&self) -> Option<Number> {
        self.resource
    }
    fn gone(&self) -> Timestamp {
        self.expires
    }
    fn begun(&self) -> Timestamp {
        self.issued_at
    }
    fn weight(&self) -> usize {
        95 + self.scope.as_str().len()
    }
}

impl Kept for Code {
    fn client(&self) -> Number {
        self.client
    }
    fn user(&self) -> Option<Number> {
        Some(self.user)
    }
    fn resource(&self) -> Option<Number> {
        self.resource
    }
    fn gone(&self) -> Timestamp {
        self.expires
    }
    fn begun(&self) -> Timestamp {
        self.expires
    }
    fn weight(&self) -> usize {
        100 + self.scope.as_str().len() + self.redirect_uri.len() + 43
    }
}

impl Kept for Device {
    fn client(&self) -> Number {
        self.client
    }
    fn user(&self) -> Option<Number> {
        match self.decision {
            Some(Decision::Allowed { user, .. }) => Some(user),
            _ => None,
        }
    }
    fn resource(&self) -> Option<Number> {
        self.resource
    }
    fn gone(&self) -> Timestamp {
        self.expires.plus_seconds(DEVICE_MEMORY)
    }
    fn begun(&self) -> Timestamp {
        self.expires
    }
    fn weight(&self) -> usize {
        90 + self.scope.as_str().len()
    }
}

/// Whose a row is, and what for: client, user, resource.
pub type Owner = (Number, Option<Number>, Option<Number>);

impl Row {
    /// From when on no look-up finds it.
    pub fn gone(&self) -> Timestamp {
        match self {
            Row::Device(row) => row.gone(),
            Row::Code(row) => row.gone(),
            Row::Family(row) => row.expires,
            Row::AccessToken(row) => row.gone(),
        }
    }

    pub fn owner(&self) -> Owner {
        fn of(row: &impl Kept) -> Owner {
            (row.client(), row.user(), row.resource())
        }
        match self {
            Row::Device(row) => of(row),
            Row::Code(row) => of(row),
            Row::Family(row) => (row.client, Some(row.user), row.resource),
            Row::AccessToken(row) => of(row),
        }
    }
}
