//! The last seal of our own store, which a server would make some time after the last sample.

use std::{path::Path, sync::Arc};

use db::Samples;
use tokio::runtime::Runtime;
use tsdb::{Options, Tsdb};

use crate::store::SqlEngine;

/// Seals what a server that has ended left in its frames, and merges blocks that are due at `now_ms`.
pub(crate) fn seal(data: &Path, now_ms: i64) -> anyhow::Result<()> {
    let runtime = Runtime::new()?;
    let samples = runtime.block_on(Samples::open(&data.join("samples.db")))?;
    let engine = SqlEngine::new(samples.clone(), runtime.handle().clone(), Arc::default());
    let (store, _) = Tsdb::open(Arc::new(engine), Options::default())?;
    store.seal()?;
    // Each call does one step of each kind.
    for _ in 0..3 {
        store.maintain(now_ms)?;
    }
    drop(store);
    runtime.block_on(samples.close());
    Ok(())
}
