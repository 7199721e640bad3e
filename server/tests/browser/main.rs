//! The web UI as people use it: a real Chromium on the real binary, which runs as a child process on
//! free ports with a data folder of its own and gets real StatsD packets.
//!
//! The UI is embedded into the binary when that is compiled: `cargo xtask web` builds it before.
//! Chromium, chromedriver and axe-core are installed by `cargo xtask test`.

#![expect(clippy::unwrap_used, reason = "a test fails by it, and says where")]

mod alerts;
mod axe;
mod browser;
mod chromium;
mod events;
mod every_page;
mod explore;
mod red_and_use;
mod sign_in;
#[expect(dead_code, reason = "the integration tests, whose support this is, use all of it")]
#[path = "../it/support"]
mod support {
    pub(crate) mod answer;
    pub(crate) mod folder;
    pub(crate) mod http;
    pub(crate) mod server;
    pub(crate) mod site;
    pub(crate) mod statsd;
    pub(crate) mod wait;
    pub(crate) mod webhook;

    pub(crate) use answer::Answer;
    pub(crate) use folder::Folder;
    pub(crate) use server::Server;
    pub(crate) use wait::eventually;
}
mod traffic;
mod uptime;
mod webdriver;
