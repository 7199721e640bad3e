//! Waiting for a condition, with a deadline.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Generous: it only passes when something is broken.
const DEADLINE: Duration = Duration::from_mins(1);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(20);

/// Repeats the attempt until it succeeds; its error says what is still missing.
pub(crate) async fn eventually<T>(
    what: &str,
    mut attempt: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(missing) if Instant::now() > deadline => panic!("{what}: {missing}"),
            Err(_) => sleep(PAUSE).await,
        }
    }
}
