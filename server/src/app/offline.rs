//! The samples of a data folder without a server.

use std::sync::Arc;

use anyhow::bail;
use db::Samples;
use tokio::runtime::Handle;
use tsdb::Tsdb;

use super::{folder::DataFolder, store};
use crate::config::{Config, store::Engine};

/// The samples of a data folder that no server runs on.
#[derive(Debug)]
pub(crate) struct Offline {
    pub(crate) store: Arc<Tsdb>,
    samples: Samples,
    _folder: DataFolder,
}

impl Offline {
    /// Closes the database.
    pub(crate) async fn close(self) {
        self.samples.close().await;
    }
}

/// Opens the samples of a folder without a server, to change them.
///
/// # Errors
/// When a server runs on the folder, when the samples are in PostgreSQL, where no file says whether one
/// runs, or when the database cannot be opened.
pub(crate) async fn open_offline(config: &Config) -> anyhow::Result<Offline> {
    let folder = DataFolder::claim(&config.server.data_dir)?;
    folder.expect_whole()?;
    if config.store.engine == Engine::Postgres {
        bail!(
            "the samples are in a PostgreSQL database, which other servers may use; send lines to one that \
             runs: POST /api/v1/import"
        );
    }
    let samples = Samples::open(&folder.path().join("samples.db")).await?;
    let (store, _) =
        store::open(config, None, &samples, &Handle::current(), Arc::default()).await?;
    Ok(Offline { store, samples, _folder: folder })
}
