//! Runs the scripts of `tests/scripts`, which are the specification of the language as we speak it,
//! and checks the engine's limits and its columns against one evaluation per step.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod coverage;
mod differential;
mod equivalence;
mod limits;
mod rollups;
mod scripts;
