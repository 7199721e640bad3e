//! The times of a chunk.
//!
//! Times that follow a regular step cost nothing per sample: start, step, and a list of the places
//! where the distance to the sample before is another one. When there are many such places, the
//! differences of the distances are written as Rice codes instead.

use model::Timestamp;

use super::bits::{BitReader, BitWriter, Rice};
use crate::bytes::{FormatError, Reader, put_i64, put_u64, zigzag};

const REGULAR: u8 = 0;
const IRREGULAR: u8 = 1;

/// Appends times, of which there is at least one, strictly increasing.
pub(crate) fn encode(timestamps: &[Timestamp], out: &mut Vec<u8>) {
    let step = usual_step(timestamps);
    let exceptions = distances(timestamps).filter(|&distance| distance != step).count();
    if exceptions <= timestamps.len() / 8 {
        out.push(REGULAR);
        put_i64(out, timestamps[0]);
        put_i64(out, step);
        put_u64(out, exceptions as u64);
        let mut last = 0;
        for (at, distance) in distances(timestamps).enumerate() {
            if distance != step {
                put_u64(out, (at - last) as u64);
                put_i64(out, distance.wrapping_sub(step));
                last = at + 1;
            }
        }
    } else {
        out.push(IRREGULAR);
        put_i64(out, timestamps[0]);
        put_i64(out, step);
        let mut writer = BitWriter::default();
        let deviations = differences(timestamps, step);
        let sum = deviations.clone().fold(0_u64, |sum, d| sum.saturating_add(zigzag(d)));
        let parameter = Rice::parameter_for(sum / timestamps.len() as u64);
        let mut rice = Rice::starting_at(parameter);
        for deviation in deviations {
            rice.put_signed(&mut writer, deviation);
        }
        out.push(parameter);
        put_u64(out, writer.len_bytes() as u64);
        writer.copy_to(out);
    }
}

/// The first time.
pub(crate) fn first(reader: &mut Reader<'_>) -> Result<Timestamp, FormatError> {
    reader.u8()?;
    reader.i64()
}

/// Appends exactly `count` times, strictly increasing, and leaves the reader behind them.
pub(crate) fn decode(
    reader: &mut Reader<'_>,
    count: usize,
    out: &mut Vec<Timestamp>,
) -> Result<(), FormatError> {
    let mode = reader.u8()?;
    let start = reader.i64()?;
    let step = reader.i64()?;
    let first = out.len();
    if mode == REGULAR && is_rising(start, step, count) && reader.rest().first() == Some(&0) {
        reader.u8()?;
        // Nothing is left to be checked, and a loop over a slice computes several at a time.
        out.resize(first + count, start);
        let mut time = start;
        for slot in &mut out[first..] {
            *slot = time;
            time = time.wrapping_add(step);
        }
        return Ok(());
    }
    out.reserve(count);
    out.push(start);
    match mode {
        REGULAR => decode_regular(reader, count, step, out)?,
        IRREGULAR => {
            let mut rice = Rice::starting_at(reader.u8()?);
            let length = reader.count()?;
            let mut bits = BitReader::new(reader.take(length)?);
            let (mut time, mut distance) = (start, step);
            for _ in 1..count {
                distance = distance.wrapping_add(rice.take_signed(&mut bits));
                time = time.wrapping_add(distance);
                out.push(time);
            }
            bits.check()?;
        }
        _ => return Err(FormatError::Invalid("kind of times")),
    }
    if out[first..].is_sorted_by(|a, b| a < b) {
        Ok(())
    } else {
        Err(FormatError::Invalid("order of times"))
    }
}

/// Whether so many times with this step are strictly increasing.
fn is_rising(start: Timestamp, step: i64, count: usize) -> bool {
    let last = step.checked_mul(count as i64).and_then(|whole| start.checked_add(whole));
    step > 0 && last.is_some()
}

fn decode_regular(
    reader: &mut Reader<'_>,
    count: usize,
    step: i64,
    out: &mut Vec<Timestamp>,
) -> Result<(), FormatError> {
    let mut time = out.last().copied().unwrap_or_default();
    let mut left = count - 1;
    for _ in 0..reader.count()? {
        let regular = usize::try_from(reader.u64()?).unwrap_or(usize::MAX);
        if regular >= left {
            return Err(FormatError::Invalid("number of times"));
        }
        for _ in 0..regular {
            time = time.wrapping_add(step);
            out.push(time);
        }
        time = time.wrapping_add(step).wrapping_add(reader.i64()?);
        out.push(time);
        left -= regular + 1;
    }
    for _ in 0..left {
        time = time.wrapping_add(step);
        out.push(time);
    }
    Ok(())
}

fn distances(timestamps: &[Timestamp]) -> impl Iterator<Item = i64> + Clone {
    timestamps.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]))
}

fn differences(timestamps: &[Timestamp], step: i64) -> impl Iterator<Item = i64> + Clone {
    distances(timestamps)
        .scan(step, |last, distance| Some(distance.wrapping_sub(std::mem::replace(last, distance))))
}

/// The median distance: the usual one wherever there is a usual one.
fn usual_step(timestamps: &[Timestamp]) -> i64 {
    let first = timestamps.get(1).map_or(0, |second| second.wrapping_sub(timestamps[0]));
    if distances(timestamps).all(|distance| distance == first) {
        return first;
    }
    let mut all: Vec<i64> = distances(timestamps).collect();
    let middle = all.len() / 2;
    *all.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(timestamps: &[Timestamp]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(timestamps, &mut out);
        out
    }

    #[test]
    fn regular_times_cost_nothing_per_sample_and_a_gap_costs_a_few_bytes() {
        let start = 1_700_000_000_000;
        let mut times: Vec<i64> = (0..720).map(|i| start + i * 10_000).collect();
        let regular = encoded(&times).len();
        assert!(regular <= 12, "{regular} bytes");
        for time in &mut times[400..] {
            *time += 50_000;
        }
        assert!(encoded(&times).len() <= regular + 5);
    }

    #[test]
    fn jitter_costs_its_bits() {
        let times: Vec<i64> = (0..720).map(|i| i * 10_000 + (i * 7_919) % 16).collect();
        let length = encoded(&times).len();
        assert!(length < 720 * 7 / 8, "{length} bytes");
    }

    proptest! {
        #[test]
        fn property_times_round_trip(
            times in prop_oneof![
                proptest::collection::btree_set(any::<i64>(), 1..100),
                proptest::collection::btree_set(0_i64..300, 1..100),
            ],
        ) {
            let times: Vec<i64> = times.into_iter().collect();
            let mut bytes = encoded(&times);
            bytes.push(0xaa);
            let mut reader = Reader::new(&bytes);
            let mut back = Vec::new();
            decode(&mut reader, times.len(), &mut back).unwrap();
            prop_assert_eq!(back, times);
            prop_assert_eq!(reader.rest(), &[0xaa]);
        }
    }
}
