//! Any mapping file: it is read or refused with places inside the text, and maps any name.
//!
//! The name is what follows the last line of three dashes.
#![no_main]

use ingest::{Dialect, Mapping, explain};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| {
    let (file, lines) = data.rsplit_once("\n---\n").unwrap_or((data, "a.b.c:1|c"));
    match Mapping::parse(file) {
        Ok(mapping) => {
            let dialect = Dialect { mapping: mapping.into(), ..Dialect::default() };
            for line in lines.lines() {
                let explained = explain(&dialect, line.as_bytes());
                assert!(explained.series.iter().all(|series| !series.labels.is_empty()));
            }
        }
        Err(error) => assert!(!error.problems.is_empty()),
    }
});
