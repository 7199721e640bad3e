//! Service checks: what clients say of services.

use serde::{Deserialize, Serialize};

/// How a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// 0: as it should.
    Ok,
    /// 1: not as it should.
    Warning,
    /// 2: broken.
    Critical,
    /// 3: the client cannot tell, or was not heard of.
    Unknown,
}

impl CheckStatus {
    /// Every status, by number.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Warning, Self::Critical, Self::Unknown];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }

    /// The status with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// The number that clients send and that the metric `service_check_status` has.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// The state of a service check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its identity: a hash of name, host and tags.
    pub id: String,
    /// The check's name.
    pub name: String,
    /// The host it is about; may be empty.
    pub host: String,
    /// Sorted by name.
    pub tags: Vec<(String, String)>,
    /// How the service is.
    pub status: CheckStatus,
    /// Whether nothing was heard for too long; the status is then unknown.
    pub is_stale: bool,
    /// Why, in words; may be empty.
    pub message: String,
    /// Since when it is in this state.
    pub since_ms: i64,
    /// When it was last heard of.
    pub heard_ms: i64,
}

/// Answer of `GET /api/app/checks`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckList {
    /// Those in trouble first, then by name, host and tags.
    pub checks: Vec<Check>,
}

/// A change of a service check's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckTransition {
    /// When.
    pub at_ms: i64,
    /// The status after it.
    pub status: CheckStatus,
    /// Whether it is because nothing was heard.
    pub is_stale: bool,
    /// The message then; may be empty.
    pub message: String,
}

/// Answer of `GET /api/app/checks/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckDetail {
    /// The row of the list.
    pub check: Check,
    /// The newest first.
    pub transitions: Vec<CheckTransition>,
}
