//! The contract of the stores, case by case, on real databases: SQLite files in a temporary folder, and a
//! PostgreSQL server that the tests start.

#![expect(clippy::unwrap_used, reason = "a case that cannot go on fails")]

/// Makes each case a test on SQLite and a test on PostgreSQL.
macro_rules! on_both_engines {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case($crate::stores::Stores::sqlite().await).await;
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case($crate::stores::Stores::postgres().await).await;
                }
            )+
        }
    };
}

mod alerts;
mod checks;
mod damage;
mod days;
mod events;
mod lease;
mod monitors;
mod nodes;
mod outbox;
mod outgoing;
mod people;
mod samples;
mod stores;
mod support;

use stores::Stores;
