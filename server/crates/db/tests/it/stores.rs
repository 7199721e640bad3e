//! The stores that a case gets, empty.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use db::{Address, Lease, Meta, Samples, Takeover};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::support::postgres::Postgres;

pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// One server for all cases; each has a database of its own.
static SERVER: OnceCell<Postgres> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Where both stores are.
enum Place {
    /// A folder that vanishes with the test.
    Folder(TempDir),
    Database(Box<Address>),
}

/// Both stores.
pub(crate) struct Stores {
    place: Place,
    pub(crate) samples: Samples,
    pub(crate) meta: Meta,
    /// Held by these stores, as by the last process that was started.
    pub(crate) lease: Lease,
}

impl Stores {
    /// In files.
    pub(crate) async fn sqlite() -> Self {
        Self::open(Place::Folder(tempfile::tempdir().expect("a temporary folder"))).await
    }

    /// In one database.
    pub(crate) async fn postgres() -> Self {
        Self::open(Place::Database(Box::new(database().await))).await
    }

    async fn open(place: Place) -> Self {
        let (samples, meta) = match &place {
            Place::Folder(folder) => (
                Samples::open(&folder.path().join("samples.db")).await.expect("opens"),
                Meta::open(&folder.path().join("meta.db")).await.expect("opens"),
            ),
            Place::Database(address) => (
                Samples::connect(address).await.expect("connects"),
                Meta::connect(address).await.expect("connects"),
            ),
        };
        let taken = meta.take_leases(&["cases"], "a", HOUR, Takeover::AtOnce).await.expect("takes");
        let lease = taken.into_iter().next().expect("taken at once").lease;
        Self { place, samples, meta, lease }
    }

    /// Whether each store has a file of its own.
    pub(crate) fn is_in_files(&self) -> bool {
        matches!(self.place, Place::Folder(_))
    }

    /// Closes and opens everything, as a restart would.
    pub(crate) async fn reopen(self) -> Self {
        self.samples.close().await;
        self.meta.close().await;
        Self::open(self.place).await
    }
}

/// A new database on the server.
pub(crate) async fn database() -> Address {
    let server = SERVER.get_or_init(Postgres::start).await;
    let name = format!("case_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let url = server.create_database(&name).await;
    let password = std::fs::read_to_string(server.password_file()).expect("a password");
    Address::try_new(&url, Some(&password)).expect("an address")
}
