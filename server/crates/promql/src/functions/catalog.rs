//! Names, argument types and result types.

use crate::{
    functions::{dates::DatePart, math::MathFunction, range::RangeFunction},
    parser::ValueType,
};

use ValueType::{Matrix, Scalar, Text, Vector};

/// A function of PromQL.
#[derive(Debug, Clone, Copy)]
pub struct Function {
    /// As it is written.
    pub name: &'static str,
    /// The types of the arguments in order; the last one stands for the repeated ones too.
    pub args: &'static [ValueType],
    /// How the number of arguments may vary.
    pub variadic: Variadic,
    /// The type of the result.
    pub returns: ValueType,
    /// Whether Prometheus has it only with its flag for experimental functions.
    pub is_experimental: bool,
    /// How it is evaluated.
    pub(crate) special: Special,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// How the number of arguments may vary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variadic {
    /// Not at all.
    No,
    /// The last one may be given zero to this many times.
    Optional(usize),
    /// The last one may be given any number of times.
    Any,
}

/// How a function is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Special {
    /// Number by number.
    Math(MathFunction),
    /// Over the samples of a range, series by series.
    Range(RangeFunction),
    /// A part of a date.
    Date(DatePart),
    /// `histogram_quantile`
    HistogramQuantile,
    /// `histogram_quantiles`
    HistogramQuantiles,
    /// `histogram_fraction`
    HistogramFraction,
    /// A number of a native histogram.
    HistogramPart(Part),
    /// `absent`
    Absent,
    /// `info`
    Info,
    /// `label_join`
    LabelJoin,
    /// `label_replace`
    LabelReplace,
    /// `scalar`
    ScalarOf,
    /// `vector`
    VectorOf,
    /// `sort` and its kin.
    Sort(Order),
    /// `start_timestamp`
    StartTimestamp,
    /// `timestamp`
    Timestamp,
    /// A number that the query's steps decide.
    Query(QueryPart),
    /// `min_of` and `max_of`; true for the greater.
    Extreme(bool),
}

/// Numbers that the query's steps decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueryPart {
    /// `time`
    Time,
    /// `start`
    Start,
    /// `end`
    End,
    /// `range`
    Range,
    /// `step`
    Step,
    /// `pi`
    Pi,
}

/// The function with this name.
pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.binary_search_by(|function| function.name.cmp(name)).ok().map(|i| &FUNCTIONS[i])
}

/// The function or aggregation that was called `name`, or whose name differs least from it, when it
/// differs little.
pub(crate) fn closest(name: &str) -> Option<&'static str> {
    if name == "holt_winters" {
        return Some("double_exponential_smoothing");
    }
    let aggregations = crate::parser::AggregateOp::ALL.iter().map(|op| op.as_str());
    let known = FUNCTIONS.iter().map(|function| function.name).chain(aggregations);
    model::closest(&name.to_ascii_lowercase(), known)
}

const fn function(
    name: &'static str,
    args: &'static [ValueType],
    returns: ValueType,
    special: Special,
) -> Function {
    Function { name, args, variadic: Variadic::No, returns, is_experimental: false, special }
}

const fn math(name: &'static str, math: MathFunction) -> Function {
    function(name, &[Vector], Vector, Special::Math(math))
}

const fn over(name: &'static str, range: RangeFunction) -> Function {
    function(name, &[Matrix], Vector, Special::Range(range))
}

const fn date(name: &'static str, part: DatePart) -> Function {
    Function {
        variadic: Variadic::Optional(1),
        ..function(name, &[Vector], Vector, Special::Date(part))
    }
}

const fn query(name: &'static str, part: QueryPart) -> Function {
    function(name, &[], Scalar, Special::Query(part))
}

const fn experimental(function: Function) -> Function {
    Function { is_experimental: true, ..function }
}

const fn variadic(function: Function, variadic: Variadic) -> Function {
    Function { variadic, ..function }
}

use super::{histogram::Part, order::Order};

/// All functions, ascending by name.
pub static FUNCTIONS: &[Function] = &[
    math("abs", MathFunction::Abs),
    function("absent", &[Vector], Vector, Special::Absent),
    over("absent_over_time", RangeFunction::AbsentOverTime),
    math("acos", MathFunction::Acos),
    math("acosh", MathFunction::Acosh),
    math("asin", MathFunction::Asin),
    math("asinh", MathFunction::Asinh),
    math("atan", MathFunction::Atan),
    math("atanh", MathFunction::Atanh),
    over("avg_over_time", RangeFunction::AvgOverTime),
    math("ceil", MathFunction::Ceil),
    over("changes", RangeFunction::Changes),
    function("clamp", &[Vector, Scalar, Scalar], Vector, Special::Math(MathFunction::Clamp)),
    function("clamp_max", &[Vector, Scalar], Vector, Special::Math(MathFunction::ClampMax)),
    function("clamp_min", &[Vector, Scalar], Vector, Special::Math(MathFunction::ClampMin)),
    math("cos", MathFunction::Cos),
    math("cosh", MathFunction::Cosh),
    over("count_over_time", RangeFunction::CountOverTime),
    date("day_of_month", DatePart::DayOfMonth),
    date("day_of_week", DatePart::DayOfWeek),
    date("day_of_year", DatePart::DayOfYear),
    date("days_in_month", DatePart::DaysInMonth),
    math("deg", MathFunction::Deg),
    over("delta", RangeFunction::Delta),
    over("deriv", RangeFunction::Deriv),
    experimental(function(
        "double_exponential_smoothing",
        &[Matrix, Scalar, Scalar],
        Vector,
        Special::Range(RangeFunction::DoubleExponentialSmoothing),
    )),
    experimental(query("end", QueryPart::End)),
    math("exp", MathFunction::Exp),
    over("first_over_time", RangeFunction::FirstOverTime),
    math("floor", MathFunction::Floor),
    function("histogram_avg", &[Vector], Vector, Special::HistogramPart(Part::Avg)),
    function("histogram_count", &[Vector], Vector, Special::HistogramPart(Part::Count)),
    function("histogram_fraction", &[Scalar, Scalar, Vector], Vector, Special::HistogramFraction),
    function("histogram_quantile", &[Scalar, Vector], Vector, Special::HistogramQuantile),
    experimental(variadic(
        function(
            "histogram_quantiles",
            &[Vector, Text, Scalar, Scalar],
            Vector,
            Special::HistogramQuantiles,
        ),
        Variadic::Optional(9),
    )),
    function("histogram_stddev", &[Vector], Vector, Special::HistogramPart(Part::Stddev)),
    function("histogram_stdvar", &[Vector], Vector, Special::HistogramPart(Part::Stdvar)),
    function("histogram_sum", &[Vector], Vector, Special::HistogramPart(Part::Sum)),
    date("hour", DatePart::Hour),
    over("idelta", RangeFunction::Idelta),
    over("increase", RangeFunction::Increase),
    experimental(variadic(
        function("info", &[Vector, Vector], Vector, Special::Info),
        Variadic::Optional(1),
    )),
    experimental(variadic(
        function("integral", &[Matrix, Scalar], Vector, Special::Range(RangeFunction::Integral)),
        Variadic::Optional(1),
    )),
    over("irate", RangeFunction::Irate),
    variadic(
        function("label_join", &[Vector, Text, Text, Text], Vector, Special::LabelJoin),
        Variadic::Any,
    ),
    function("label_replace", &[Vector, Text, Text, Text, Text], Vector, Special::LabelReplace),
    over("last_over_time", RangeFunction::LastOverTime),
    math("ln", MathFunction::Ln),
    math("log10", MathFunction::Log10),
    math("log2", MathFunction::Log2),
    experimental(over("mad_over_time", RangeFunction::MadOverTime)),
    experimental(function("max_of", &[Scalar, Scalar], Scalar, Special::Extreme(true))),
    over("max_over_time", RangeFunction::MaxOverTime),
    experimental(function("min_of", &[Scalar, Scalar], Scalar, Special::Extreme(false))),
    over("min_over_time", RangeFunction::MinOverTime),
    date("minute", DatePart::Minute),
    date("month", DatePart::Month),
    query("pi", QueryPart::Pi),
    function(
        "predict_linear",
        &[Matrix, Scalar],
        Vector,
        Special::Range(RangeFunction::PredictLinear),
    ),
    over("present_over_time", RangeFunction::PresentOverTime),
    function(
        "quantile_over_time",
        &[Scalar, Matrix],
        Vector,
        Special::Range(RangeFunction::QuantileOverTime),
    ),
    math("rad", MathFunction::Rad),
    experimental(query("range", QueryPart::Range)),
    over("rate", RangeFunction::Rate),
    over("resets", RangeFunction::Resets),
    variadic(
        function("round", &[Vector, Scalar], Vector, Special::Math(MathFunction::Round)),
        Variadic::Optional(1),
    ),
    function("scalar", &[Vector], Scalar, Special::ScalarOf),
    math("sgn", MathFunction::Sgn),
    math("sin", MathFunction::Sin),
    math("sinh", MathFunction::Sinh),
    function("sort", &[Vector], Vector, Special::Sort(Order::Ascending)),
    experimental(variadic(
        function("sort_by_label", &[Vector, Text], Vector, Special::Sort(Order::ByLabel)),
        Variadic::Any,
    )),
    experimental(variadic(
        function(
            "sort_by_label_desc",
            &[Vector, Text],
            Vector,
            Special::Sort(Order::ByLabelDescending),
        ),
        Variadic::Any,
    )),
    function("sort_desc", &[Vector], Vector, Special::Sort(Order::Descending)),
    math("sqrt", MathFunction::Sqrt),
    experimental(query("start", QueryPart::Start)),
    experimental(function("start_timestamp", &[Vector], Vector, Special::StartTimestamp)),
    over("stddev_over_time", RangeFunction::StddevOverTime),
    over("stdvar_over_time", RangeFunction::StdvarOverTime),
    experimental(query("step", QueryPart::Step)),
    over("sum_over_time", RangeFunction::SumOverTime),
    math("tan", MathFunction::Tan),
    math("tanh", MathFunction::Tanh),
    query("time", QueryPart::Time),
    function("timestamp", &[Vector], Vector, Special::Timestamp),
    experimental(over("ts_of_first_over_time", RangeFunction::TsOfFirstOverTime)),
    experimental(over("ts_of_last_over_time", RangeFunction::TsOfLastOverTime)),
    experimental(over("ts_of_max_over_time", RangeFunction::TsOfMaxOverTime)),
    experimental(over("ts_of_min_over_time", RangeFunction::TsOfMinOverTime)),
    function("vector", &[Scalar], Vector, Special::VectorOf),
    date("year", DatePart::Year),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_is_sorted_so_that_it_can_be_searched() {
        assert!(FUNCTIONS.is_sorted_by(|a, b| a.name < b.name));
        assert_eq!(find("rate").map(|f| f.args), Some(&[Matrix][..]));
        assert!(find("nope").is_none());
    }

    #[test]
    fn a_misspelt_name_finds_the_closest_one() {
        for (typed, found) in [
            ("rates", Some("rate")),
            ("Sum", Some("sum")),
            ("histogram_quantil", Some("histogram_quantile")),
            ("xyzzy", None),
        ] {
            assert_eq!(closest(typed), found, "{typed}");
        }
    }
}
