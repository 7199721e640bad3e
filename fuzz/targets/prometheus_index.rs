//! Any bytes as the index of a Prometheus block: series or an error, in bounded memory. Checksums are put
//! right before, or nothing behind them would be reached.
#![no_main]

#[path = "../common/tally.rs"]
mod tally;

use std::io::Cursor;

use crc::{CRC_32_ISCSI, Crc};
use import::{BlockFiles, read_block};
use libfuzzer_sys::fuzz_target;

const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// An index of a table of texts and one series made of any bytes.
fn index_of(symbols: &[u8], series: &[u8]) -> Vec<u8> {
    let mut bytes = 0xBAAA_D700_u32.to_be_bytes().to_vec();
    bytes.push(2);
    let symbols_at = bytes.len() as u64;
    bytes.extend((symbols.len() as u32).to_be_bytes());
    bytes.extend(symbols);
    bytes.extend(CRC32C.checksum(symbols).to_be_bytes());
    bytes.resize(bytes.len().next_multiple_of(16), 0);
    let series_at = bytes.len() as u64;
    let mut length = series.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(series);
    bytes.extend(CRC32C.checksum(series).to_be_bytes());
    let mut contents = Vec::new();
    for place in [symbols_at, series_at, bytes.len() as u64, 0, 0, 0] {
        contents.extend(place.to_be_bytes());
    }
    bytes.extend(&contents);
    bytes.extend(CRC32C.checksum(&contents).to_be_bytes());
    bytes
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let index = if choice & 1 == 0 {
        body.to_vec()
    } else {
        let (symbols, series) = body.split_at(body.len() * usize::from(choice >> 1) / 127);
        index_of(symbols, series)
    };
    let files = BlockFiles {
        name: "block".to_owned(),
        index: Cursor::new(index),
        chunks: Vec::new(),
        tombstones: None,
    };
    let (mut tally, mut last) = (tally::Tally::default(), 0);
    // An error ends it; what came before it was taken.
    let _ended = read_block(files, &mut tally, &mut |_, position| {
        assert!(position > last, "it goes on");
        last = position;
    });
    // There are no chunks, so each is refused.
    assert_eq!(tally.samples + tally.histograms, 0);
    assert!(tally.refused <= data.len() as u64);
});
