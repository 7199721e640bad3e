//! The samples of a series.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tsdb::inspect::{Format, enveloped, read};

fuzz_target!(|data: &[u8]| {
    drop(read(Format::Chunk, data));
    drop(read(Format::Chunk, &enveloped(Format::Chunk, data)));
});
