//! `start_timestamp`: since when the samples that an instant selector finds count.

use model::{Column, storage::Starts};

use super::{Evaluator, RowRef, Sink, Steps, Values, select::place};
use crate::{
    engine::EvalError,
    parser::{Expr, ExprKind},
};

impl Evaluator<'_> {
    /// The starts of the samples of a selector in seconds, 0 where they are not known. Other
    /// expressions compute new samples, of which nothing can be told.
    pub(super) fn stream_starts(
        &self,
        operand: &Expr,
        steps: Steps,
        sink: &mut Sink<'_>,
    ) -> Result<(), EvalError> {
        let ExprKind::Selector(selector) = &operand.unwrapped().kind else { return Ok(()) };
        let offset = self.offset_ms(selector.offset.as_ref())?;
        let at = self.at(selector.at);
        let reference = |step: i64| at.unwrap_or(step).saturating_sub(offset);
        let lookback = |_| self.lookback_ms;
        let oldest = reference(steps.start).saturating_sub(self.lookback_ms).saturating_add(1);
        let selection = self.select(selector, (oldest, reference(steps.end())))?;
        let (mut column, mut starts) = (Column::default(), Starts::default());
        let (mut found, mut output) = (Values::default(), Values::default());
        let mut times = vec![0.0; steps.count];
        for (i, labels) in selection.labels().iter().enumerate() {
            selection.read(i, &mut column)?;
            selection.read_starts(i, &mut starts)?;
            self.count_samples(column.len())?;
            found.reset(steps.count);
            output.reset(steps.count);
            place(&column, &steps, &reference, &lookback, &mut found, &mut times);
            for (step, time) in times.iter().enumerate() {
                if found.is_present(step) {
                    output.floats[step] = start_of(&column, &starts, *time) as f64 / 1000.0;
                }
            }
            if output.has_any() {
                sink(RowRef { labels, drop_name: true, values: &output })?;
            }
        }
        Ok(())
    }
}

/// Since when the sample with this time in seconds counts.
fn start_of(column: &Column, starts: &Starts, seconds: f64) -> i64 {
    let time = (seconds * 1000.0).round() as i64;
    let find = |times: &[i64], starts: &[i64]| {
        times.binary_search(&time).ok().and_then(|i| starts.get(i).copied())
    };
    find(&column.float_times, &starts.floats)
        .or_else(|| find(&column.histogram_times, &starts.histograms))
        .unwrap_or_default()
}
