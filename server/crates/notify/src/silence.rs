//! Silences: what people muted, by matchers and for a time.

use model::{Labels, Matcher, Timestamp};
use uuid::Uuid;

/// A silence. It mutes from `starts_at` (included) to `ends_at` (excluded).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Its identity.
    pub id: Uuid,
    /// Sets of matchers: it applies where all matchers of any one set hold. A set without matchers
    /// never holds.
    pub matcher_sets: Vec<Vec<Matcher>>,
    /// From when on it mutes.
    pub starts_at: Timestamp,
    /// When it no longer mutes.
    pub ends_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// The last change; the latest of two versions wins.
    pub updated_at: Timestamp,
}

/// Where a silence stands in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilenceState {
    /// Begins later.
    Pending,
    /// Mutes now.
    Active,
    /// Over.
    Expired,
}

impl Silence {
    /// Where it stands at `now`.
    pub fn state(&self, now: Timestamp) -> SilenceState {
        if now < self.starts_at {
            SilenceState::Pending
        } else if now < self.ends_at {
            SilenceState::Active
        } else {
            SilenceState::Expired
        }
    }

    /// Whether the labels are those it is about, at any time.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matcher_sets.iter().any(|matchers| {
            !matchers.is_empty() && matchers.iter().all(|matcher| matcher.matches_labels(labels))
        })
    }

    /// Whether it mutes the labels at `now`.
    pub fn mutes(&self, labels: &Labels, now: Timestamp) -> bool {
        self.state(now) == SilenceState::Active && self.matches(labels)
    }
}

/// The silence that mutes the labels longest, among those that mute them at `now`.
pub fn muting<'a>(silences: &'a [Silence], labels: &Labels, now: Timestamp) -> Option<&'a Silence> {
    silences
        .iter()
        .filter(|silence| silence.mutes(labels, now))
        .max_by_key(|silence| (silence.ends_at, silence.id))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::matchers;

    pub(crate) fn silence(matcher_text: &str, starts_at: Timestamp, ends_at: Timestamp) -> Silence {
        Silence {
            id: Uuid::from_u64_pair(starts_at as u64, ends_at as u64),
            matcher_sets: vec![matchers::parse(matcher_text).unwrap()],
            starts_at,
            ends_at,
            created_by: "ann".to_owned(),
            comment: "deploy".to_owned(),
            updated_at: starts_at,
        }
    }

    #[test]
    fn a_silence_mutes_its_labels_for_its_time() {
        let labels = Labels::from_pairs([("alertname", "x"), ("job", "api")]);
        for (name, text, now, expected) in [
            ("start is included", "job=api", 10, true),
            ("before the start", "job=api", 9, false),
            ("end is excluded", "job=api", 20, false),
            ("all matchers of a set", "job=api,alertname=y", 10, false),
            ("a missing label is empty", "team=\"\"", 10, true),
            ("no matcher mutes nothing", "", 10, false),
        ] {
            assert_eq!(silence(text, 10, 20).mutes(&labels, now), expected, "{name}");
        }
        let mut either = silence("job=web", 10, 20);
        either.matcher_sets.push(matchers::parse("job=api").unwrap());
        assert!(either.mutes(&labels, 10));
    }

    #[test]
    fn the_longest_silence_is_named() {
        let labels = Labels::from_pairs([("job", "api")]);
        let silences =
            [silence("job=api", 10, 20), silence("job=api", 10, 30), silence("job=web", 10, 40)];
        assert_eq!(muting(&silences, &labels, 15).map(|s| s.ends_at), Some(30));
        assert_eq!(muting(&silences, &labels, 30), None);
    }
}
