//! `and`, `or` and `unless`.

use super::signature::Signatures;
use crate::{
    engine::EvalError,
    eval::{ABSENT, Row, Steps, merge_same_labels},
    parser::{BinaryOp, Matching},
};

pub(super) fn combine(
    op: BinaryOp,
    left: Vec<Row>,
    right: Vec<Row>,
    matching: &Matching,
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    let signatures = Signatures::of(&left, &right, matching);
    if op == BinaryOp::Or {
        let present = presence(&left, &signatures.left, signatures.count, steps);
        let mut rows = left;
        rows.extend(filter(right, &signatures.right, &present, false));
        return merge_same_labels(rows);
    }
    let present = presence(&right, &signatures.right, signatures.count, steps);
    Ok(filter(left, &signatures.left, &present, op == BinaryOp::And).collect())
}

/// For every signature, at which steps some series has a value; nothing for signatures without series.
fn presence(rows: &[Row], numbers: &[usize], count: usize, steps: Steps) -> Vec<Option<Vec<bool>>> {
    let mut present: Vec<Option<Vec<bool>>> = vec![None; count];
    for (row, number) in rows.iter().zip(numbers) {
        let steps_present = present[*number].get_or_insert_with(|| vec![false; steps.count]);
        for (step, is_present) in steps_present.iter_mut().enumerate() {
            *is_present |= row.values.is_present(step);
        }
    }
    present
}

/// The rows at the steps where the other side has a value, or where it has none.
fn filter<'a>(
    rows: Vec<Row>,
    numbers: &'a [usize],
    present: &'a [Option<Vec<bool>>],
    keep_present: bool,
) -> impl Iterator<Item = Row> + 'a {
    rows.into_iter().zip(numbers).filter_map(move |(mut row, number)| {
        let Some(present) = &present[*number] else {
            return (!keep_present).then_some(row);
        };
        for (step, is_present) in present.iter().enumerate() {
            if *is_present != keep_present {
                row.values.floats[step] = ABSENT;
                if let Some(histograms) = &mut row.values.histograms {
                    histograms[step] = None;
                }
            }
        }
        if let Some(histograms) = &row.values.histograms
            && histograms.iter().all(Option::is_none)
        {
            row.values.histograms = None;
        }
        row.values.has_any().then_some(row)
    })
}
