//! The start: what can be found out about an engine before it is needed.

use std::borrow::Cow;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use super::broken::Broken;
use super::pool::Pool;
use super::resp::{Answer, command};
use super::script::Prepared;
use super::together::Asked;
use super::{Engine, EngineConfig, REQUEST};

/// With this policy only what has expired is lost.
const KEEPS_ALL: &[u8] = b"noeviction";
/// The key of a row that belongs to nobody, to see whether rows can be written. It expires by
/// itself.
const CHECK: &str = "check";
const CHECK_MILLIS: &str = "1000";

impl Engine {
    /// Connects to an engine. One that is out of reach is a notice, and may come later; one that
    /// refuses us is an error, a line for the operator.
    pub fn open(config: EngineConfig) -> Result<Engine, String> {
        let engine = Engine {
            place: config.place.clone(),
            prefix: config.prefix.clone(),
            pool: Pool::new(config),
            names: Default::default(),
            health: Default::default(),
            has_seen_policy: Default::default(),
        };
        engine.begin();
        match engine.try_rights() {
            Ok(()) => engine.look_at_policy(),
            Err(broken) => match broken.refusal() {
                Some(what) => return Err(format!("{}: {what}", engine.place)),
                None => engine.health.failed(&broken, Instant::now()),
            },
        }
        Ok(engine)
    }

    /// Uses each command that will be needed.
    fn try_rights(&self) -> Result<(), Broken> {
        let check = self.check_key();
        let all = self.pattern("");
        // By itself, since a client that is not authenticated may not send a message as long as the
        // others.
        self.ask_at_start(command(&[b"GET", &check]), 1)?;
        let commands = [
            command(&[b"SET", &check, b"1", b"PX", CHECK_MILLIS.as_bytes()]),
            command(&[b"DEL", &check]),
            // After the commands that it contains, since the error for what a script may not do is
            // another.
            self.probe(),
            command(&[b"SCAN", b"0", b"MATCH", &all, b"COUNT", b"1"]),
        ];
        self.ask_at_start(commands.concat(), commands.len()).map(drop)
    }

    /// An engine that drops rows when its memory is full forgets tokens, and with them perhaps that
    /// a family has ended.
    pub(super) fn look_at_policy(&self) {
        if self.has_seen_policy.swap(true, Relaxed) {
            return;
        }
        let ask = command(&[b"CONFIG", b"GET", b"maxmemory-policy"]);
        // If we may not ask, nothing is said.
        let Ok(answers) = self.ask_at_start(ask, 1) else { return };
        if let Some(Answer::Array(pair)) = answers.only()
            && let [_, Answer::Bytes(policy)] = pair.as_slice()
            && *policy != KEEPS_ALL
        {
            let what = "its maxmemory-policy lets it drop valid tokens; set noeviction";
            self.health.tell(false, what.into());
        }
    }

    /// Writes a row and takes it out, as steps do.
    pub(super) fn probe(&self) -> Vec<u8> {
        let check = self.check_key();
        let puts = vec![(check.clone(), b"1".to_vec(), CHECK_MILLIS.into())];
        Prepared { puts, gone: vec![check], ..Prepared::default() }.command(false)
    }

    fn check_key(&self) -> Vec<u8> {
        [self.prefix.as_bytes(), CHECK.as_bytes()].concat()
    }

    fn ask_at_start(&self, commands: Vec<u8>, answers: usize) -> Asked {
        let until = Instant::now() + REQUEST;
        self.pool.ask(|_| Cow::Borrowed(&commands), answers, until)
    }
}
