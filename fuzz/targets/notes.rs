//! What the store remembers besides samples, with a right checksum.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tsdb::inspect::{Format, enveloped, read};

fuzz_target!(|data: &[u8]| {
    drop(read(Format::Notes, data));
    drop(read(Format::Notes, &enveloped(Format::Notes, data)));
});
