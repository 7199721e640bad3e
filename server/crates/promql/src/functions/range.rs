//! Functions over the samples of a range.
//!
//! Each works on a whole column with the windows of all steps, not window by window, so that what
//! windows share is computed once: counter resets are found once per column, the greatest value is kept
//! in a monotone queue, a sorted window is changed rather than sorted again.

mod counter;
mod edges;
pub(crate) mod extended;
mod extremes;
mod quantiles;
mod regression;
pub(crate) mod rolled;
mod runs;
mod starts;
mod sums;

use model::{Column, Labels, storage::Starts};

use crate::{
    annotations::Note,
    engine::EvalError,
    eval::{
        Evaluator, Row, RowRef, Sink, StepWindow, Steps, Values, WindowSpec, Windows, absent,
        is_absent,
    },
    functions::{labels::absent_labels, math},
    parser::{Call, ExprKind, Extent, Span},
};

pub(crate) use counter::Stretch;
pub(crate) use quantiles::quantile_of;
pub(crate) use rolled::Rolled;
pub(crate) use sums::{Kahan, Mean};

/// Functions over the samples of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RangeFunction {
    /// `absent_over_time`
    AbsentOverTime,
    /// `avg_over_time`
    AvgOverTime,
    /// `changes`
    Changes,
    /// `count_over_time`
    CountOverTime,
    /// `delta`
    Delta,
    /// `deriv`
    Deriv,
    /// `double_exponential_smoothing`
    DoubleExponentialSmoothing,
    /// `first_over_time`
    FirstOverTime,
    /// `idelta`
    Idelta,
    /// `increase`
    Increase,
    /// `integral`
    Integral,
    /// `irate`
    Irate,
    /// `last_over_time`
    LastOverTime,
    /// `mad_over_time`
    MadOverTime,
    /// `max_over_time`
    MaxOverTime,
    /// `min_over_time`
    MinOverTime,
    /// `predict_linear`
    PredictLinear,
    /// `present_over_time`
    PresentOverTime,
    /// `quantile_over_time`
    QuantileOverTime,
    /// `rate`
    Rate,
    /// `resets`
    Resets,
    /// `stddev_over_time`
    StddevOverTime,
    /// `stdvar_over_time`
    StdvarOverTime,
    /// `sum_over_time`
    SumOverTime,
    /// `ts_of_first_over_time`
    TsOfFirstOverTime,
    /// `ts_of_last_over_time`
    TsOfLastOverTime,
    /// `ts_of_max_over_time`
    TsOfMaxOverTime,
    /// `ts_of_min_over_time`
    TsOfMinOverTime,
}

impl RangeFunction {
    /// Whether the result is still a value of the metric.
    fn keeps_name(self) -> bool {
        matches!(self, Self::FirstOverTime | Self::LastOverTime)
    }

    fn is_rate_or_increase(self) -> bool {
        matches!(self, Self::Rate | Self::Increase)
    }
}

/// One series with its windows, and all that a function may need besides.
pub(crate) struct Job<'a> {
    pub(crate) evaluator: &'a Evaluator<'a>,
    pub(crate) steps: Steps,
    pub(crate) spec: WindowSpec,
    /// The scalar arguments per step, in order.
    pub(crate) params: &'a [Vec<f64>],
    /// Where the range stands in the text.
    pub(crate) span: Span,
    /// Where the first argument stands.
    pub(crate) first_span: Span,
    pub(crate) metric: &'a str,
    pub(crate) column: &'a Column,
    pub(crate) windows: &'a [StepWindow],
    /// The same, with what was made of them for the series before.
    shared_windows: &'a Windows,
    /// Where windows reach into a time of which only rollups are left.
    pub(crate) rolled: Option<&'a Rolled<'a>>,
    /// Since when the samples count, where they tell.
    pub(crate) starts: &'a Starts,
}

/// What is known of a series besides its samples.
pub(crate) struct Beside<'a> {
    pub(crate) rolled: Option<Rolled<'a>>,
    pub(crate) starts: &'a Starts,
}

impl Job<'_> {
    pub(crate) fn note(&self, note: &Note<'_>) {
        self.evaluator.note(note, self.span);
    }

    pub(crate) fn note_ignored_histograms(&self) {
        self.note(&Note::IgnoredInMixedRange { metric: self.metric });
    }

    /// The numbers in the window of a step.
    pub(crate) fn floats(&self, window: &StepWindow) -> &[f64] {
        &self.column.floats[window.floats.0..window.floats.1]
    }

    /// Computes a number from the numbers of each window that has one, noting ignored histograms.
    pub(crate) fn each_float_window(
        &self,
        out: &mut Values,
        compute: &mut dyn FnMut(usize, &StepWindow) -> f64,
    ) {
        for (step, window) in self.windows.iter().enumerate() {
            if window.floats.0 == window.floats.1 {
                continue;
            }
            if window.histograms.0 < window.histograms.1 {
                self.note_ignored_histograms();
            }
            out.floats[step] = compute(step, window);
        }
    }

    fn run(&self, function: RangeFunction, out: &mut Values) -> Result<(), EvalError> {
        use RangeFunction as F;
        match function {
            F::Rate | F::Increase | F::Delta if self.spec.extent != Extent::Plain => {
                extended::rates(self, function, out);
            }
            F::Rate | F::Increase | F::Delta => counter::rates(self, function, out),
            F::Irate | F::Idelta => edges::instant_rates(self, function, out),
            F::FirstOverTime
            | F::LastOverTime
            | F::TsOfFirstOverTime
            | F::TsOfLastOverTime
            | F::CountOverTime
            | F::PresentOverTime
            | F::AbsentOverTime => edges::edges(self, function, out),
            F::MaxOverTime | F::MinOverTime | F::TsOfMaxOverTime | F::TsOfMinOverTime => {
                extremes::extremes(self, function, out);
            }
            F::SumOverTime => sums::sums(self, out),
            F::AvgOverTime => sums::averages(self, out),
            F::StddevOverTime | F::StdvarOverTime => sums::variances(self, function, out),
            F::QuantileOverTime => quantiles::quantiles(self, out),
            F::MadOverTime => quantiles::deviations(self, out),
            F::Changes | F::Resets => runs::runs(self, function, out),
            F::Deriv | F::PredictLinear => regression::regressions(self, function, out),
            F::Integral => regression::integrals(self, out)?,
            F::DoubleExponentialSmoothing => regression::smoothing(self, out)?,
        }
        Ok(())
    }
}

impl Evaluator<'_> {
    /// A range function, series by series.
    pub(crate) fn stream_range(
        &self,
        call: &Call,
        function: RangeFunction,
        steps: Steps,
        sink: &mut Sink<'_>,
    ) -> Result<(), EvalError> {
        let mut out = Values::default();
        let drop_name = !function.keeps_name();
        // Series come ordered by name, so one look back keeps the remark to one per metric.
        let mut remarked = String::new();
        self.each_job(call, steps, &mut |job, labels, dropped| {
            out.reset(steps.count);
            job.run(function, &mut out)?;
            if let Some(rolled) = job.rolled {
                rolled::run(job, rolled, function, &mut out);
            }
            if !out.has_any() {
                return Ok(());
            }
            if function.is_rate_or_increase()
                && job.metric != remarked
                && out.floats.iter().any(|value| !is_absent(*value))
            {
                job.metric.clone_into(&mut remarked);
                note_unlikely_counter(job, labels.get("__type__"));
            }
            sink(RowRef { labels, drop_name: drop_name || dropped, values: &out })
        })
    }

    /// The one series of `absent_over_time`: 1 where no window has a sample.
    pub(crate) fn absent_over_time(
        &self,
        call: &Call,
        steps: Steps,
    ) -> Result<Vec<Row>, EvalError> {
        let mut floats = vec![1.0; steps.count];
        self.each_job(call, steps, &mut |job, _, _| {
            for (value, window) in floats.iter_mut().zip(job.windows) {
                let has_sample =
                    window.floats.0 < window.floats.1 || window.histograms.0 < window.histograms.1;
                if has_sample {
                    *value = absent(1)[0];
                }
            }
            Ok(())
        })?;
        if floats.iter().all(|value| is_absent(*value)) {
            return Ok(Vec::new());
        }
        self.hold(steps.count)?;
        let values = Values { floats, histograms: None };
        Ok(vec![Row { labels: absent_labels(&call.args[0]), drop_name: true, values }])
    }

    fn each_job(
        &self,
        call: &Call,
        steps: Steps,
        visit: &mut dyn FnMut(&Job<'_>, &Labels, bool) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let is_matrix =
            |arg: &&crate::parser::Expr| arg.value_type() == crate::parser::ValueType::Matrix;
        let Some(range) = call.args.iter().find(is_matrix) else { return Ok(()) };
        let params = call
            .args
            .iter()
            .filter(|arg| !is_matrix(arg))
            .map(|arg| self.scalar(arg, steps))
            .collect::<Result<Vec<_>, _>>()?;
        let range = range.unwrapped();
        let shared = Shared {
            evaluator: self,
            steps,
            params: &params,
            span: range.span,
            first_span: call.args[0].span,
            no_starts: Starts::default(),
        };
        match &range.kind {
            ExprKind::Range(selector) => {
                check_extent(selector.selector.extent, call.function.name)?;
                let spec = self.window_spec(selector)?;
                self.each_window(
                    &selector.selector,
                    &spec,
                    steps,
                    &mut |labels, column, windows, beside| {
                        let job = shared.job(labels, column, windows, spec);
                        let (rolled, starts) = (beside.rolled.as_ref(), beside.starts);
                        visit(&Job { rolled, starts, ..job }, labels, false)
                    },
                )
            }
            ExprKind::Subquery(subquery) => {
                let (series, spec) = self.subquery(subquery, steps)?;
                let mut windows = Windows::with_capacity(steps.count);
                for (labels, dropped, column) in &series {
                    self.ctx.check()?;
                    windows.move_to(&spec, &steps, column, &[]);
                    visit(&shared.job(labels, column, &windows, spec), labels, *dropped)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// What the jobs of one call have in common.
struct Shared<'a> {
    evaluator: &'a Evaluator<'a>,
    steps: Steps,
    params: &'a [Vec<f64>],
    span: Span,
    first_span: Span,
    no_starts: Starts,
}

impl Shared<'_> {
    fn job<'j>(
        &'j self,
        labels: &'j Labels,
        column: &'j Column,
        windows: &'j Windows,
        spec: WindowSpec,
    ) -> Job<'j> {
        Job {
            evaluator: self.evaluator,
            steps: self.steps,
            spec,
            params: self.params,
            span: self.span,
            first_span: self.first_span,
            metric: labels.metric_name().unwrap_or_default(),
            column,
            windows: windows.all(),
            shared_windows: windows,
            rolled: None,
            starts: &self.no_starts,
        }
    }
}

/// Only some functions know how to treat the borders of `anchored` and `smoothed` ranges.
fn check_extent(extent: Extent, function: &str) -> Result<(), EvalError> {
    let (word, allowed): (&str, &[&str]) = match extent {
        Extent::Plain => return Ok(()),
        Extent::Anchored => ("anchored", &["changes", "delta", "increase", "rate", "resets"]),
        Extent::Smoothed => ("smoothed", &["delta", "increase", "rate"]),
    };
    if allowed.contains(&function) {
        return Ok(());
    }
    let allowed = allowed.join(", ");
    let message = format!("{word} modifier can only be used with: {allowed} - not with {function}");
    Err(EvalError::Execution(message))
}

/// How the names of what counts end.
const COUNTER_SUFFIXES: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];

/// Tells when the type, or without one the name, says that the metric does not count.
fn note_unlikely_counter(job: &Job<'_>, kind: Option<&str>) {
    let metric = job.metric;
    if metric.is_empty() {
        return;
    }
    let note = match kind {
        Some("counter" | "histogram") => return,
        Some(kind) => Note::NotACounterByType { metric, kind },
        None if COUNTER_SUFFIXES.iter().any(|suffix| metric.ends_with(suffix)) => return,
        None => Note::PossiblyNotACounter { metric },
    };
    job.evaluator.note(&note, job.first_span);
}

/// The greater or the lesser, whatever is a number.
pub(crate) fn extreme_of(greatest: bool, a: f64, b: f64) -> f64 {
    if a.is_nan() {
        b
    } else if b.is_nan() {
        a
    } else {
        math::extreme(greatest, a, b)
    }
}
