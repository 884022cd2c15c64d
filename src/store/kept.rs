//! How rows stand on their shelves: whose they are, when they go, and what they cost a file.

use super::rows::{AccessToken, Code, Decision, Device, Number};
use super::shelf::Kept;
use crate::oauth::Timestamp;

/// Seconds for which an expired device code is remembered, so that its device can be told.
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
