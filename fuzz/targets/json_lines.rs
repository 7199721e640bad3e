//! Any bytes as lines of JSON: samples or a refusal for each line, in bounded memory.
#![no_main]

#[path = "../common/tally.rs"]
mod tally;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut tally = tally::Tally::default();
    let mut before = 0;
    import::read_json_lines(&mut &*data, &mut tally, &mut |_, bytes| {
        assert!(bytes > before, "it goes on");
        before = bytes;
    })
    .expect("bytes can be read, and the tally takes everything");
    // The shortest sample is `0,` twice.
    assert!(tally.samples + tally.skipped <= data.len() as u64);
    assert!(tally.refused <= data.len() as u64);
});
