//! Opening what everything is kept in: files in the data folder, or a PostgreSQL database.

use db::{Address, Meta, Samples};

use super::folder::{self, DataFolder};
use crate::{
    config::{Config, store::Engine},
    query::blocking,
};

/// Opens both stores. A data folder is needed in any case: what waits to be sent on is there.
///
/// # Errors
/// A database that cannot be opened or reached.
pub(super) async fn open(config: &Config, folder: &DataFolder) -> anyhow::Result<(Samples, Meta)> {
    let folder = folder.path();
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
            folder::make(folder)?;
            Ok(Meta::open(&folder.join("bellwether.db")).await?)
        }
        Engine::Postgres => Ok(Meta::connect(&address(config).await?).await?),
    }
}

async fn address(config: &Config) -> anyhow::Result<Address> {
    let store = config.store.clone();
    blocking(move || store.address()).await.map_err(anyhow::Error::msg)
}
