//! What the tests share: a folder with settings, the server as a child process, and real things
//! around it.

pub(crate) mod answer;
pub(crate) mod disk;
pub(crate) mod folder;
pub(crate) mod http;
pub(crate) mod mailbox;
pub(crate) mod postgres;
pub(crate) mod prometheus;
pub(crate) mod python;
pub(crate) mod remote_writer;
pub(crate) mod server;
pub(crate) mod site;
pub(crate) mod statsd;
pub(crate) mod unprivileged;
pub(crate) mod wait;
pub(crate) mod webhook;

pub(crate) use answer::Answer;
pub(crate) use folder::Folder;
pub(crate) use server::Server;
pub(crate) use wait::eventually;
