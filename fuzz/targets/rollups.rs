//! The windows of a series.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tsdb::inspect::{Format, enveloped, read};

fuzz_target!(|data: &[u8]| {
    drop(read(Format::Rollups, data));
    drop(read(Format::Rollups, &enveloped(Format::Rollups, data)));
});
