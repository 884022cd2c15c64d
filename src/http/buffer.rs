//! The bytes that have arrived on a connection, in their order.

use std::io;
use std::ops::Range;

/// What a connection at rest has: enough for the requests of OAuth clients.
pub const RESTING: usize = 1024;
/// What a buffer grows to once that is full.
const GROWN: usize = 16 * 1024;

/// What has arrived, and room for more.
pub struct Buffer {
    /// Here, and with it on the stack of the connection's thread, which has a page for it anyway:
    /// there can be thousands of connections at rest.
    small: [u8; RESTING],
    /// In place of `small` once that was full; empty before. Its length is all that it can hold.
    large: Vec<u8>,
    filled: usize,
}

impl Buffer {
    /// An empty one, which takes no memory of the heap.
    pub fn new() -> Buffer {
        Buffer { small: [0; RESTING], large: Vec::new(), filled: 0 }
    }

    /// What has arrived and was not removed.
    pub fn bytes(&self) -> &[u8] {
        match self.large.is_empty() {
            true => &self.small[..self.filled],
            false => &self.large[..self.filled],
        }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let filled = self.filled;
        &mut self.all()[..filled]
    }

    pub fn len(&self) -> usize {
        self.filled
    }

    pub fn is_full(&self) -> bool {
        self.filled == self.size()
    }

    /// How much it can hold without growing.
    pub fn size(&self) -> usize {
        RESTING.max(self.large.len())
    }

    /// Takes in what `read` writes into the free part and says the length of. A full buffer grows
    /// first, to `most` bytes at most.
    pub fn fill(
        &mut self,
        most: usize,
        read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if self.is_full() {
            self.grow(most);
        }
        let filled = self.filled;
        let count = read(&mut self.all()[filled..])?;
        self.filled += count;
        Ok(count)
    }

    /// Takes `range` out; what stands behind it moves up.
    pub fn remove(&mut self, range: Range<usize>) {
        // Before most reads there is nothing to take out, and all would be moved to where it is.
        if range.is_empty() {
            return;
        }
        self.bytes_mut().copy_within(range.end.., range.start);
        self.filled -= range.len();
    }

    /// Forgets everything, and frees the memory of a large request.
    pub fn rest(&mut self) {
        self.large = Vec::new();
        self.filled = 0;
    }

    fn all(&mut self) -> &mut [u8] {
        match self.large.is_empty() {
            true => &mut self.small,
            false => &mut self.large,
        }
    }

    /// Not inlined, since it is rare.
    #[cold]
    fn grow(&mut self, most: usize) {
        let size = GROWN.max(2 * self.filled).min(most);
        let mut large = Vec::with_capacity(size);
        large.extend_from_slice(self.bytes());
        large.resize(size, 0);
        self.large = large;
    }
}

#[cfg(test)]
impl Buffer {
    /// Takes in `bytes`, however many they are.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            self.fill(usize::MAX, |room| io::Read::read(&mut bytes, room)).unwrap();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_in_their_order_while_it_grows_and_shrinks() {
        let bytes: Vec<u8> = (0..40_000).map(|i| (i % 251) as u8).collect();
        let mut buffer = Buffer::new();
        for (count, size) in [
            (0, RESTING),
            (RESTING - 1, RESTING),
            (RESTING, RESTING),
            (RESTING + 1, GROWN),
            (40_000, 64 * 1024),
        ] {
            buffer.push(&bytes[buffer.len()..count]);
            assert!(buffer.bytes() == &bytes[..count] && buffer.size() == size, "{count}");
        }
        buffer.remove(1..39_998);
        assert_eq!(buffer.bytes(), [bytes[0], bytes[39_998], bytes[39_999]]);
        buffer.rest();
        assert_eq!((buffer.bytes(), buffer.size()), (&[][..], RESTING));
    }

    #[test]
    fn a_full_buffer_grows_to_its_bound() {
        let mut buffer = Buffer::new();
        for most in [RESTING + 1, GROWN + 1] {
            while buffer.len() < most {
                buffer.fill(most, |room| Ok(room.len())).unwrap();
            }
            assert_eq!(buffer.size(), most);
        }
    }

    #[test]
    fn a_failed_read_changes_nothing() {
        let mut buffer = Buffer::new();
        buffer.push(b"GET");
        let failed = buffer.fill(usize::MAX, |_| Err(io::ErrorKind::TimedOut.into()));
        assert_eq!((failed.is_err(), buffer.bytes()), (true, &b"GET"[..]));
    }
}
