//! What the program needs of the system and the standard library does not have: SIGTERM, SIGINT
//! and SIGHUP as events, and a word on file descriptors. The only `unsafe` code of the program, but
//! for the one line in `crypto/sha256_hw.rs`.
//!
//! The signals are blocked everywhere and waited for in one place. So no handler interrupts
//! anything, and it works as process 1 of a container, where the default action of a signal is to
//! be ignored.

#![expect(unsafe_code, reason = "the standard library has no signals, file limits or backlog")]

use std::ffi::c_int;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// By the signal of this name.
    Stop(&'static str),
    Reload,
}

const SIGHUP: c_int = 1;
const SIGINT: c_int = 2;
const SIGTERM: c_int = 15;
const SIG_BLOCK: c_int = if cfg!(target_os = "linux") { 0 } else { 1 };
const RLIMIT_NOFILE: c_int = if cfg!(target_os = "linux") { 7 } else { 8 };

/// As large as the largest `sigset_t` of the systems with Rust's standard library.
#[repr(C, align(16))]
struct SignalSet([u8; 128]);

#[repr(C)]
struct Limit {
    soft: u64,
    hard: u64,
}

unsafe extern "C" {
    fn sigemptyset(set: *mut SignalSet) -> c_int;
    fn sigaddset(set: *mut SignalSet, signal: c_int) -> c_int;
    fn pthread_sigmask(how: c_int, set: *const SignalSet, before: *mut SignalSet) -> c_int;
    fn sigwait(set: *const SignalSet, signal: *mut c_int) -> c_int;
    fn getrlimit(resource: c_int, limit: *mut Limit) -> c_int;
    fn setrlimit(resource: c_int, limit: *const Limit) -> c_int;
    fn listen(socket: c_int, backlog: c_int) -> c_int;
    fn setsockopt(
        socket: c_int,
        level: c_int,
        option: c_int,
        value: *const c_int,
        size: u32,
    ) -> c_int;
}

const SOL_SOCKET: c_int = if cfg!(target_os = "linux") { 1 } else { 0xffff };
const SO_SNDBUF: c_int = if cfg!(target_os = "linux") { 7 } else { 0x1001 };
/// What the system holds of answers that a client does not read; Linux doubles it for its own
/// bookkeeping. Without this it is up to 4 MiB for each connection.
const SEND_BUFFER: c_int = 128 * 1024;

/// The blocked signals.
pub struct Signals(SignalSet);

impl Signals {
    /// Blocks the signals. Threads inherit this, so it comes before the first of them.
    pub fn block() -> Signals {
        let mut set = SignalSet([0; 128]);
        // SAFETY: `set` is as large as any sigset_t, and lives through these calls.
        unsafe {
            sigemptyset(&mut set);
            for signal in [SIGHUP, SIGINT, SIGTERM] {
                sigaddset(&mut set, signal);
            }
            pthread_sigmask(SIG_BLOCK, &set, std::ptr::null_mut());
        }
        Signals(set)
    }

    /// Waits for the next of them.
    pub fn wait(&self) -> Event {
        let mut signal = 0;
        // SAFETY: both pointers are to values that live through the call.
        while unsafe { sigwait(&self.0, &mut signal) } != 0 {}
        match signal {
            SIGHUP => Event::Reload,
            SIGINT => Event::Stop("SIGINT"),
            _ => Event::Stop("SIGTERM"),
        }
    }
}

/// Asks for room for `wanted` file descriptors; how many there can be now.
pub fn allow_files(wanted: u64) -> u64 {
    let mut limit = Limit { soft: 0, hard: 0 };
    // SAFETY: the pointers are to a struct of the layout that 64-bit systems use, and live.
    unsafe {
        if getrlimit(RLIMIT_NOFILE, &mut limit) != 0 {
            return wanted;
        }
        if limit.soft >= wanted {
            return limit.soft;
        }
        // The hard limit is what an operator has set, so it stays, even where we could raise it.
        let asked = Limit { soft: wanted.min(limit.hard), hard: limit.hard };
        match setrlimit(RLIMIT_NOFILE, &asked) {
            0 => asked.soft,
            _ => limit.soft,
        }
    }
}

/// Lets more connections wait to be accepted than the 128 of the standard library: a burst of
/// thousands is otherwise told to try again in a second.
pub fn widen_backlog(listener: &std::net::TcpListener) {
    use std::os::fd::AsRawFd;
    // SAFETY: the descriptor is that of a live listener, for which a second listen() is allowed.
    unsafe {
        listen(listener.as_raw_fd(), 4096);
    }
}

/// Bounds what the system holds of unread answers, for every connection that this listener takes.
pub fn bound_send_buffers(listener: &std::net::TcpListener) {
    use std::os::fd::AsRawFd;
    let size = size_of::<c_int>() as u32;
    // SAFETY: the descriptor is that of a live listener, and the value lives and is `size` long.
    unsafe {
        setsockopt(listener.as_raw_fd(), SOL_SOCKET, SO_SNDBUF, &SEND_BUFFER, size);
    }
}
