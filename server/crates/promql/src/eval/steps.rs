//! The times at which an expression is evaluated.

use model::Timestamp;

/// Equidistant times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Steps {
    /// The first.
    pub(crate) start: Timestamp,
    /// The distance in milliseconds, positive.
    pub(crate) step: i64,
    /// How many.
    pub(crate) count: usize,
}

impl Steps {
    pub(crate) fn at(&self, index: usize) -> Timestamp {
        self.start.saturating_add(self.step.saturating_mul(index as i64))
    }

    pub(crate) fn end(&self) -> Timestamp {
        self.at(self.count.saturating_sub(1))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Timestamp> + use<> {
        let steps = *self;
        (0..steps.count).map(move |i| steps.at(i))
    }

    /// Only the first.
    pub(crate) fn first(&self) -> Self {
        Self { count: 1, ..*self }
    }
}
