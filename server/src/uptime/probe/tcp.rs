//! TCP: can a connection be opened?

use tokio::time::Instant;

use super::{Progress, address};
use crate::uptime::monitor::TcpTarget;

/// Opens a connection and closes it again.
///
/// # Errors
/// Why there is none, in words.
pub(super) async fn probe(
    target: &TcpTarget,
    deadline: Instant,
    progress: &mut Progress,
) -> Result<(), String> {
    address::connect(&target.host, target.port, deadline, progress).await.map(drop)
}
