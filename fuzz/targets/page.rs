//! The envelope of a page, with and without a right checksum.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tsdb::inspect::{Format, enveloped, read};

fuzz_target!(|data: &[u8]| {
    drop(read(Format::Page, data));
    drop(read(Format::Page, &enveloped(Format::Page, data)));
});
