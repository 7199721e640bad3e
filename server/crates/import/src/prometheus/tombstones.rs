//! What was deleted from a block and is still in its chunks.
//! Source: `tsdb/docs/format/tombstones.md` and `tsdb/tombstones/tombstones.go` in Prometheus.

use std::{collections::BTreeMap, io::Read};

use model::Timestamp;

use super::{
    bytes::{Bytes, checked},
    chunk::Samples,
};

const MAGIC: u32 = 0x0130_BA30;
const VERSION: u8 = 1;
/// An entry has some 20 bytes; a file with more than three million of them is damaged.
const MAX_BYTES: u64 = 64 << 20;

/// Ranges of time deleted from series, by the reference of the series in the index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tombstones(BTreeMap<u64, Vec<(Timestamp, Timestamp)>>);

impl Tombstones {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, is none, has a version that is not known, or is damaged.
    pub fn read(file: impl Read) -> Result<Self, String> {
        let mut bytes = Vec::new();
        let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| error.to_string())?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err("it is longer than 64 MiB".to_owned());
        }
        Self::decode(&bytes)
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// As [`Tombstones::read`].
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut head = Bytes::new(bytes);
        if head.u32() != Some(MAGIC) {
            return Err("it is not a file of deletions of Prometheus".to_owned());
        }
        match head.take(1) {
            Some([VERSION]) => {}
            Some([version, ..]) => {
                return Err(format!("version {version} is not known; only {VERSION} is"));
            }
            _ => return Err("it is too short".to_owned()),
        }
        let entries = checked(head.rest()).ok_or("its checksum does not match")?;
        let mut entries = Bytes::new(entries);
        let mut ranges: BTreeMap<u64, Vec<_>> = BTreeMap::new();
        while !entries.rest().is_empty() {
            let (series, range) = entry(&mut entries).ok_or("it is damaged")?;
            ranges.entry(series).or_default().push(range);
        }
        Ok(Self(ranges))
    }

    /// Whether nothing was deleted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a sample of a series was deleted.
    pub fn covers(&self, series: u64, at: Timestamp) -> bool {
        self.0.get(&series).is_some_and(|ranges| is_in(ranges, at))
    }

    /// Removes what was deleted from the samples of a series.
    pub(super) fn remove_from(&self, series: u64, samples: &mut Samples) {
        let Some(ranges) = self.0.get(&series) else { return };
        samples.floats.retain(|sample| !is_in(ranges, sample.0));
        samples.histograms.retain(|sample| !is_in(ranges, sample.0));
    }
}

/// A series, and the range deleted from it, both ends of which are in it.
fn entry(bytes: &mut Bytes<'_>) -> Option<(u64, (Timestamp, Timestamp))> {
    Some((bytes.uvarint()?, (bytes.varint()?, bytes.varint()?)))
}

fn is_in(ranges: &[(Timestamp, Timestamp)], at: Timestamp) -> bool {
    ranges.iter().any(|(start, end)| (*start..=*end).contains(&at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::prometheus::bytes::crc32c;

    fn file(entries: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_be_bytes().to_vec();
        bytes.push(VERSION);
        bytes.extend(entries);
        bytes.extend(crc32c(entries).to_be_bytes());
        bytes
    }

    #[test]
    fn what_was_deleted_is_known_by_series_and_time() {
        // Series 300 from -2 to 3, and series 1 at 5.
        let tombstones = Tombstones::decode(&file(&[0xac, 0x02, 3, 6, 1, 10, 10])).unwrap();
        for (series, at, is_deleted) in [
            (300, -3, false),
            (300, -2, true),
            (300, 3, true),
            (300, 4, false),
            (1, 5, true),
            (2, 5, false),
        ] {
            assert_eq!(tombstones.covers(series, at), is_deleted, "{series} at {at}");
        }
        let mut samples =
            Samples { floats: vec![(-3, 1.0), (0, 2.0), (4, 3.0)], ..Samples::default() };
        tombstones.remove_from(300, &mut samples);
        assert_eq!(samples.floats, [(-3, 1.0), (4, 3.0)]);
        assert!(Tombstones::decode(&file(&[])).unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_told() {
        let sound = file(&[1, 10, 10]);
        let mut damaged = sound.clone();
        damaged[6] ^= 1;
        let mut newer = sound.clone();
        newer[4] = 2;
        for (name, bytes, reason) in [
            ("another file", &b"tombstones"[..], "it is not a file of deletions"),
            ("nothing", &[], "it is not a file of deletions"),
            ("only the magic", &sound[..4], "it is too short"),
            ("a later version", &newer, "version 2 is not known"),
            ("cut", &sound[..7], "checksum"),
            ("flipped", &damaged, "checksum"),
            ("half an entry", &file(&[1, 10]), "it is damaged"),
        ] {
            let error = Tombstones::decode(bytes).unwrap_err();
            assert!(error.contains(reason), "{name}: {error}");
        }
    }

    proptest! {
        #[test]
        fn property_no_bytes_panic(entries: Vec<u8>, at: i64) {
            if let Ok(tombstones) = Tombstones::decode(&file(&entries)) {
                prop_assert!(!tombstones.covers(u64::MAX, at) || entries.len() > 10);
            }
            drop(Tombstones::decode(&entries));
        }
    }
}
