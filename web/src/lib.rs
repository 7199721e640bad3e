//! The browser UI: Leptos, rendered on the client, compiled to WebAssembly.
//!
//! Deliberately absent: rendering on a server (the status pages are plain HTML made there), business
//! rules (states, verdicts and percentages come from the server as they are shown), and any state
//! that is not in the URL, except for the theme and what the reader is doing right now.
//!
//! Invariants:
//! - One time range holds for a whole page and is part of its URL.
//! - A request that nobody waits for any more is aborted.
//! - Style attributes and inline scripts do not occur: the content security policy forbids them.
//! - State is told by shape and word as well as by color.
//!
//! Entry point: [`start`], called by the browser when the module has loaded. What can be tested
//! without a browser is plain functions: the modules `format`, `legend`, `completion`, `promql`,
//! `url`, `search` and `state::range`.
#![expect(
    unreachable_pub,
    reason = "what the component macro makes is public, whatever the component is"
)]
#![expect(clippy::needless_pass_by_value, reason = "properties of a component are owned by it")]

mod api;
mod app;
mod charts;
mod completion;
mod components;
mod event_query;
mod fetch;
mod format;
mod icons;
mod json;
mod legend;
mod live;
mod pages;
mod prom;
mod promql;
mod search;
mod shell;
mod state;
mod url;
mod views;

use wasm_bindgen::prelude::*;

/// Mounts the application into the element `#app`.
#[cfg_attr(not(test), wasm_bindgen(start))]
pub fn start() {
    console_error_panic_hook::set_once();
    let document = web_sys::window().and_then(|window| window.document());
    if let Some(root) = document.and_then(|document| document.get_element_by_id("app")) {
        root.set_inner_html("");
        leptos::mount::mount_to(root.unchecked_into(), app::App).forget();
    }
}
