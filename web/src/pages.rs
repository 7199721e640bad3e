//! One module per page.

pub(crate) mod alert;
pub(crate) mod alerts;
pub(crate) mod events;
pub(crate) mod explore;
pub(crate) mod gate;
pub(crate) mod host;
pub(crate) mod lists;
pub(crate) mod monitor;
pub(crate) mod not_found;
pub(crate) mod overview;
pub(crate) mod runbook;
pub(crate) mod runbooks;
pub(crate) mod service;
pub(crate) mod settings;
pub(crate) mod setup;
pub(crate) mod sign_in;
pub(crate) mod uptime;
