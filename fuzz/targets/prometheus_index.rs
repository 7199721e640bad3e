//! Any bytes as the index of a Prometheus block: series or an error, in bounded memory. Checksums are put
//! right before, or nothing behind them would be reached.
#![no_main]

#[path = "../../server/src/import/prometheus/bytes.rs"]
mod bytes;
#[path = "../../server/src/import/prometheus/index.rs"]
mod index;

use libfuzzer_sys::fuzz_target;

/// An index of a table of texts and one series made of any bytes.
fn index_of(symbols: &[u8], series: &[u8]) -> Vec<u8> {
    let mut bytes = 0xBAAA_D700_u32.to_be_bytes().to_vec();
    bytes.push(2);
    let symbols_at = bytes.len() as u64;
    bytes.extend((symbols.len() as u32).to_be_bytes());
    bytes.extend(symbols);
    bytes.extend(bytes::crc32c(symbols).to_be_bytes());
    bytes.resize(bytes.len().next_multiple_of(16), 0);
    let series_at = bytes.len() as u64;
    let mut length = series.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(series);
    bytes.extend(bytes::crc32c(series).to_be_bytes());
    let mut contents = Vec::new();
    for place in [symbols_at, series_at, bytes.len() as u64, 0, 0, 0] {
        contents.extend(place.to_be_bytes());
    }
    bytes.extend(&contents);
    bytes.extend(bytes::crc32c(&contents).to_be_bytes());
    bytes
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let path = std::env::temp_dir().join(format!("bellwether-fuzz-index-{}", std::process::id()));
    let index = if choice & 1 == 0 {
        body.to_vec()
    } else {
        let (symbols, series) = body.split_at(body.len() * usize::from(choice >> 1) / 127);
        index_of(symbols, series)
    };
    std::fs::write(&path, index).unwrap();
    if let Ok(mut index) = index::Index::open(&path) {
        let mut last = index.position();
        while let Ok(Some((labels, chunks))) = index.next_series() {
            assert!(labels.iter().count() + chunks.len() <= data.len() + 1);
            assert!(index.position() > last, "it goes on");
            last = index.position();
        }
    }
});
