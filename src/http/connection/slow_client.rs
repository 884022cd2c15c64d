//! What a connection does for a client that reads its answers slowly, and at the end.

use std::time::{Duration, Instant};

use super::{Connection, End, Phase, Service, Transport, Wait};

/// How long the first write of an answer may take before its client counts as slow.
pub(super) const AT_ONCE: Duration = Duration::from_millis(200);
/// How long, and for how many bytes, we go on reading from a connection that we end: closing it with
/// bytes unread would reset it, and the client would lose the last answer (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(2);
pub(super) const LINGER_BYTES: usize = 1024 * 1024;

impl<T: Transport, S: Service, P: Phase> Connection<'_, T, S, P> {
    /// Writes what the client has not taken at once. Its time runs from the first byte that had to
    /// wait until nothing waits any more, however many answers that are.
    #[cold]
    pub(super) fn flush_slowly(&mut self, mut written: usize) -> Result<(), End> {
        let now = Instant::now();
        let first = now.checked_sub(self.at_once()).unwrap_or(now);
        let since = *self.unread.get_or_insert(first);
        if !self.phase.busy(now) {
            return Err(End::Silent);
        }
        while written < self.output.len() {
            let left = self.limits.write_time.saturating_sub(since.elapsed());
            match self.transport.write(left, &self.output[written..]) {
                Ok(n) if n > 0 => written += n,
                _ => return Err(End::Silent),
            }
        }
        Ok(())
    }

    pub(super) fn at_once(&self) -> Duration {
        AT_ONCE.min(self.limits.write_time)
    }

    /// Closes our side, then reads until the client has closed its own. Cold, so that a connection
    /// at rest holds no stack for it.
    #[cold]
    pub(super) fn linger(&mut self) {
        let began = Instant::now();
        self.phase.waits(Wait::Request, began);
        if self.transport.end_writing().is_err() {
            return;
        }
        let mut scrap = [0; 512];
        let mut read = 0;
        // A server that stops waits for everyone, so nobody may take long.
        let patience = if self.phase.draining() { LINGER / 8 } else { LINGER };
        while read < LINGER_BYTES {
            let left = patience.saturating_sub(began.elapsed());
            match self.transport.read(left, &mut scrap) {
                Ok(n) if n > 0 => read += n,
                _ => return,
            }
        }
    }
}
