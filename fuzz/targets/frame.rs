//! A flush, as a frame with a right checksum.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tsdb::inspect::{Format, enveloped, read};

fuzz_target!(|data: &[u8]| {
    drop(read(Format::Frame, data));
    drop(read(Format::Frame, &enveloped(Format::Frame, data)));
});
