//! The one error shape of `/api/app`.

use serde::{Deserialize, Serialize};

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// A stable word in snake case, such as `wrong_password`.
    pub code: String,
    /// A sentence for people, with the remedy.
    pub message: String,
}
