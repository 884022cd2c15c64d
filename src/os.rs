//! What the program needs from the system but the standard library lacks: SIGTERM, SIGINT and
//! SIGHUP as events, and some calls about file descriptors and sockets. The only `unsafe` code of
//! the program, except for one line in `crypto/sha256_hw.rs`.
//!
//! The signals are blocked everywhere and waited for in one place. So no handler interrupts
//! anything, and they work for process 1 of a container, too, where by default a signal is ignored.

#![expect(unsafe_code, reason = "the standard library has no signals, file limits or backlog")]

use std::ffi::{CString, c_char, c_int, c_long, c_short, c_ulong, c_void};
use std::hint::black_box;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The server is to stop, because of the signal with this name.
    Stop(&'static str),
    Reload,
}

const SIGHUP: c_int = 1;
const SIGINT: c_int = 2;
const SIGTERM: c_int = 15;
const SIG_BLOCK: c_int = if cfg!(target_os = "linux") { 0 } else { 1 };
const RLIMIT_NOFILE: c_int = if cfg!(target_os = "linux") { 7 } else { 8 };

/// As large as the largest `sigset_t` of any system with Rust's standard library.
#[repr(C, align(16))]
struct SignalSet([u8; 128]);

/// `rlim_t`: the size of a pointer with glibc, and 64 bits elsewhere.
#[cfg(target_env = "gnu")]
type LimitValue = c_ulong;
#[cfg(not(target_env = "gnu"))]
type LimitValue = u64;

#[repr(C)]
struct Limit {
    soft: LimitValue,
    hard: LimitValue,
}

#[repr(C)]
struct PollFd {
    descriptor: c_int,
    wanted: c_short,
    seen: c_short,
}

/// `nfds_t`.
#[cfg(target_os = "linux")]
type PollCount = c_ulong;
#[cfg(not(target_os = "linux"))]
type PollCount = std::ffi::c_uint;

#[repr(C)]
struct TimeSpec {
    seconds: c_long,
    nanoseconds: c_long,
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
    fn getsockopt(
        socket: c_int,
        level: c_int,
        option: c_int,
        value: *mut c_int,
        size: *mut u32,
    ) -> c_int;
    fn poll(descriptors: *mut PollFd, count: PollCount, timeout: c_int) -> c_int;
    fn umask(mask: ModeMask) -> ModeMask;
    fn access(path: *const c_char, wanted: c_int) -> c_int;
    fn clock_gettime(clock: c_int, time: *mut TimeSpec) -> c_int;
    fn madvise(start: *mut c_void, size: usize, advice: c_int) -> c_int;
    fn tcgetattr(descriptor: c_int, modes: *mut TerminalModes) -> c_int;
    fn tcsetattr(descriptor: c_int, when: c_int, modes: *const TerminalModes) -> c_int;
}

/// `tcflag_t`.
#[cfg(target_os = "linux")]
type ModeFlags = u32;
#[cfg(not(target_os = "linux"))]
type ModeFlags = c_ulong;

/// `struct termios`. Only the local modes are touched; there is room for what follows them.
#[derive(Clone, Copy)]
#[repr(C)]
struct TerminalModes {
    others: [ModeFlags; 3],
    local: ModeFlags,
    rest: [u8; 128],
}

const ECHO: ModeFlags = 0o10;
/// Change after all output is written, and drop what was typed before.
const TCSAFLUSH: c_int = 2;
const STANDARD_INPUT: c_int = 0;

/// The terminal does not echo what is typed, until this is dropped.
pub struct Silence(TerminalModes);

impl Silence {
    pub fn begin() -> io::Result<Silence> {
        let mut modes = TerminalModes { others: [0; 3], local: 0, rest: [0; 128] };
        // SAFETY: the pointer is to a live struct that is at least as large as the system's.
        if unsafe { tcgetattr(STANDARD_INPUT, &mut modes) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let before = Silence(modes);
        modes.local &= !ECHO;
        before.set(&modes)?;
        Ok(before)
    }

    fn set(&self, modes: &TerminalModes) -> io::Result<()> {
        // SAFETY: what `tcgetattr` has read is written back, except for one flag.
        match unsafe { tcsetattr(STANDARD_INPUT, TCSAFLUSH, modes) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = self.set(&self.0);
    }
}

/// `mode_t`.
#[cfg(target_os = "linux")]
type ModeMask = u32;
#[cfg(not(target_os = "linux"))]
type ModeMask = u16;

const SOL_SOCKET: c_int = if cfg!(target_os = "linux") { 1 } else { 0xffff };
const SO_SNDBUF: c_int = if cfg!(target_os = "linux") { 7 } else { 0x1001 };
const SO_ACCEPTCONN: c_int = if cfg!(target_os = "linux") { 30 } else { 2 };
const POLLIN: c_short = 1;
const W_OK: c_int = 2;
const X_OK: c_int = 1;
const MADV_DONTNEED: c_int = 4;
const PAGE: usize = 4096;
/// How much earlier calls may have used, in bytes. A multiple of every size that pages have
/// somewhere, since the system rounds it up to whole pages, and above are frames in use.
const DEEPEST: usize = 64 * 1024;
/// More than a call of the system and a function without large values need.
const MARGIN: usize = 512;
const CLOCK_MONOTONIC: c_int = if cfg!(target_os = "linux") { 1 } else { 6 };
/// The first descriptor that systemd passes (sd_listen_fds(3)).
const FIRST_PASSED: RawFd = 3;
/// How much the system buffers of answers that a client does not read; Linux doubles this for its
/// bookkeeping. Without it, that can be 4 MiB for each connection.
const SEND_BUFFER: c_int = 128 * 1024;

/// The blocked signals.
pub struct Signals(SignalSet);

impl Signals {
    /// Blocks the signals. Threads inherit this, so it must be called before the first is started.
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

    /// Waits for the next signal.
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

/// Asks the system for `wanted` file descriptors, and returns how many there can be now.
pub fn allow_files(wanted: u64) -> u64 {
    let wanted = LimitValue::try_from(wanted).unwrap_or(LimitValue::MAX);
    let mut limit = Limit { soft: 0, hard: 0 };
    // SAFETY: the pointers are to structs of the system's layout, and live.
    let allowed = unsafe {
        if getrlimit(RLIMIT_NOFILE, &mut limit) != 0 || limit.soft >= wanted {
            limit.soft.max(wanted)
        } else {
            // The hard limit is the operator's, so it stays, even if we could raise it.
            let asked = Limit { soft: wanted.min(limit.hard), hard: limit.hard };
            match setrlimit(RLIMIT_NOFILE, &asked) {
                0 => asked.soft,
                _ => limit.soft,
            }
        }
    };
    #[allow(clippy::useless_conversion, reason = "it is shorter on other systems")]
    u64::from(allowed)
}

/// Lets more connections wait to be accepted than the standard library's 128. Otherwise many of a
/// burst of thousands would have to try again after a second.
pub fn widen_backlog(listener: &impl AsFd) {
    // SAFETY: the descriptor is that of a live listener, for which a second listen() is allowed.
    unsafe {
        listen(listener.as_fd().as_raw_fd(), 4096);
    }
}

/// Limits what the system buffers of unread answers, for every connection that this listener
/// accepts.
pub fn bound_send_buffers(listener: &impl AsFd) {
    let size = size_of::<c_int>() as u32;
    // SAFETY: the descriptor is that of a live listener, and the value lives and is `size` long.
    unsafe {
        setsockopt(listener.as_fd().as_raw_fd(), SOL_SOCKET, SO_SNDBUF, &SEND_BUFFER, size);
    }
}

/// Waits until one of them has something to read, a connection to accept, or is at its end.
pub fn wait_for_input(descriptors: [BorrowedFd; 2]) {
    let mut waiting =
        descriptors.map(|it| PollFd { descriptor: it.as_raw_fd(), wanted: POLLIN, seen: 0 });
    // SAFETY: the array lives and is as long as we say. An error shows when it is read.
    unsafe {
        poll(waiting.as_mut_ptr(), 2, -1);
    }
}

/// Frees the pages of this thread's stack that earlier calls have used and no frame uses now. The
/// thread must have 72 KiB of stack below its frames. Does nothing where that is not done like this,
/// and rarely something where pages are larger.
#[inline(never)]
pub fn free_unused_stack() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let here = 0_u8;
    // Whole pages, below what this function and the call itself use.
    let end = (black_box(&raw const here).addr() - MARGIN) / PAGE * PAGE;
    let start = std::ptr::without_provenance_mut(end - DEEPEST);
    // SAFETY: these pages belong to this thread and are below its last frame, where nothing lives.
    // They read as zeros when they are used again, and after an error all is as it was.
    unsafe {
        madvise(start, DEEPEST, MADV_DONTNEED);
    }
}

/// Does something under a umask, which applies to all threads meanwhile.
pub fn with_umask<T>(mask: u32, work: impl FnOnce() -> T) -> T {
    // SAFETY: it takes and gives a number, and cannot fail.
    let before = unsafe { umask(mask as ModeMask) };
    let done = work();
    // SAFETY: as above.
    unsafe { umask(before) };
    done
}

/// Whether this process may create files in the folder.
pub fn may_write(folder: &Path) -> bool {
    let Ok(path) = CString::new(folder.as_os_str().as_bytes()) else { return false };
    // SAFETY: the pointer is to a string that lives and ends with a zero.
    unsafe { access(path.as_ptr(), W_OK | X_OK) == 0 }
}

/// Takes over the `count` descriptors that were passed at the start; an error is the number of one
/// that is not a listening socket. To be called once, before anything else is opened.
pub fn passed_sockets(count: usize) -> Result<Vec<OwnedFd>, RawFd> {
    let descriptors = FIRST_PASSED..FIRST_PASSED + count as RawFd;
    match descriptors.clone().find(|&descriptor| !is_listening(descriptor)) {
        Some(other) => Err(other),
        // SAFETY: they are open, and by the convention for passing them nobody else owns them.
        None => Ok(descriptors.map(|it| unsafe { OwnedFd::from_raw_fd(it) }).collect()),
    }
}

/// Whether it is a listening socket.
fn is_listening(descriptor: RawFd) -> bool {
    let (mut value, mut size) = (0, size_of::<c_int>() as u32);
    // SAFETY: both pointers are to values that live, and the first is `size` long. For a descriptor
    // that is not open or not a socket the call returns an error.
    let known = unsafe { getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &mut value, &mut size) };
    known == 0 && value != 0
}

/// The name of an abstract Unix socket, which is in no folder.
#[cfg(target_os = "linux")]
pub fn abstract_name(address: &SocketAddr) -> Option<&[u8]> {
    std::os::linux::net::SocketAddrExt::as_abstract_name(address)
}

#[cfg(not(target_os = "linux"))]
pub fn abstract_name(_: &SocketAddr) -> Option<&[u8]> {
    None
}

/// The address with that name.
#[cfg(target_os = "linux")]
pub fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
pub fn abstract_address(_: &[u8]) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The clock that systemd compares with, in microseconds.
pub fn monotonic_micros() -> u64 {
    let mut time = TimeSpec { seconds: 0, nanoseconds: 0 };
    // SAFETY: the pointer is to a struct of the system's layout, and lives.
    unsafe {
        clock_gettime(CLOCK_MONOTONIC, &mut time);
    }
    time.seconds as u64 * 1_000_000 + time.nanoseconds as u64 / 1000
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// KiB of this thread's stack that are in memory.
    fn resident() -> usize {
        let here = 0_u8;
        let here = black_box(&raw const here).addr();
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let holds = |line: &str| {
            let (start, rest) = line.split_once('-')?;
            let (start, end) = (start, rest.split_once(' ')?.0);
            let number = |text| usize::from_str_radix(text, 16).ok();
            Some((number(start)?..number(end)?).contains(&here))
        };
        let mut lines = maps.lines().skip_while(|line| holds(line) != Some(true));
        let size = lines.find_map(|line| line.strip_prefix("Rss:")).unwrap();
        size.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[inline(never)]
    fn use_stack(depth: usize) -> usize {
        let own = black_box([depth as u8; 1024]);
        let deeper = if depth > 0 { use_stack(depth - 1) } else { 0 };
        deeper + own.iter().filter(|&&byte| byte == depth as u8).count()
    }

    #[test]
    fn what_earlier_calls_have_used_of_a_stack_is_freed_and_what_is_in_use_is_not() {
        let thread = std::thread::Builder::new().stack_size(256 * 1024);
        let work = || {
            let in_use = black_box([7_u8; 6000]);
            for _ in 0..3 {
                assert_eq!(use_stack(40), 41 * 1024);
                let before = resident();
                free_unused_stack();
                let after = resident();
                assert!(after + 30 <= before, "{before} {after}");
                assert_eq!(in_use, [7; 6000]);
            }
        };
        thread.spawn(work).unwrap().join().unwrap();
    }
}
