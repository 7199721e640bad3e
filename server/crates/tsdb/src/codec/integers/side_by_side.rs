//! The errors of several columns at once.
//!
//! Where a code ends depends on all codes before it, so that a processor waits more than it works; with
//! several columns it has always one to go on with.

use super::{Opened, RICE, TOKENS};
use crate::{
    bytes::FormatError,
    codec::{
        bits::{BitReader, Rice},
        tokens::{self, Table},
    },
};

/// Room that is used again.
#[derive(Debug, Default)]
pub(in crate::codec) struct Scratch {
    /// The errors of each column.
    pub(in crate::codec) errors: Vec<Vec<u64>>,
    tables: Vec<Table>,
}

/// The ways of writing that can be read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::codec) enum Way {
    Rice,
    Tokens,
}

impl Opened<'_> {
    /// Whether, and with which others, the column may be read together.
    pub(in crate::codec) fn way(&self) -> Option<Way> {
        match self.coding {
            RICE => Some(Way::Rice),
            coding if coding > RICE && tokens::is_plain(coding - TOKENS) => Some(Way::Tokens),
            _ => None,
        }
    }
}

/// Reads the errors of columns that are written in the same way, the last thing in their bytes.
pub(in crate::codec) fn read_together<const N: usize>(
    columns: [&Opened<'_>; N],
    way: Way,
    scratch: &mut Scratch,
) -> Result<(), FormatError> {
    let mut bits = columns.map(|column| BitReader::new(column.bytes));
    scratch.errors.resize_with(scratch.errors.len().max(N), Vec::new);
    for (errors, column) in scratch.errors.iter_mut().zip(columns) {
        // What was there before is written over.
        errors.resize(column.count - 1, 0);
    }
    let common = columns.map(|column| column.count - 1).into_iter().min().unwrap_or_default();
    let Some(errors) = scratch.errors.first_chunk_mut::<N>() else { return Ok(()) };
    match way {
        Way::Rice => read_rice(&mut bits, common, errors),
        Way::Tokens => {
            scratch.tables.resize_with(scratch.tables.len().max(N), Table::default);
            let Some(tables) = scratch.tables.first_chunk_mut::<N>() else { return Ok(()) };
            for ((table, bits), column) in tables.iter_mut().zip(&mut bits).zip(columns) {
                table.read(bits, column.coding - TOKENS)?;
            }
            tokens::read_together(tables, &mut bits, common, errors);
        }
    }
    for bits in bits {
        bits.check()?;
        if bits.left() >= 8 {
            return Err(FormatError::Invalid("end of the samples"));
        }
    }
    Ok(())
}

fn read_rice<const N: usize>(
    bits: &mut [BitReader<'_>; N],
    common: usize,
    errors: &mut [Vec<u64>; N],
) {
    let mut rices = bits.each_mut().map(|bits| Rice::starting_at(bits.take(8) as u8));
    let mut lanes = errors.each_mut().map(|errors| errors.iter_mut());
    for _ in 0..common {
        for lane in 0..N {
            if let Some(error) = lanes[lane].next() {
                *error = rices[lane].take(&mut bits[lane]);
            }
        }
    }
    for ((lane, rice), bits) in lanes.into_iter().zip(&mut rices).zip(bits) {
        lane.for_each(|error| *error = rice.take(bits));
    }
}
