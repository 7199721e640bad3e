//! The Bellwether process.
fn main() {}
