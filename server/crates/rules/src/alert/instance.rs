//! What is known of an alert, and its identity.

use std::{collections::BTreeMap, fmt, str::FromStr};

use model::{Labels, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::xxh3_128;

use crate::rule::RuleUid;

/// Where an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The condition holds, not yet for long enough.
    Pending,
    /// The condition holds.
    Firing,
    /// The condition no longer holds, and the alert goes on firing for a while.
    Recovering,
    /// Over.
    Resolved,
}

impl State {
    /// The word stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Recovering => "recovering",
            Self::Resolved => "resolved",
        }
    }
}

/// Why a state changed. Displays as a part of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The condition began to hold.
    ConditionHolds,
    /// It held for as long as `for` asks.
    HoldOver,
    /// `for` was raised, and it did not hold for that long.
    HoldRaised,
    /// The condition no longer holds.
    ConditionGone,
    /// The condition holds again.
    ConditionBack,
    /// The condition stayed away for as long as `keep_firing_for` asks.
    KeepFiringOver,
    /// The rule was removed, or is another one now.
    RuleRemoved,
}

impl Reason {
    /// The word stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConditionHolds => "condition_holds",
            Self::HoldOver => "hold_over",
            Self::HoldRaised => "hold_raised",
            Self::ConditionGone => "condition_gone",
            Self::ConditionBack => "condition_back",
            Self::KeepFiringOver => "keep_firing_over",
            Self::RuleRemoved => "rule_removed",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConditionHolds => "the condition began to hold",
            Self::HoldOver => "the condition held long enough",
            Self::HoldRaised => "the hold duration was raised",
            Self::ConditionGone => "the condition no longer holds",
            Self::ConditionBack => "the condition holds again",
            Self::KeepFiringOver => "the condition stayed away long enough",
            Self::RuleRemoved => "the rule was removed or changed its identity",
        })
    }
}

/// One episode of an alert: the whole of what must be stored to go on after a restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its identity.
    pub episode: EpisodeId,
    /// The rule it belongs to.
    pub rule_uid: RuleUid,
    /// The rule's name.
    pub rule: String,
    /// The name of the rule's group.
    pub group: String,
    /// The labels, `alertname` included.
    pub labels: Labels,
    /// The texts of the last evaluation for which the condition held.
    pub annotations: BTreeMap<String, String>,
    /// Where it stands.
    pub state: State,
    /// When the condition began to hold. Moved forward by the time the process was down.
    pub active_at: Timestamp,
    /// When it began to fire.
    pub fired_at: Option<Timestamp>,
    /// When it was over.
    pub resolved_at: Option<Timestamp>,
    /// When the condition last stopped to hold, while the alert goes on firing.
    pub keep_firing_since: Option<Timestamp>,
    /// The value of the last evaluation for which the condition held.
    #[serde(with = "float")]
    pub value: f64,
    /// The last evaluation that looked at it.
    pub last_eval: Timestamp,
}

/// A change of state, kept as history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// The episode.
    pub episode: EpisodeId,
    /// The rule.
    pub rule_uid: RuleUid,
    /// The alert's labels.
    pub labels: Labels,
    /// The state before; `None` at the beginning of an episode.
    pub from: Option<State>,
    /// The state after.
    pub to: State,
    /// When.
    pub at: Timestamp,
    /// The value at that time.
    #[serde(with = "float")]
    pub value: f64,
    /// Why.
    pub reason: Reason,
}

/// The identity of an episode, in the form of a UUID of version 7: the milliseconds at which it
/// began, then a hash of rule, labels and that time. Ids sort by time, and the same episode
/// computed twice has the same id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpisodeId(pub u128);

impl EpisodeId {
    /// The id of the episode of labels with this fingerprint that began at `active_at`.
    pub fn derive(rule: RuleUid, fingerprint: u64, active_at: Timestamp) -> Self {
        let mut bytes = Vec::with_capacity(32);
        bytes.extend_from_slice(&rule.0.to_le_bytes());
        bytes.extend_from_slice(&fingerprint.to_le_bytes());
        bytes.extend_from_slice(&active_at.to_le_bytes());
        let milliseconds = (active_at as u128) & 0xffff_ffff_ffff;
        let hash = xxh3_128(&bytes) & !(0xf000_u128 << 64) & !(0b11_u128 << 62);
        let hash = hash & ((1 << 80) - 1);
        Self(milliseconds << 80 | 0x7000 << 64 | 0b10 << 62 | hash)
    }
}

impl fmt::Display for EpisodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        f.write_str(&parts.join("-"))
    }
}

impl fmt::Debug for EpisodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an episode's identity, expected a UUID")]
pub struct EpisodeIdError(String);

impl FromStr for EpisodeId {
    type Err = EpisodeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || EpisodeIdError(text.to_owned());
        let is_dashed = text.len() == 36
            && text.bytes().enumerate().all(|(i, b)| match i {
                8 | 13 | 18 | 23 => b == b'-',
                _ => b.is_ascii_hexdigit(),
            });
        if !is_dashed {
            return Err(error());
        }
        u128::from_str_radix(&text.replace('-', ""), 16).map(Self).map_err(|_| error())
    }
}

impl Serialize for EpisodeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EpisodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Numbers as JSON cannot write them all: NaN and the infinities are texts.
mod float {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if value.is_finite() {
            serializer.serialize_f64(*value)
        } else {
            serializer.serialize_str(&value.to_string())
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(value) => Ok(value),
            Written::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}
