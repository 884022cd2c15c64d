//! Requests that meet are sent to the engine together, as one message, so that one system call on
//! either side serves many: 64 clients get one and a half times as many answers as with a
//! connection for each.
//!
//! At most [`UNDER_WAY`] messages are under way. A request joins the next one; then whichever of
//! its requests runs while there is room sends it and reads all the answers, and the others wait.
//! A request alone finds room at once.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Instant;

use super::answers::Answers;
use super::broken::Broken;
use crate::step_aside::StepAside;

/// How many messages may be under way at once: the engine has the next while one is answered.
const UNDER_WAY: usize = 2;
/// How often a request lets others run before it sleeps. Once is enough for them to join.
const STEPS: usize = 3;

/// What a request's commands have come to, or all of a message's.
pub type Asked = Result<Answers, Broken>;

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
    /// How many answers they have.
    answers: usize,
    /// When the first of its requests must have its answers.
    until: Instant,
    message: Arc<Message>,
}

/// What the requests of a message share.
#[derive(Default)]
struct Message {
    asked: OnceLock<Asked>,
    /// Those that sleep until it is there. One of them is also woken when there is room to send it.
    sleepers: Mutex<Vec<Thread>>,
}

impl Together {
    pub fn new() -> Together {
        Together { queue: Mutex::default(), step_aside: StepAside::beside_an_engine() }
    }

    /// Sends commands, perhaps with those of others, and returns as many answers. `send` takes
    /// commands, how many answers they have, and until when it may take, which is the earliest that
    /// any of these requests can wait.
    pub fn ask(
        &self,
        commands: &[u8],
        answers: usize,
        until: Instant,
        send: impl Fn(&[u8], usize, Instant) -> Asked,
    ) -> Asked {
        let (message, first) = self.join(commands, answers, until);
        self.step_aside.before_a_wait();
        let mut steps = 1..STEPS;
        loop {
            if let Some(asked) = message.asked.get() {
                return asked.as_ref().map(|all| all.part(first, answers)).map_err(Broken::clone);
            }
            match self.turn(&message) {
                Ok(turn) => turn.take(&send),
                Err(queue) if steps.next().is_none() => message.sleep(queue),
                Err(queue) => {
                    drop(queue);
                    self.step_aside.before_a_wait();
                }
            }
        }
    }

    /// The message that the commands have joined, and the number of their first answer.
    fn join(&self, commands: &[u8], answers: usize, until: Instant) -> (Arc<Message>, usize) {
        self.step_aside.turn();
        let mut queue = self.lock();
        let next = queue.next.get_or_insert_with(|| Gathering::until(until));
        next.commands.extend_from_slice(commands);
        next.until = next.until.min(until);
        next.answers += answers;
        (Arc::clone(&next.message), next.answers - answers)
    }

    /// The right to send this message, or the queue if there is no room or somebody has it.
    fn turn(&self, message: &Arc<Message>) -> Result<Turn<'_>, MutexGuard<'_, Queue>> {
        let mut queue = self.lock();
        if queue.under_way == UNDER_WAY {
            return Err(queue);
        }
        match queue.next.take_if(|next| Arc::ptr_eq(&next.message, message)) {
            Some(gathering) => {
                queue.under_way += 1;
                Ok(Turn { together: self, gathering, asked: Err(Broken::late()) })
            }
            None => Err(queue),
        }
    }

    /// Waits until so many messages are under way, and so many requests have joined the next.
    #[cfg(test)]
    pub fn await_that(&self, under_way: usize, joined: usize) {
        let now = |queue: &Queue| {
            let next = queue.next.as_ref();
            // Each has the message, and so has the queue.
            (queue.under_way, next.map_or(0, |next| Arc::strong_count(&next.message) - 1))
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
        let (commands, answers, message) = Default::default();
        Gathering { commands, answers, until, message }
    }
}

impl Message {
    /// Sleeps until there may be room or a result. Whoever makes room needs the queue for it, and so
    /// finds this request among the sleepers.
    fn sleep(&self, queue: MutexGuard<Queue>) {
        self.sleepers().push(thread::current());
        drop(queue);
        if self.asked.get().is_none() {
            thread::park();
        }
    }

    fn sleepers(&self) -> MutexGuard<'_, Vec<Thread>> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A message under way. In the end there is room for another and each request has a result, whatever
/// happens.
struct Turn<'a> {
    together: &'a Together,
    gathering: Gathering,
    asked: Asked,
}

impl Turn<'_> {
    fn take(mut self, send: &impl Fn(&[u8], usize, Instant) -> Asked) {
        let Gathering { commands, answers, until, .. } = &self.gathering;
        self.asked = send(commands, *answers, *until);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.together.lock();
        queue.under_way -= 1;
        if let Some(next) = &queue.next
            && let Some(asker) = next.message.sleepers().pop()
        {
            asker.unpark();
        }
        drop(queue);
        let asked = std::mem::replace(&mut self.asked, Err(Broken::late()));
        let message = &self.gathering.message;
        let _ = message.asked.set(asked);
        message.sleepers().drain(..).for_each(|asker| asker.unpark());
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use super::*;

    /// An engine that answers each byte with itself, when it is told to.
    struct Echo {
        together: Together,
        seen: Mutex<Vec<Vec<u8>>>,
        told: Mutex<Receiver<Asked>>,
    }

    impl Echo {
        fn new() -> (Echo, Sender<Asked>) {
            let (tell, told) = channel();
            let (seen, told) = (Mutex::default(), Mutex::new(told));
            (Echo { together: Together::new(), seen, told }, tell)
        }

        /// Asks this, and waits to be told the result; nothing means the right one.
        fn ask(&self, text: &str) -> Asked {
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
        ) -> Vec<thread::ScopedJoinHandle<'scope, Asked>> {
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

    fn answers_to(text: &[u8]) -> Answers {
        let mut answers = Answers::default();
        text.iter().for_each(|byte| answers.push(&[b'+', *byte, b'\r', b'\n']));
        answers
    }

    #[test]
    fn requests_that_meet_are_one_message_and_each_gets_its_own_answers() {
        let (echo, tell) = Echo::new();
        let texts = ["a", "bc", "", "d"];
        thread::scope(|scope| {
            let all = echo.crowd(scope, &texts);
            (0..=UNDER_WAY).for_each(|_| tell.send(Ok(Answers::default())).unwrap());
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
            (0..UNDER_WAY).for_each(|_| tell.send(Ok(Answers::default())).unwrap());
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

    #[test]
    fn nobody_is_left_asleep() {
        let together = Together::new();
        let work = |thread: u8| {
            for turn in 0..2_000 {
                let text = [thread, b'a' + turn as u8 % 26];
                let answers = together.ask(&text, text.len(), later(), |all, _, _| {
                    // Others fall asleep meanwhile.
                    thread::sleep(Duration::from_micros(u64::from(turn % 7 == 0)));
                    Ok(answers_to(all))
                });
                assert_eq!(answers, Ok(answers_to(&text)));
            }
        };
        let work = &work;
        thread::scope(|scope| (b'a'..b'q').for_each(|it| drop(scope.spawn(move || work(it)))));
    }
}
