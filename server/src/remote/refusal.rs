//! Why parts of a request were refused, counted by reason, with the first one in words.

use std::fmt::Write as _;

/// Why samples of a request were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The labels of their series are not as the protocol wants them.
    BadLabels,
    /// A native histogram that makes no sense or has an unknown schema.
    BadHistogram,
    /// Remote writers have as many series as they may.
    TooManySeries,
    /// Further back than the store takes.
    TooOld,
    /// Further ahead than the store takes.
    TooNew,
}

impl Reason {
    /// All of them, in the order of the books.
    pub(crate) const ALL: [Self; 5] =
        [Self::BadLabels, Self::BadHistogram, Self::TooManySeries, Self::TooOld, Self::TooNew];

    /// The reason as a label value.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BadLabels => "bad_labels",
            Self::BadHistogram => "bad_histogram",
            Self::TooManySeries => "too_many_series",
            Self::TooOld => "too_old",
            Self::TooNew => "too_new",
        }
    }
}

/// What was refused of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refusals {
    counts: [u64; Reason::ALL.len()],
    /// The first refusal, with the series.
    first: Option<String>,
}

impl Refusals {
    /// Notes samples; `describe` is asked only for the first.
    pub(crate) fn note(&mut self, reason: Reason, samples: u64, describe: impl FnOnce() -> String) {
        if samples > 0 {
            self.counts[reason as usize] += samples;
            self.first.get_or_insert_with(describe);
        }
    }

    /// How many samples were refused for a reason.
    pub(crate) fn count(&self, reason: Reason) -> u64 {
        self.counts[reason as usize]
    }

    /// How many samples were refused.
    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of it in one sentence, for the sender's log.
    pub(crate) fn describe(&self, written: u64) -> String {
        let mut text = format!("{} samples were refused (", self.total());
        let counted = Reason::ALL.iter().filter(|reason| self.count(**reason) > 0);
        for (at, reason) in counted.enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            // Writing to a text never fails.
            let _ = write!(text, "{comma}{} {}", self.count(*reason), reason.as_str());
        }
        let first = self.first.as_deref().unwrap_or_default();
        let _ = write!(text, ") and {written} written; the first: {first}");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_by_reason_with_the_first_one() {
        let mut refusals = Refusals::default();
        refusals.note(Reason::TooOld, 0, || unreachable!("nothing was refused"));
        refusals.note(Reason::TooOld, 2, || "m: it is old".to_owned());
        refusals.note(Reason::BadLabels, 1, || unreachable!("only the first is told"));
        assert_eq!(
            refusals.describe(7),
            "3 samples were refused (1 bad_labels, 2 too_old) and 7 written; the first: m: it is old"
        );
    }
}
