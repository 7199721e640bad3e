//! What a listener did not take, by place.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why something that reached a listener did not get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Loss {
    /// A datagram or connection from a sender that is not in the allow list.
    NotAllowed,
    /// A connection beyond the limit.
    ConnectionLimit,
    /// A connection closed for a line without an end in 64 KiB.
    LineTooLong,
    /// A connection closed for a framed payload above 64 KiB.
    FrameTooLong,
    /// A connection closed because nothing came for too long.
    IdleTimeout,
    /// A datagram cut at the end of the buffer, or a connection that ended within a line or payload.
    Truncated,
    /// A read or an accept that failed.
    ReadError,
}

impl Loss {
    /// Every reason, in the order of their numbers.
    pub(crate) const ALL: [Self; 7] = [
        Self::NotAllowed,
        Self::ConnectionLimit,
        Self::LineTooLong,
        Self::FrameTooLong,
        Self::IdleTimeout,
        Self::Truncated,
        Self::ReadError,
    ];

    /// What is refused before anything is read.
    pub(crate) const REFUSED: [Self; 2] = [Self::NotAllowed, Self::ConnectionLimit];

    /// Why we close connections.
    pub(crate) const CLOSED: [Self; 3] = [Self::LineTooLong, Self::FrameTooLong, Self::IdleTimeout];

    /// The word used in metrics and in the API; it never changes.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::ConnectionLimit => "connection_limit",
            Self::LineTooLong => "line_too_long",
            Self::FrameTooLong => "frame_too_long",
            Self::IdleTimeout => "idle_timeout",
            Self::Truncated => "truncated",
            Self::ReadError => "read_error",
        }
    }
}

/// A number per [`Loss`], since the start.
#[derive(Debug, Default)]
pub(crate) struct Losses([AtomicU64; Loss::ALL.len()]);

impl Losses {
    /// Counts one; returns how many there were before.
    pub(crate) fn add(&self, loss: Loss) -> u64 {
        self.0[loss as usize].fetch_add(1, Ordering::Relaxed)
    }

    /// The number of one reason.
    pub(crate) fn get(&self, loss: Loss) -> u64 {
        self.0[loss as usize].load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_number_and_a_word_of_its_own() {
        let mut words = std::collections::HashSet::new();
        for (number, loss) in Loss::ALL.into_iter().enumerate() {
            assert_eq!(loss as usize, number, "{loss:?}");
            assert!(words.insert(loss.as_str()), "{loss:?}");
        }
        let losses = Losses::default();
        assert_eq!((losses.add(Loss::IdleTimeout), losses.add(Loss::IdleTimeout)), (0, 1));
        assert_eq!((losses.get(Loss::IdleTimeout), losses.get(Loss::Truncated)), (2, 0));
    }
}
