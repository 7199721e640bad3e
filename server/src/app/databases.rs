//! Opening what everything is kept in: files in the data folder, or a PostgreSQL database.

use std::{os::unix::fs::DirBuilderExt as _, path::Path};

use anyhow::Context as _;
use db::{Address, Meta, Samples};

use crate::{
    config::{Config, store::Engine},
    query::blocking,
};

/// Opens both stores. The data folder is made in any case: what waits to be sent on is there.
///
/// # Errors
/// A folder that cannot be made, a database that cannot be opened or reached.
pub(super) async fn open(config: &Config) -> anyhow::Result<(Samples, Meta)> {
    let folder = &config.server.data_dir;
    make_folder(folder)?;
    match config.store.engine {
        Engine::Sqlite => Ok((
            Samples::open(&folder.join("samples.db")).await?,
            Meta::open(&folder.join("bellwether.db")).await?,
        )),
        Engine::Postgres => {
            let address = address(config).await?;
            Ok((Samples::connect(&address).await?, Meta::connect(&address).await?))
        }
    }
}

/// Opens what holds accounts and tokens, beside a server that may run on it.
///
/// # Errors
/// A folder that cannot be made, a database that cannot be opened or reached.
pub(crate) async fn open_meta(config: &Config) -> anyhow::Result<Meta> {
    match config.store.engine {
        Engine::Sqlite => {
            let folder = &config.server.data_dir;
            make_folder(folder)?;
            Ok(Meta::open(&folder.join("bellwether.db")).await?)
        }
        Engine::Postgres => Ok(Meta::connect(&address(config).await?).await?),
    }
}

async fn address(config: &Config) -> anyhow::Result<Address> {
    let store = config.store.clone();
    blocking(move || store.address()).await.map_err(anyhow::Error::msg)
}

/// Only its owner may look in: the databases hold password hashes and whatever labels tell.
fn make_folder(folder: &Path) -> anyhow::Result<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| {
        format!(
            "cannot make the data folder {}; choose another with --data or server.data_dir",
            folder.display()
        )
    })
}
