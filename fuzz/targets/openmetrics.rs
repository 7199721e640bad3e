//! Any bytes as OpenMetrics text: a sample, a refusal or nothing for each line, in bounded memory.
#![no_main]

#[path = "../common/tally.rs"]
mod tally;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut tally = tally::Tally::default();
    import::read_openmetrics(&mut &*data, &mut tally, &mut |_, _| ())
        .expect("bytes can be read, and the tally takes everything");
    let lines = data.split(|&byte| byte == b'\n').count() as u64;
    assert!(tally.samples + tally.refused + tally.described <= lines);
});
