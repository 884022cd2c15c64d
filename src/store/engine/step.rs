//! Plans a step for the engine: which rows it needs to know and, from those, what to put and what
//! to take out. Pure functions; `mod.rs` talks to the engine.
//!
//! The engine makes the step in one script, and only if those rows have not changed since it was
//! planned. So the logic is in Rust, and of two steps at once one has to be planned again.

use super::value::{Content, Name, Value};
use crate::oauth::Timestamp;
use crate::store::Key;
use crate::store::rows::{Change, Decision, Device, OnlyIf, Row};

/// The most access tokens of a family: with more, its row would be longer than an answer may be.
const MOST: usize = 1_500;

/// What to do if nothing has changed.
#[derive(Debug, Default)]
pub struct Step {
    /// The first has something random in it, so it is there only if this very step was made.
    pub puts: Vec<(Name, Content)>,
    /// Rows to take out without counting them.
    pub gone: Vec<Name>,
    /// Access tokens to take out.
    pub ended: Vec<Key>,
    /// How many refresh tokens go with their families.
    pub refresh_tokens: usize,
}

/// The rows that a step needs to know. A family that is put without a condition is new.
pub fn needs(only_if: &OnlyIf, changes: &[Change]) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::new();
    let mut need = |name| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    match *only_if {
        OnlyIf::Always => {}
        OnlyIf::CodeIs(family, _) | OnlyIf::RefreshTokenIs(family, _) => need(Name::Family(family)),
        OnlyIf::RoomForDevice(_, _, code) => need(Name::UserCode(code)),
        OnlyIf::Undecided(key) | OnlyIf::Allowed(key) => need(Name::Device(key)),
    }
    let puts =
        |family| changes.iter().any(|it| matches!(it, Change::PutFamily(key, _) if *key == family));
    for change in changes {
        match *change {
            Change::TakeCode(family)
            | Change::TakeFamily(family)
            | Change::TakeAccessTokensOf(family) => {
                need(Name::Family(family));
            }
            Change::Decide(key, _) | Change::Poll(key, ..) => need(Name::Device(key)),
            Change::PutAccessToken(_, ref row) => {
                row.family
                    .filter(|family| !puts(*family))
                    .into_iter()
                    .for_each(|it| need(Name::Family(it)));
            }
            _ => {}
        }
    }
    names
}

/// The families and devices that a step begins: nothing may be there under their names. Otherwise
/// a first attempt that arrives after its retry would undo what has happened since, and a code
/// could be redeemed twice.
pub fn begins(needs: &[Name], changes: &[Change]) -> Vec<Name> {
    let begun = changes.iter().filter_map(|change| match change {
        Change::PutCode(family, _) | Change::PutFamily(family, _) => Some(Name::Family(*family)),
        Change::PutDevice(key, _) => Some(Name::Device(*key)),
        _ => None,
    });
    begun.filter(|name| !needs.contains(name)).collect()
}

/// The plan, if the rows that it needs are these; `None` if it comes too late.
pub fn plan(
    only_if: &OnlyIf,
    changes: &[Change],
    known: Vec<(Name, Option<Content>)>,
    now: Timestamp,
) -> Option<Step> {
    let rows = known.into_iter().map(|(name, content)| (name, content, false)).collect();
    let mut desk = Desk { rows, step: Step::default(), now };
    if !desk.holds(only_if) {
        return None;
    }
    changes.iter().cloned().for_each(|change| desk.apply(change));
    let Desk { rows, mut step, .. } = desk;
    for (name, content, is_changed) in rows {
        match content {
            _ if !is_changed => {}
            Some(content) => step.puts.push((name, content)),
            None => step.gone.push(name),
        }
    }
    step.puts.sort_by_key(|(name, _)| !matches!(name, Name::AccessToken(_)));
    Some(step)
}

/// The rows of a step while it is planned.
struct Desk {
    /// What is under a name, and whether the step has changed it.
    rows: Vec<(Name, Option<Content>, bool)>,
    step: Step,
    now: Timestamp,
}

impl Desk {
    fn holds(&mut self, only_if: &OnlyIf) -> bool {
        match *only_if {
            OnlyIf::Always => true,
            OnlyIf::CodeIs(family, key) => {
                matches!(self.value(Name::Family(family)), Some(Value { row: Row::Code(row), .. }) if row.key == key)
            }
            OnlyIf::RefreshTokenIs(family, key) => {
                matches!(self.value(Name::Family(family)), Some(Value { row: Row::Family(row), .. }) if row.refresh_token == Some(key))
            }
            // A client's devices are not counted here; the engine's memory is the limit.
            OnlyIf::RoomForDevice(_, _, code) => self.content(Name::UserCode(code)).is_none(),
            OnlyIf::Undecided(key) => self.device(key).is_some_and(|row| row.decision.is_none()),
            OnlyIf::Allowed(key) => self
                .device(key)
                .is_some_and(|row| matches!(row.decision, Some(Decision::Allowed { .. }))),
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::PutAccessToken(key, row) => {
                if let Some(family) = row.family {
                    self.add_to_family(family, (key, row.expires));
                }
                self.put(Name::AccessToken(key), Value::of(Row::AccessToken(row)));
            }
            Change::TakeAccessToken(key) => self.step.ended.push(key),
            Change::PutCode(family, row) => {
                self.put(Name::Family(family), Value::of(Row::Code(row)))
            }
            Change::PutFamily(family, row) => {
                let before = self
                    .value(Name::Family(family))
                    .map(|it| std::mem::take(&mut it.access_tokens));
                let access_tokens = before.unwrap_or_default();
                self.put(Name::Family(family), Value { row: Row::Family(row), access_tokens });
            }
            Change::TakeAccessTokensOf(family) => self.end_access_tokens(family),
            Change::TakeCode(family) | Change::TakeFamily(family) => self.take_family(family),
            Change::PutDevice(key, row) => {
                let (code, expires) = (row.user_code, row.expires);
                self.put(Name::Device(key), Value::of(Row::Device(row)));
                self.set(Name::UserCode(code), Some(Content::Shows(key, expires)));
            }
            Change::Decide(key, decision) => {
                let Some(row) = self.change_device(key) else { return };
                row.decision = Some(decision);
                let code = row.user_code;
                self.set(Name::UserCode(code), None);
            }
            Change::Poll(key, polled, interval) => {
                if let Some(row) = self.change_device(key) {
                    (row.polled, row.interval) = (Some(polled), interval);
                }
            }
            Change::TakeDevice(key) => self.set(Name::Device(key), None),
            // Each replica numbers names in its own way.
            Change::PutName(..) | Change::TakeName(..) | Change::LastNumber(_) => {}
        }
    }

    /// An access token joins its family, and those that have expired leave it.
    fn add_to_family(&mut self, family: Key, token: (Key, Timestamp)) {
        let now = self.now;
        let Some(value) = self.change(Name::Family(family)) else { return };
        value.access_tokens.retain(|(_, expires)| now < *expires);
        value.access_tokens.push(token);
        let surplus = value.access_tokens.len().saturating_sub(MOST);
        let oldest: Vec<Key> = value.access_tokens.drain(..surplus).map(|(key, _)| key).collect();
        self.step.ended.extend(oldest);
    }

    fn end_access_tokens(&mut self, family: Key) {
        if let Some(value) = self.change(Name::Family(family)) {
            let tokens = std::mem::take(&mut value.access_tokens);
            self.step.ended.extend(tokens.into_iter().map(|(key, _)| key));
        }
    }

    /// Takes out a family with its access tokens, or the code in its place.
    fn take_family(&mut self, family: Key) {
        self.end_access_tokens(family);
        if let Some(Value { row: Row::Family(row), .. }) = self.value(Name::Family(family)) {
            let tokens = usize::from(row.refresh_token.is_some()) + row.good_beside();
            self.step.refresh_tokens += tokens;
        }
        if self.content(Name::Family(family)).is_some() {
            self.set(Name::Family(family), None);
        }
    }

    fn content(&mut self, name: Name) -> Option<&mut Content> {
        self.rows.iter_mut().find(|(own, ..)| *own == name)?.1.as_mut()
    }

    fn value(&mut self, name: Name) -> Option<&mut Value> {
        match self.content(name)? {
            Content::Row(value) => Some(value),
            Content::Shows(..) => None,
        }
    }

    fn device(&mut self, key: Key) -> Option<&mut Device> {
        match &mut self.value(Name::Device(key))?.row {
            Row::Device(row) => Some(row),
            _ => None,
        }
    }

    /// The value with a name, which the step changes.
    fn change(&mut self, name: Name) -> Option<&mut Value> {
        let (_, content, is_changed) = self.rows.iter_mut().find(|(own, ..)| *own == name)?;
        match content.as_mut()? {
            Content::Row(value) => {
                *is_changed = true;
                Some(value)
            }
            Content::Shows(..) => None,
        }
    }

    fn change_device(&mut self, key: Key) -> Option<&mut Device> {
        match &mut self.change(Name::Device(key))?.row {
            Row::Device(row) => Some(row),
            _ => None,
        }
    }

    fn put(&mut self, name: Name, value: Value) {
        self.set(name, Some(Content::Row(value)));
    }

    fn set(&mut self, name: Name, content: Option<Content>) {
        match self.rows.iter_mut().find(|(own, ..)| *own == name) {
            Some(row) => (row.1, row.2) = (content, true),
            None => self.rows.push((name, content, true)),
        }
    }
}
