//! The crate as the server uses it: datagrams in, flushed samples out.

mod conformance;
mod shipped_mappings;
mod support;
