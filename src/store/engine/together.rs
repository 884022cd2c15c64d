//! Requests that meet are sent to the engine together, as one message, so that one system call on
//! either side serves many: 64 clients get one and a half times as many answers as with a
//! connection for each.
//!
//! At most [`UNDER_WAY`] messages are under way. A request joins the next one; then whichever of
//! its requests runs while there is room sends it and reads all the answers, and the others wait.
//! A request alone finds room at once.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::broken::Broken;
use super::resp::Answer;
use crate::step_aside::StepAside;

/// How many messages may be under way at once: the engine has the next while one is answered.
const UNDER_WAY: usize = 2;
/// How long an engine on these processors may take for what a crowd asks.
const ENGINE: Duration = Duration::from_millis(2);
/// How often a request lets others run before it sleeps. Once is enough for them to join.
const STEPS: usize = 3;

/// The answers to a request's commands, or to all of a message's.
pub type Answers = Result<Vec<Answer>, Broken>;

pub struct Together {
    queue: Mutex<Queue>,
    step_aside: StepAside,
}

#[derive(Default)]
struct Queue {
    /// The message that requests can join.
    next: Option<Gathering>,
    under_way: usize,
}

struct Gathering {
    commands: Vec<u8>,
    /// For each request, how many answers its commands have, and who waits for them.
    requests: Vec<(usize, Thread)>,
    /// When the first of them must have its answers.
    until: Instant,
    message: Arc<Message>,
}

/// Each request's answers, once they are there.
#[derive(Default)]
struct Message(OnceLock<Result<Vec<Mutex<Vec<Answer>>>, Broken>>);

impl Together {
    pub fn new() -> Together {
        Together { queue: Mutex::default(), step_aside: StepAside::beside(ENGINE) }
    }

    /// Sends commands, perhaps with those of others, and returns as many answers. `send` takes
    /// commands, how many answers they have, and until when it may take, which is the earliest that
    /// any of these requests can wait.
    pub fn ask(
        &self,
        commands: &[u8],
        answers: usize,
        until: Instant,
        send: impl Fn(&[u8], usize, Instant) -> Answers,
    ) -> Answers {
        let (message, place) = self.join(commands, answers, until);
        self.step_aside.before_a_wait();
        let mut steps = 1..STEPS;
        while message.0.get().is_none() {
            if let Some(turn) = self.turn(&message) {
                turn.take(&send);
            } else if steps.next().is_some() {
                self.step_aside.before_a_wait();
            } else {
                thread::park();
            }
        }
        message.part(place)
    }

    /// The message that the commands have joined, and how many requests had before.
    fn join(&self, commands: &[u8], answers: usize, until: Instant) -> (Arc<Message>, usize) {
        self.step_aside.turn();
        let mut queue = self.lock();
        let next = queue.next.get_or_insert_with(|| Gathering::until(until));
        next.commands.extend_from_slice(commands);
        next.until = next.until.min(until);
        next.requests.push((answers, thread::current()));
        (Arc::clone(&next.message), next.requests.len() - 1)
    }

    /// The right to send this message, if nobody has yet and there is room.
    fn turn(&self, message: &Arc<Message>) -> Option<Turn<'_>> {
        let mut queue = self.lock();
        if queue.under_way == UNDER_WAY {
            return None;
        }
        let gathering = queue.next.take_if(|next| Arc::ptr_eq(&next.message, message))?;
        queue.under_way += 1;
        Some(Turn { together: self, gathering, result: Err(Broken::late()) })
    }

    /// Waits until so many messages are under way, and so many requests have joined the next.
    #[cfg(test)]
    pub fn await_that(&self, under_way: usize, joined: usize) {
        let now = |queue: &Queue| {
            let next = queue.next.as_ref();
            (queue.under_way, next.map_or(0, |next| next.requests.len()))
        };
        while now(&self.lock()) != (under_way, joined) {
            thread::yield_now();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathering {
    fn until(until: Instant) -> Gathering {
        let (commands, requests) = Default::default();
        Gathering { commands, requests, until, message: Arc::default() }
    }
}

impl Message {
    /// The answers to the request that joined after so many others.
    fn part(&self, place: usize) -> Answers {
        match self.0.get() {
            Some(Ok(parts)) => {
                let mut part = parts[place].lock().unwrap_or_else(PoisonError::into_inner);
                Ok(std::mem::take(&mut part))
            }
            Some(Err(broken)) => Err(broken.clone()),
            None => Err(Broken::late()),
        }
    }
}

/// A message under way. In the end there is room for another and each request has a result, whatever
/// happens.
struct Turn<'a> {
    together: &'a Together,
    gathering: Gathering,
    result: Answers,
}

impl Turn<'_> {
    fn take(mut self, send: &impl Fn(&[u8], usize, Instant) -> Answers) {
        let Gathering { commands, requests, until, .. } = &self.gathering;
        let answers = requests.iter().map(|(answers, _)| answers).sum();
        self.result = send(commands, answers, *until);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.together.lock();
        queue.under_way -= 1;
        if let Some(next) = &queue.next {
            next.requests[0].1.unpark();
        }
        drop(queue);
        let Gathering { requests, message, .. } = &self.gathering;
        let result = std::mem::replace(&mut self.result, Err(Broken::late()));
        let parts = result.map(|answers| {
            let mut answers = answers.into_iter();
            let part = |(count, _): &(usize, Thread)| answers.by_ref().take(*count).collect();
            requests.iter().map(part).map(Mutex::new).collect()
        });
        let _ = message.0.set(parts);
        requests.iter().for_each(|(_, asker)| asker.unpark());
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// An engine that answers each byte with itself, when it is told to.
    struct Echo {
        together: Together,
        seen: Mutex<Vec<Vec<u8>>>,
        told: Mutex<Receiver<Answers>>,
    }

    impl Echo {
        fn new() -> (Echo, Sender<Answers>) {
            let (tell, told) = channel();
            let (seen, told) = (Mutex::default(), Mutex::new(told));
            (Echo { together: Together::new(), seen, told }, tell)
        }

        /// Asks this, and waits to be told the result; nothing means the right one.
        fn ask(&self, text: &str) -> Answers {
            self.together.ask(text.as_bytes(), text.len(), later(), |all, answers, _| {
                assert_eq!(all.len(), answers);
                self.seen.lock().unwrap().push(all.to_vec());
                let told = self.told.lock().unwrap().recv().unwrap();
                told.map(|_| answers_to(all))
            })
        }

        /// As many threads that ask, when as many messages as can be are under way before them.
        fn crowd<'scope>(
            &'scope self,
            scope: &'scope thread::Scope<'scope, '_>,
            texts: &[&'static str],
        ) -> Vec<thread::ScopedJoinHandle<'scope, Answers>> {
            let mut all = Vec::new();
            for under_way in 1..=UNDER_WAY {
                all.push(scope.spawn(|| self.ask("0")));
                self.together.await_that(under_way, 0);
            }
            for (at, text) in texts.iter().copied().enumerate() {
                all.push(scope.spawn(move || self.ask(text)));
                self.together.await_that(UNDER_WAY, at + 1);
            }
            all
        }
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    fn answers_to(text: &[u8]) -> Vec<Answer> {
        text.iter().map(|byte| Answer::Integer(i64::from(*byte))).collect()
    }

    #[test]
    fn requests_that_meet_are_one_message_and_each_gets_its_own_answers() {
        let (echo, tell) = Echo::new();
        let texts = ["a", "bc", "", "d"];
        thread::scope(|scope| {
            let all = echo.crowd(scope, &texts);
            (0..=UNDER_WAY).for_each(|_| tell.send(Ok(Vec::new())).unwrap());
            let all: Vec<_> = all.into_iter().map(|it| it.join().unwrap()).collect();
            let right: Vec<_> = ["0"; UNDER_WAY].into_iter().chain(texts).collect();
            assert_eq!(
                all,
                right.iter().map(|it| Ok(answers_to(it.as_bytes()))).collect::<Vec<_>>()
            );
        });
        let seen = echo.seen.into_inner().unwrap();
        assert_eq!(seen, [vec![b"0".to_vec(); UNDER_WAY], vec![b"abcd".to_vec()]].concat());
    }

    #[test]
    fn what_breaks_a_message_is_everyones_result() {
        let (echo, tell) = Echo::new();
        thread::scope(|scope| {
            let all = echo.crowd(scope, &["a", "b"]);
            (0..UNDER_WAY).for_each(|_| tell.send(Ok(Vec::new())).unwrap());
            tell.send(Err(Broken::nonsense())).unwrap();
            let all: Vec<_> = all.into_iter().map(|it| it.join().unwrap()).collect();
            assert_eq!(all[UNDER_WAY..], [const { || Err(Broken::nonsense()) }; 2].map(|it| it()));
        });
    }

    #[test]
    fn a_message_has_the_time_of_its_request_that_has_least_whichever_sends_it() {
        let together = Together::new();
        let (early, late) = (Instant::now(), later());
        for first in [early, late] {
            together.join(b"a", 1, first);
            let own = if first == early { late } else { early };
            let answer = together.ask(b"b", 1, own, |all, _, until| {
                assert_eq!(until, early);
                Ok(answers_to(all))
            });
            assert_eq!(answer, Ok(answers_to(b"b")));
        }
    }

    #[test]
    fn a_panic_costs_nobody_the_room() {
        let together = Together::new();
        for _ in 0..=UNDER_WAY {
            let ask = || together.ask(b"a", 1, later(), |_, _, _| panic!("a fault"));
            assert!(catch_unwind(AssertUnwindSafe(ask)).is_err());
        }
        let answer = together.ask(b"a", 1, later(), |all, _, _| Ok(answers_to(all)));
        assert_eq!(answer, Ok(answers_to(b"a")));
    }
}
