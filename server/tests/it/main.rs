//! The whole program, driven from outside: each test starts the real binary on free ports of
//! 127.0.0.1 with a data folder of its own, and uses it as services and people do, with real StatsD
//! clients, a real mail server and real signals.
//!
//! The Python clients and the mail server come from the virtualenv that `cargo xtask test` makes.

#![expect(clippy::unwrap_used, reason = "a test fails by it, and says where")]

mod access;
mod alerts;
mod backup;
mod bad_config;
mod bad_lines;
mod clock;
mod cluster;
mod crashes;
mod damage;
mod data_folder;
mod databases;
mod deletion;
mod durability;
mod events;
mod exemplars;
mod fsync;
mod full_disk;
mod import;
mod live;
mod mappings;
mod mariadb;
mod monitors;
mod own_metrics;
mod postgres;
mod prometheus;
mod prometheus_reads;
mod python_clients;
mod query_api;
mod remote_write;
mod rust_client;
mod support;
mod transports;
