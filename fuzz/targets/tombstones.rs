//! Any bytes as the deletions of a Prometheus block: ranges or an error, in bounded memory. Checksums are
//! put right before, or nothing behind them would be reached.
#![no_main]

use crc::{CRC_32_ISCSI, Crc};
use libfuzzer_sys::fuzz_target;

const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else { return };
    let bytes = if choice & 1 == 0 {
        body.to_vec()
    } else {
        let mut bytes = 0x0130_BA30_u32.to_be_bytes().to_vec();
        bytes.push(1);
        bytes.extend(body);
        bytes.extend(CRC32C.checksum(body).to_be_bytes());
        bytes
    };
    if let Ok(tombstones) = import::prometheus::Tombstones::decode(&bytes) {
        let is_deleted = tombstones.covers(u64::from(*choice), i64::from(*choice));
        assert!(!(tombstones.is_empty() && is_deleted));
        assert_eq!(import::prometheus::Tombstones::read(&*bytes), Ok(tombstones));
    }
});
