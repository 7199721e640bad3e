//! A column of whole numbers: predicted from those before, the errors as Rice codes or as tokens.
//!
//! Sums and differences wrap around, so any numbers come back as they were.

use super::{
    bits::{BitReader, BitWriter, Rice},
    tokens,
};
use crate::bytes::{FormatError, Reader, put_i64, put_u64, unzigzag, zigzag};

/// How the next number is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Predictor {
    /// Always the same level: noise around a mean.
    Level = 0,
    /// The one before plus a constant slope: counters, random walks.
    Slope = 1,
    /// As far from the one before as that from its own: smooth curves.
    Curve = 2,
    /// Halfway from the one before to a level: what always comes back to its mean.
    Middle = 3,
}

/// Of the first byte: which predictor;
const PREDICTOR: u8 = 3;
/// there is a divisor;
const HAS_DIVISOR: u8 = 4;
/// there is a base;
const HAS_BASE: u8 = 8;
/// how the errors are written: not at all, because all are 0,
const CODING_SHIFT: u32 = 4;
const EXACT: u8 = 0;
/// as Rice codes,
const RICE: u8 = 1;
/// or as tokens; the ids from here on are the ways of [`tokens`].
const TOKENS: u8 = 2;

/// With fewer numbers the table of tokens takes more than it saves, and finding the best way costs
/// more than it is worth: the open chunks of the head, above all.
const MANY: usize = 100;

/// How a column is predicted.
#[derive(Debug, Clone, Copy)]
struct Fit {
    predictor: Predictor,
    /// The level or slope.
    base: i64,
    /// About how many bits the errors have.
    cost: u64,
}

/// Appends a column of at least one number.
pub(super) fn encode(mut numbers: Vec<i64>, out: &mut Vec<u8>) {
    let first = numbers[0];
    let divisor = divide_by_common(&mut numbers);
    let fit = best_fit(&numbers);
    let mut kind = fit.predictor as u8;
    kind |= if divisor > 1 { HAS_DIVISOR } else { 0 };
    kind |= if fit.base == 0 { 0 } else { HAS_BASE };
    let place = out.len();
    out.push(kind);
    put_i64(out, first);
    if divisor > 1 {
        put_u64(out, divisor);
    }
    if fit.base != 0 {
        put_i64(out, fit.base);
    }
    let coding = if fit.cost == 0 {
        EXACT
    } else {
        let mut errors = Vec::with_capacity(numbers.len());
        for_each_error(&numbers, fit, |error| errors.push(zigzag(error)));
        put_errors(&errors, out)
    };
    out[place] |= coding << CODING_SHIFT;
}

/// Appends the errors the shortest way, which is returned.
fn put_errors(errors: &[u64], out: &mut Vec<u8>) -> u8 {
    let sum = errors.iter().fold(0_u64, |sum, &error| sum.saturating_add(error));
    let parameter = Rice::parameter_for(sum / errors.len() as u64);
    let mut writer = BitWriter::default();
    let mut rice = Rice::starting_at(parameter);
    if errors.len() >= MANY {
        let plan = tokens::Plan::of(errors);
        let mut measured = rice;
        let bits: u64 = errors.iter().map(|&error| u64::from(measured.measure(error))).sum();
        // Rice codes are quicker to read.
        if plan.bits + plan.bits / 32 < bits {
            plan.write(errors, &mut writer);
            writer.copy_to(out);
            return TOKENS + plan.way();
        }
    }
    writer.put(u64::from(parameter), 8);
    for &error in errors {
        rice.put(&mut writer, error);
    }
    writer.copy_to(out);
    RICE
}

/// A column whose errors are to be read.
#[derive(Debug, Clone)]
pub(super) struct Opened<'a> {
    count: usize,
    first: i64,
    divisor: i64,
    base: i64,
    predictor: u8,
    coding: u8,
    bits: BitReader<'a>,
}

/// Reads how a column of `count` numbers, at least one, is written. All of the reader is left.
pub(super) fn open<'a>(reader: &mut Reader<'a>, count: usize) -> Result<Opened<'a>, FormatError> {
    let kind = reader.u8()?;
    let first = reader.i64()?;
    let divisor = if kind & HAS_DIVISOR == 0 { 1 } else { reader.u64()? as i64 };
    let base = if kind & HAS_BASE == 0 { 0 } else { reader.i64()? };
    let (predictor, coding) = (kind & PREDICTOR, kind >> CODING_SHIFT);
    let bits = BitReader::new(reader.rest());
    Ok(Opened { count, first, divisor, base, predictor, coding, bits })
}

/// Appends what `convert` makes of exactly `count` numbers, at least one, and leaves the reader behind
/// them.
pub(super) fn decode<T>(
    reader: &mut Reader<'_>,
    count: usize,
    convert: impl Fn(i64) -> T,
    out: &mut Vec<T>,
) -> Result<(), FormatError> {
    let mut column = open(reader, count)?;
    match column.coding {
        EXACT => column.put(|_| 0, convert, out),
        RICE => {
            let mut bits = column.bits.clone();
            let mut rice = Rice::starting_at(bits.take(8) as u8);
            column.put(|_| rice.take_signed(&mut bits), convert, out);
            bits.check()?;
            column.bits = bits;
        }
        _ => {
            let mut errors = Vec::with_capacity(count);
            tokens::read(&mut column.bits, column.coding - TOKENS, count - 1, &mut errors)?;
            column.put(|at| unzigzag(errors[at]), convert, out);
        }
    }
    reader.take(column.bits.used_bytes())?;
    Ok(())
}

/// How many columns [`read_together`] takes.
pub(super) const TOGETHER: usize = 4;

/// Room for the errors of columns that are read together.
pub(super) type Errors = [Vec<u64>; TOGETHER];

impl Opened<'_> {
    /// How many numbers there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Whether the column may be one of those that are read together.
    pub(super) fn is_rice(&self) -> bool {
        self.coding == RICE
    }

    /// Appends all numbers, given the error of each but the first by its place.
    #[inline]
    fn put<T>(
        &self,
        error: impl FnMut(usize) -> i64,
        convert: impl Fn(i64) -> T,
        out: &mut Vec<T>,
    ) {
        let Self { count, first, divisor, base, predictor, .. } = *self;
        let number = |steps: i64| convert(first.wrapping_add(steps.wrapping_mul(divisor)));
        out.reserve(count);
        out.push(number(0));
        predict(predictor, base, count, error, number, out);
    }

    /// Appends all numbers from the errors that were read of it.
    pub(super) fn put_read<T>(&self, errors: &[u64], convert: impl Fn(i64) -> T, out: &mut Vec<T>) {
        self.put(|at| unzigzag(errors[at]), convert, out);
    }
}

/// Reads the errors of columns with Rice codes side by side. Where a code ends depends on all codes
/// before it, so that a processor waits more than it works; with several columns it has always one to go
/// on with.
pub(super) fn read_together(
    columns: &mut [Opened<'_>; TOGETHER],
    errors: &mut Errors,
) -> Result<(), FormatError> {
    let mut rices = columns.each_mut().map(|column| Rice::starting_at(column.bits.take(8) as u8));
    let common = columns.iter().map(|column| column.count - 1).min().unwrap_or_default();
    for (errors, column) in errors.iter_mut().zip(&*columns) {
        errors.clear();
        errors.resize(column.count - 1, 0);
    }
    let [a, b, c, d] = &mut *columns;
    let mut bits = [a, b, c, d].map(|column| column.bits.clone());
    {
        let [a, b, c, d] = &mut *errors;
        let places = a[..common].iter_mut().zip(&mut b[..common]);
        let places = places.zip(c[..common].iter_mut().zip(&mut d[..common]));
        for ((a, b), (c, d)) in places {
            *a = rices[0].take(&mut bits[0]);
            *b = rices[1].take(&mut bits[1]);
            *c = rices[2].take(&mut bits[2]);
            *d = rices[3].take(&mut bits[3]);
        }
    }
    for (lane, errors) in errors.iter_mut().enumerate() {
        for error in &mut errors[common..] {
            *error = rices[lane].take(&mut bits[lane]);
        }
    }
    for (column, bits) in columns.iter_mut().zip(bits) {
        bits.check()?;
        if bits.left() >= 8 {
            return Err(FormatError::Invalid("end of the samples"));
        }
        column.bits = bits;
    }
    Ok(())
}

/// Appends what the predictor and its errors come to, for all numbers but the first.
#[inline]
fn predict<T>(
    predictor: u8,
    base: i64,
    count: usize,
    mut error: impl FnMut(usize) -> i64,
    number: impl Fn(i64) -> T,
    out: &mut Vec<T>,
) {
    let mut steps = 0_i64;
    // `extend` over a range reserves once and checks nothing per number.
    let places = 0..count - 1;
    match predictor {
        0 => out.extend(places.map(|at| number(base.wrapping_add(error(at))))),
        1 => out.extend(places.map(|at| {
            steps = steps.wrapping_add(base).wrapping_add(error(at));
            number(steps)
        })),
        2 => {
            let mut slope = base;
            out.extend(places.map(|at| {
                slope = slope.wrapping_add(error(at));
                steps = steps.wrapping_add(slope);
                number(steps)
            }));
        }
        _ => out.extend(places.map(|at| {
            steps = middle(steps, base).wrapping_add(error(at));
            number(steps)
        })),
    }
}

#[inline]
fn middle(number: i64, level: i64) -> i64 {
    level.wrapping_add(number.wrapping_sub(level) >> 1)
}

/// Turns numbers into their distance from the first one in units of the greatest common divisor of
/// all distances, which is returned.
fn divide_by_common(numbers: &mut [i64]) -> u64 {
    let first = numbers[0];
    let divisor = common_divisor(numbers);
    if divisor > 1 {
        for number in numbers {
            *number = (*number - first) / divisor;
        }
        return divisor.unsigned_abs();
    }
    for number in numbers {
        *number = number.wrapping_sub(first);
    }
    1
}

/// The greatest common divisor of all distances from the first number, at least 1; 1 when one of them
/// wraps around.
fn common_divisor(numbers: &[i64]) -> i64 {
    let mut divisor = 0;
    for number in numbers {
        let Some(distance) = number.checked_sub(numbers[0]) else { return 1 };
        divisor = greatest_common_divisor(divisor, distance.unsigned_abs());
        if divisor == 1 {
            break;
        }
    }
    // That of the least number alone does not fit.
    i64::try_from(divisor).map_or(1, |divisor| divisor.max(1))
}

fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn best_fit(steps: &[i64]) -> Fit {
    let count = steps.len().max(2) as i64 - 1;
    let last = steps.last().copied().unwrap_or_default();
    let sum: i128 = steps.iter().map(|&step| i128::from(step)).sum();
    let mean = (sum / i128::from(count)) as i64;
    let candidates = [
        (Predictor::Slope, 0),
        (Predictor::Slope, last / count),
        (Predictor::Level, mean),
        (Predictor::Middle, mean),
        (Predictor::Curve, 0),
    ];
    let mut best = Fit { predictor: Predictor::Slope, base: 0, cost: u64::MAX };
    // In a short column a drift is no more than noise, and the middle gains little.
    let is_short = steps.len() < MANY;
    for (predictor, base) in candidates {
        let is_fine =
            predictor == Predictor::Middle || (predictor == Predictor::Slope && base == 0);
        if is_short && is_fine && last != 0 {
            continue;
        }
        let mut fit = Fit { predictor, base, cost: 0 };
        for_each_error(steps, fit, |error| {
            fit.cost += u64::from(64 - zigzag(error).leading_zeros());
        });
        if fit.cost < best.cost {
            best = fit;
        }
        if best.cost == 0 {
            break;
        }
    }
    best
}

/// What the predictor gets wrong at each number but the first, which is 0.
#[inline]
fn for_each_error(steps: &[i64], fit: Fit, mut each: impl FnMut(i64)) {
    let base = fit.base;
    let pairs = steps.windows(2);
    match fit.predictor {
        Predictor::Level => steps[1..].iter().for_each(|step| each(step.wrapping_sub(base))),
        Predictor::Slope => {
            pairs.for_each(|pair| each(pair[1].wrapping_sub(pair[0]).wrapping_sub(base)));
        }
        Predictor::Curve => {
            let mut slope = base;
            pairs.for_each(|pair| {
                let next = pair[1].wrapping_sub(pair[0]);
                each(next.wrapping_sub(std::mem::replace(&mut slope, next)));
            });
        }
        Predictor::Middle => {
            pairs.for_each(|pair| each(pair[1].wrapping_sub(middle(pair[0], base))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(numbers: &[i64]) -> usize {
        let mut bytes = Vec::new();
        encode(numbers.to_vec(), &mut bytes);
        let length = bytes.len();
        bytes.push(0xaa);
        let mut reader = Reader::new(&bytes);
        let mut back = vec![7];
        decode(&mut reader, numbers.len(), |number| number, &mut back).unwrap();
        assert_eq!(back[1..], *numbers);
        assert_eq!(reader.rest(), [0xaa]);
        length
    }

    #[test]
    fn what_is_predicted_costs_no_byte_a_number() {
        for (name, numbers, most) in [
            ("the same", vec![1_000; 720], 3),
            ("a slope", (0..720).map(|i| 5 + 3 * i).collect(), 4),
            ("a curve", (0..720).map(|i| i * i).collect(), 100),
            ("a rare step", (0..720).map(|i| i / 100 * 4_096).collect(), 30),
            ("an idle counter", (0..720).map(|i| 900_000 + i / 50).collect(), 40),
            ("a coin", (0..720).map(|i| i * i % 7 % 2).collect(), 120),
        ] {
            let length = round_trip(&numbers);
            assert!(length <= most, "{name}: {length} bytes");
        }
    }

    proptest! {
        #[test]
        fn property_any_numbers_round_trip(
            numbers in proptest::collection::vec((any::<i64>(), 0_u32..64), 1..300),
            multiple in prop_oneof![Just(1_i64), 1_i64..1_000_000, Just(i64::MIN)],
        ) {
            let numbers: Vec<i64> =
                numbers.into_iter().map(|(n, shift)| (n >> shift).wrapping_mul(multiple)).collect();
            round_trip(&numbers);
        }

        #[test]
        fn property_any_bytes_are_read_without_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
            count in 1_usize..200,
        ) {
            let mut numbers = Vec::new();
            let result = decode(&mut Reader::new(&bytes), count, |number| number, &mut numbers);
            prop_assert!(result.is_err() || numbers.len() == count);
        }
    }
}
