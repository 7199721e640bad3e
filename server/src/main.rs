//! The Bellwether process.
mod config;
fn main() {}
