//! Valkey or Redis instead of memory, so that replicas share what they issue.
//!
//!     {oauth2d}a:KEY    an access token
//!     {oauth2d}f:KEY    a family, with its access tokens; before it, its code
//!     {oauth2d}d:KEY    a device
//!     {oauth2d}u:CODE   the device that shows a user code
//!
//! [`value`] says what is stored there. A look-up is one GET, a step with only new rows one SET,
//! and every other step one script ([`step`], [`script`]). The engine expires rows by PX; a row's
//! own time counts as well.
//!
//! **An engine that is away is never "no such token".** Whatever goes wrong with it is
//! [`Unavailable`], within the time that a request has for all it asks ([`Engine::begin`]).
//!
//! Written here, over [`resp`] and a [`pool`] of connections, on which requests that meet travel
//! [`together`]: a library would bring more code than this whole server has.

mod answers;
mod broken;
mod connection;
mod health;
mod names;
mod place;
mod pool;
mod resp;
mod scan;
mod script;
mod start;
mod step;
#[cfg(test)]
mod tests;
mod together;
mod value;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::sync::atomic::AtomicBool;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::rows::{AccessToken, Change, Code, Device, Family, OnlyIf, Row};
use super::{Found, Key, Notice, Unavailable};
use crate::clock;
use crate::oauth::{Registry, Timestamp, UserCode};
use answers::Answers;
use broken::{Broken, Kind};
pub use health::Durations;
use health::Health;
use names::NameTable;
pub use place::{EngineConfig, Place};
use pool::Pool;
use resp::Answer;
use script::Prepared;
use step::Step;
use value::{Content, Name, Read};

/// How long all of one request's commands may take together.
const REQUEST: Duration = Duration::from_millis(1800);
/// Bytes of a key's kind, and of the longest key after it.
const KIND: usize = 2;
const KEY: usize = 27;
/// Seconds until a client may ask again.
const RETRY_AFTER: u64 = 1;
const UNAVAILABLE: Unavailable = Unavailable { retry_after: RETRY_AFTER };

thread_local! {
    /// What is left of that time to this thread's request.
    static LEFT: Cell<Duration> = const { Cell::new(REQUEST) };
    /// The row that it has looked up last: a step need not look it up again, since the script
    /// checks that it has not changed.
    static SEEN: RefCell<Option<(Name, Vec<u8>)>> = const { RefCell::new(None) };
}

pub struct Engine {
    place: Place,
    prefix: String,
    pool: Pool,
    names: RwLock<NameTable>,
    health: Health,
    has_seen_policy: AtomicBool,
}

/// How an engine is.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineStatus {
    pub connections: usize,
    pub errors: u64,
    pub durations: Durations,
}

/// What the engine had under these names when a step was planned.
type Held = Vec<(Name, Option<Vec<u8>>)>;

/// The result of a script.
enum Made {
    /// It took out so many rows that count.
    Taken(usize),
    /// Another step has changed the rows meanwhile.
    TooLate,
}

impl Engine {
    /// A request of this thread begins, and its time starts to run.
    pub fn begin(&self) {
        LEFT.set(REQUEST);
        SEEN.take();
    }

    pub fn enrol(&self, registry: &mut Registry) {
        self.names.write().unwrap_or_else(PoisonError::into_inner).enrol(registry);
    }

    pub fn access_token(&self, key: &Key, now: Timestamp) -> Found<AccessToken> {
        match self.row(Name::AccessToken(*key), now)? {
            Some(Row::AccessToken(row)) => Ok(Some(row)),
            _ => Ok(None),
        }
    }

    pub fn code(&self, family: &Key, now: Timestamp) -> Found<Code> {
        match self.row(Name::Family(*family), now)? {
            Some(Row::Code(row)) => Ok(Some(row)),
            _ => Ok(None),
        }
    }

    pub fn family(&self, key: &Key, now: Timestamp) -> Found<Family> {
        match self.row(Name::Family(*key), now)? {
            Some(Row::Family(row)) => Ok(Some(row)),
            _ => Ok(None),
        }
    }

    pub fn device(&self, key: &Key, now: Timestamp) -> Found<Device> {
        match self.row(Name::Device(*key), now)? {
            Some(Row::Device(row)) => Ok(Some(row)),
            _ => Ok(None),
        }
    }

    pub fn device_showing(&self, code: &UserCode, now: Timestamp) -> Found<(Key, Device)> {
        let name = Name::UserCode(*code);
        let answers = self.get(name)?;
        let Some(Content::Shows(key, _)) = self.content(name, self.value(answers.only())?)? else {
            return Ok(None);
        };
        let device = self.device(&key, now)?;
        Ok(device.filter(|row| now < row.expires && row.decision.is_none()).map(|row| (key, row)))
    }

    /// Makes a step: see [`super::Store::apply`].
    #[inline(never)]
    pub fn apply(&self, only_if: OnlyIf, changes: Vec<Change>) -> Found<usize> {
        let names = step::needs(&only_if, &changes);
        let begun = step::begins(&names, &changes);
        loop {
            let mut held = self.held(&names)?;
            held.extend(begun.iter().map(|name| (*name, None)));
            let known = held
                .iter()
                .map(|(name, bytes)| Ok((*name, self.content(*name, bytes.as_deref())?)));
            let known = known.collect::<Result<_, Unavailable>>()?;
            let now = clock::now();
            let Some(step) = step::plan(&only_if, &changes, known, now) else {
                return Ok(None);
            };
            let refresh_tokens = step.refresh_tokens;
            if let Made::Taken(tokens) = self.make(&held, step, now)? {
                return Ok(Some(tokens + refresh_tokens));
            }
        }
    }

    /// Whether the engine can be read and written.
    pub fn check(&self) -> Result<(), Unavailable> {
        match self.ask(|_| self.probe().into(), 1)?.only() {
            Some(Answer::Integer(0)) => self.health.is_well(),
            _ => return Err(self.fails(&Broken::nonsense())),
        }
        Ok(())
    }

    /// To be called each second. Returns what the operator has to know.
    pub fn upkeep(&self) -> Vec<Notice> {
        self.begin();
        if self.check().is_ok() {
            self.look_at_policy();
        }
        let told = self.health.notices().into_iter();
        told.map(|it| Notice { what: format!("{}: {}", self.place, it.what), ..it }).collect()
    }

    pub fn status(&self) -> EngineStatus {
        EngineStatus {
            connections: self.pool.open(),
            errors: self.health.errors(),
            durations: self.health.durations(),
        }
    }

    /// The row with this name, if it has not expired.
    #[inline(never)]
    fn row(&self, name: Name, now: Timestamp) -> Found<Row> {
        let answers = self.get(name)?;
        let bytes = self.value(answers.only())?;
        let content = self.content(name, bytes)?;
        if let (Name::Family(_) | Name::Device(_), Some(bytes)) = (name, bytes) {
            SEEN.set(Some((name, bytes.to_vec())));
        }
        match content {
            Some(Content::Row(value)) if now < value.row.gone() => Ok(Some(value.row)),
            _ => Ok(None),
        }
    }

    fn get(&self, name: Name) -> Result<Answers, Unavailable> {
        let ask = resp::command(&[b"GET", &self.key(name)]);
        self.ask(|_| Cow::Borrowed(&ask), 1)
    }

    /// What is stored under each of these names, in one command.
    fn values(&self, names: &[Name]) -> Result<Vec<Option<Vec<u8>>>, Unavailable> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let ask: Vec<_> =
            names.iter().map(|name| resp::command(&[b"GET", &self.key(*name)])).collect();
        let ask = ask.concat();
        let answers = self.ask(|_| Cow::Borrowed(&ask), names.len())?;
        let value = |answer| Ok(self.value(Some(answer))?.map(<[u8]>::to_vec));
        answers.iter().map(value).collect()
    }

    /// The same, with the names. What the request has just looked up is not looked up again.
    fn held(&self, names: &[Name]) -> Result<Held, Unavailable> {
        if let Some((seen, bytes)) = SEEN.take()
            && names == [seen]
        {
            return Ok(vec![(seen, Some(bytes))]);
        }
        Ok(names.iter().copied().zip(self.values(names)?).collect())
    }

    /// What a GET has been answered.
    fn value<'a>(&self, answer: Option<Answer<'a>>) -> Found<&'a [u8]> {
        match answer {
            Some(Answer::Bytes(bytes)) => Ok(Some(bytes)),
            Some(Answer::Nothing) => Ok(None),
            _ => Err(self.fails(&Broken::nonsense())),
        }
    }

    /// What is stored under this name, if the configuration has its client and user.
    fn content(&self, name: Name, bytes: Option<&[u8]>) -> Found<Content> {
        let Some(bytes) = bytes else { return Ok(None) };
        match value::decode(name, bytes, &self.names()) {
            Read::Content(content) => Ok(Some(content)),
            Read::Foreign => Err(self.fails(&Broken::Error(Kind::Foreign))),
        }
    }

    /// Makes a step, if the rows that it was planned from have not changed.
    fn make(&self, held: &Held, step: Step, now: Timestamp) -> Result<Made, Unavailable> {
        let mut puts = Vec::with_capacity(step.puts.len());
        let names = self.names();
        for (name, content) in step.puts {
            let millis = content.gone().0.saturating_sub(now.0).max(1).to_string();
            // A number that was never assigned would be a bug, and nothing is stored for nobody.
            let value = content.encode(name, &names).ok_or(UNAVAILABLE)?;
            puts.push((self.key(name), value, millis));
        }
        drop(names);
        let gone: Vec<_> = step.gone.iter().map(|name| self.key(*name)).collect();
        let ended: Vec<_> =
            step.ended.iter().map(|key| self.key(Name::AccessToken(*key))).collect();
        let held: Vec<_> = held
            .iter()
            .map(|(name, bytes)| (self.key(*name), bytes.as_deref().unwrap_or_default()))
            .collect();
        let step = Prepared { held, puts, gone, ended };
        let answers = match step.is_nothing() {
            true => return Ok(Made::Taken(0)),
            false => self.ask(|is_again| step.command(is_again).into(), 1)?,
        };
        step.made(answers.only()).ok_or_else(|| self.fails(&Broken::nonsense()))
    }

    /// Sends commands to the engine, within what is left of the request's time.
    fn ask<'a>(
        &self,
        commands: impl Fn(bool) -> Cow<'a, [u8]>,
        answers: usize,
    ) -> Result<Answers, Unavailable> {
        let began = Instant::now();
        let result = self.pool.ask(commands, answers, began + LEFT.get());
        let took = began.elapsed();
        LEFT.set(LEFT.get().saturating_sub(took));
        self.health.took(took);
        result.map_err(|broken| {
            self.health.failed(&broken, began);
            UNAVAILABLE
        })
    }

    fn names(&self) -> RwLockReadGuard<'_, NameTable> {
        self.names.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine's answer makes no sense.
    fn fails(&self, broken: &Broken) -> Unavailable {
        self.health.failed(broken, Instant::now());
        UNAVAILABLE
    }

    /// The engine's key for this name.
    fn key(&self, name: Name) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.prefix.len() + KIND + KEY);
        out.extend_from_slice(self.prefix.as_bytes());
        let (kind, key) = match &name {
            Name::AccessToken(key) => (b"a:", key),
            Name::Family(key) => (b"f:", key),
            Name::Device(key) => (b"d:", key),
            Name::UserCode(code) => {
                out.extend_from_slice(b"u:");
                out.extend_from_slice(code.reveal().as_bytes());
                return out;
            }
        };
        out.extend_from_slice(kind);
        let mut text = [0; KEY];
        let size = BASE64.encode_slice(key.bytes(), &mut text).expect("a key has room there");
        out.extend_from_slice(&text[..size]);
        out
    }
}
