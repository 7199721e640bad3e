//! Why a line or a series was refused: stable words for the label of a metric.

/// Why something that arrived is not in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    /// No name before the first `:`.
    MissingName,
    /// No value: no `:`, or nothing but separators after it.
    MissingValue,
    /// No `|` after the value.
    MissingType,
    /// A type that no dialect knows.
    UnknownType,
    /// The value is not a decimal number.
    BadValue,
    /// The value is NaN or infinite, or too large for a double.
    NotFinite,
    /// The sample rate is zero, negative, above one, absurdly small or not a number.
    BadRate,
    /// The timestamp is not a whole number of seconds from 1.
    BadTimestamp,
    /// The name is longer than [`crate::line::MAX_NAME_BYTES`].
    NameTooLong,
    /// More tags than [`crate::line::MAX_TAGS`].
    TooManyTags,
    /// A tag's key or value is longer than [`crate::line::MAX_TAG_BYTES`].
    TagTooLong,
    /// An event whose lengths or fields do not fit.
    BadEvent,
    /// A service check without a name or with a status outside 0 to 3.
    BadServiceCheck,
    /// The last line of a datagram that was cut at the end of the buffer.
    Truncated,
    /// A rule of the mapping file says `action: drop`.
    MappingDrop,
    /// The shard's cache is full of contexts in use, or the source has used up its part of it.
    ContextLimit,
    /// As many series as allowed are live.
    SeriesLimit,
    /// The source has as many live series as one source may have.
    SourceSeriesLimit,
    /// The metric's name is in use with another type.
    TypeConflict,
    /// A timestamp further in the past than the store takes.
    TooOld,
    /// A timestamp too far in the future.
    TooNew,
    /// More samples with a timestamp than a window holds.
    TimestampedLimit,
}

impl Reason {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 22] = [
        Self::MissingName,
        Self::MissingValue,
        Self::MissingType,
        Self::UnknownType,
        Self::BadValue,
        Self::NotFinite,
        Self::BadRate,
        Self::BadTimestamp,
        Self::NameTooLong,
        Self::TooManyTags,
        Self::TagTooLong,
        Self::BadEvent,
        Self::BadServiceCheck,
        Self::Truncated,
        Self::MappingDrop,
        Self::ContextLimit,
        Self::SeriesLimit,
        Self::SourceSeriesLimit,
        Self::TypeConflict,
        Self::TooOld,
        Self::TooNew,
        Self::TimestampedLimit,
    ];

    /// The word used in metrics and in the API; it never changes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingName => "missing_name",
            Self::MissingValue => "missing_value",
            Self::MissingType => "missing_type",
            Self::UnknownType => "unknown_type",
            Self::BadValue => "bad_value",
            Self::NotFinite => "not_finite",
            Self::BadRate => "bad_rate",
            Self::BadTimestamp => "bad_timestamp",
            Self::NameTooLong => "name_too_long",
            Self::TooManyTags => "too_many_tags",
            Self::TagTooLong => "tag_too_long",
            Self::BadEvent => "bad_event",
            Self::BadServiceCheck => "bad_service_check",
            Self::Truncated => "truncated",
            Self::MappingDrop => "mapping_drop",
            Self::ContextLimit => "context_limit",
            Self::SeriesLimit => "series_limit",
            Self::SourceSeriesLimit => "source_series_limit",
            Self::TypeConflict => "type_conflict",
            Self::TooOld => "too_old",
            Self::TooNew => "too_new",
            Self::TimestampedLimit => "timestamped_limit",
        }
    }
}

/// A number per [`Reason`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReasonCounts([u64; Reason::ALL.len()]);

impl ReasonCounts {
    /// Adds to one reason.
    pub fn add(&mut self, reason: Reason, count: u64) {
        self.0[reason as usize] += count;
    }

    /// The number of one reason.
    pub fn get(&self, reason: Reason) -> u64 {
        self.0[reason as usize]
    }

    /// Adds all numbers of another.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }

    /// The sum over all reasons.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The reasons that occurred, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_number_and_a_word_of_its_own() {
        let mut words = std::collections::HashSet::new();
        for (number, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number, "{reason:?}");
            assert!(words.insert(reason.as_str()), "{reason:?}");
        }
    }

    #[test]
    fn counts_are_kept_apart_and_added() {
        let mut counts = ReasonCounts::default();
        counts.add(Reason::BadRate, 2);
        let mut other = ReasonCounts::default();
        other.add(Reason::BadRate, 1);
        other.add(Reason::TooOld, 4);
        counts.merge(&other);
        assert_eq!(counts.iter().collect::<Vec<_>>(), [(Reason::BadRate, 3), (Reason::TooOld, 4)]);
        assert_eq!(counts.total(), 7);
        assert_eq!(counts.get(Reason::BadValue), 0);
    }
}
