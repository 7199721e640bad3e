//! The contract of the stores, case by case, on a real database in a temporary folder.

mod alerts;
mod checks;
mod events;
mod monitors;
mod outbox;
mod outgoing;
mod people;
mod samples;

use db::{Meta, Samples};
use tempfile::TempDir;

/// Both stores in a folder that vanishes with the test.
struct Stores {
    folder: TempDir,
    samples: Samples,
    meta: Meta,
}

async fn open() -> Stores {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let samples = Samples::open(&folder.path().join("samples.db")).await.expect("opens");
    let meta = Meta::open(&folder.path().join("meta.db")).await.expect("opens");
    Stores { folder, samples, meta }
}

impl Stores {
    /// Closes and opens everything, as a restart would.
    async fn reopen(self) -> Self {
        self.samples.close().await;
        self.meta.close().await;
        let samples = Samples::open(&self.folder.path().join("samples.db")).await.expect("opens");
        let meta = Meta::open(&self.folder.path().join("meta.db")).await.expect("opens");
        Self { folder: self.folder, samples, meta }
    }
}
