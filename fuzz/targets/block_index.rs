//! The index of a block with a right checksum, and all that can be asked of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tsdb::inspect::{Format, enveloped, read};

fuzz_target!(|data: &[u8]| {
    drop(read(Format::BlockIndex, data));
    drop(read(Format::BlockIndex, &enveloped(Format::BlockIndex, data)));
});
