//! Numbers that JSON has no word for.

use serde::{Deserialize, Deserializer};

/// Reads `null` as NaN, which is how JSON writers put a number that is none.
pub(crate) fn or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}
