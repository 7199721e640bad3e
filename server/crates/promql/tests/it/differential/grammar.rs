//! Queries by lot, of all that both engines know.

use promql::Range;

use super::{BEGIN, Query, Random};

pub(super) struct Grammar<'a> {
    random: &'a mut Random,
}

/// Metrics with labels `job` and `instance`.
const GAUGES: [&str; 4] = ["temperature", "load", "flaky", "odd"];
const COUNTERS: [&str; 3] = ["requests_total", "bytes_total", "latency_bucket"];
/// Lengths that are not multiples of the distance of subquery steps.
const RANGES: [&str; 6] = ["45s", "1m", "5m", "7m30s", "15m", "31m"];

const OVER_TIME: [&str; 10] =
    ["avg", "min", "max", "sum", "count", "stddev", "stdvar", "last", "present", "absent"];
/// Functions that leave a small difference small,
const SMOOTH: [&str; 17] = [
    "abs",
    "exp",
    "sqrt",
    "ln",
    "log2",
    "log10",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "deg",
    "rad",
    "timestamp",
    "sort",
    "sort_desc",
];
/// and those that may not.
const STEPPED: [&str; 15] = [
    "ceil",
    "floor",
    "sgn",
    "sin",
    "cos",
    "hour",
    "minute",
    "month",
    "year",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "round",
    "tan",
];

impl<'a> Grammar<'a> {
    pub(super) fn new(random: &'a mut Random) -> Self {
        Self { random }
    }

    pub(super) fn query(&mut self) -> Query {
        // Seven seconds past a minute, so that no step of a subquery is at the edge of a window.
        let start = BEGIN + 40_000 + 7_000 + 60_000 * (20 + self.random.below(60) as i64);
        let step_ms = *self.random.pick(&[15_000, 60_000, 127_000, 600_000]);
        let end = start + step_ms * self.random.below(12) as i64;
        let text = match self.random.below(12) {
            0 => self.scalar(2),
            _ => self.vector(3),
        };
        Query { text, range: Range { start, end: end.max(start + step_ms), step_ms } }
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        self.random.pick::<&'static str>(from)
    }

    fn vector(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.leaf();
        }
        let inner = depth - 1;
        match self.random.below(16) {
            0..=2 => self.leaf(),
            3..=4 => self.over_range(inner),
            5..=7 => self.aggregation(inner),
            8 => self.of_number(inner),
            9..=10 => self.with_scalar(inner),
            11..=12 => self.of_two(inner),
            13 => self.histogram(),
            14 => self.odd_one_out(inner),
            _ => format!("({})", self.vector(inner)),
        }
    }

    /// A selector, or a function over its range.
    fn leaf(&mut self) -> String {
        if self.random.once_in(3) {
            let metric = self.pick(&GAUGES);
            return self.selector(metric, "");
        }
        self.over_selector()
    }

    fn selector(&mut self, metric: &str, range: &str) -> String {
        let matchers = self.pick(&[
            "",
            "",
            "{job=\"api\"}",
            "{job=~\"api|web\"}",
            "{job!=\"db\"}",
            "{instance!~\"3\"}",
            "{job=\"web\",instance=~\"[12]\"}",
            "{instance=~\".+\"}",
        ]);
        let time = match self.random.below(12) {
            0 => " offset 4m",
            1 => " offset -3m",
            2 => " @ start()",
            3 => " @ end()",
            4 => " @ 1700003007",
            5 => " @ 1700003007 offset 2m",
            _ => "",
        };
        format!("{metric}{matchers}{range}{time}")
    }

    fn over_selector(&mut self) -> String {
        let range = self.pick(&RANGES);
        let range = format!("[{range}]");
        if self.random.once_in(2) {
            let function = self.pick(&["rate", "increase", "irate", "resets", "changes"]);
            let metric = self.pick(&COUNTERS);
            return format!("{function}({})", self.selector(metric, &range));
        }
        let metric = self.pick(&GAUGES);
        let selector = self.selector(metric, &range);
        if self.random.once_in(5) {
            let function = self.pick(&["resets", "changes"]);
            return format!("{function}({selector})");
        }
        self.over(&selector)
    }

    /// A vector whose numbers no rounding makes others, for what is not continuous.
    fn exact(&mut self) -> String {
        let metric = self.pick(&GAUGES);
        if self.random.once_in(2) {
            return self.selector(metric, "");
        }
        let function = self.pick(&["min", "max", "last", "count", "present"]);
        let range = self.pick(&RANGES);
        format!("{function}_over_time({})", self.selector(metric, &format!("[{range}]")))
    }

    fn over(&mut self, range: &str) -> String {
        match self.random.below(20) {
            0 => format!("quantile_over_time(0.9, {range})"),
            1 if !range.contains('@') && !range.contains("odd") => {
                format!("predict_linear({range}, 600)")
            }
            2 if !range.contains("odd") => format!("deriv({range})"),
            3 | 4 if !range.contains(':') => format!("delta({range})"),
            5 | 6 if !range.contains(':') => format!("idelta({range})"),
            _ => format!("{}_over_time({range})", self.pick(&OVER_TIME)),
        }
    }

    /// A function over a subquery, the only one in the expression below it.
    fn over_range(&mut self, depth: u32) -> String {
        if self.random.once_in(2) {
            return self.over_selector();
        }
        let inner = if depth > 1 && self.random.once_in(2) {
            let leaf = self.leaf();
            format!("sum by (job) ({leaf})")
        } else {
            self.leaf()
        };
        let range = self.pick(&["4m", "10m", "21m"]);
        let step = self.pick(&["", "30s", "1m", "2m"]);
        let time = self.pick(&["", "", " offset 1m", " @ end()"]);
        self.over(&format!("({inner})[{range}:{step}]{time}"))
    }

    fn aggregation(&mut self, depth: u32) -> String {
        let inner = self.vector(depth);
        let grouping = self.pick(&[
            "",
            " by (job)",
            " by (instance, job)",
            " without (instance)",
            " without (job, code, le)",
            " by (nothing)",
        ]);
        let (op, param) = match self.random.below(11) {
            0 => ("quantile", "0.3, "),
            1 => ("count_values", "\"value\", "),
            n => {
                let plain =
                    ["sum", "sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"];
                (plain[n as usize - 2], "")
            }
        };
        let inner = match op {
            "count_values" => self.exact(),
            "stddev" | "stdvar" => format!("({inner}) > -1e12 < 1e12"),
            _ => inner,
        };
        format!("{op}{grouping} ({param}{inner})")
    }

    fn of_number(&mut self, depth: u32) -> String {
        let inner = self.vector(depth);
        match self.random.below(8) {
            0 => format!("clamp({inner}, 2, 500)"),
            1 => format!("clamp_max({inner}, 100)"),
            2 => format!("clamp_min({inner}, 3)"),
            3 => format!("round({}, 0.25)", self.exact()),
            4 => format!("-({inner})"),
            5 => format!("{}({})", self.pick(&STEPPED), self.exact()),
            _ => format!("{}({inner})", self.pick(&SMOOTH)),
        }
    }

    fn with_scalar(&mut self, depth: u32) -> String {
        let op = self.pick(&["+", "-", "*", "/", "^", "%", "atan2", "<", "<", "<", "<", "<"]);
        let (vector, scalar) = (self.vector(depth), self.scalar(1));
        let (vector, op, scalar) = match op {
            "atan2" => (format!("({vector}) * 1"), op, scalar),
            "^" => (vector, op, self.pick(&["2", "0.5", "3"]).to_owned()),
            "%" => (self.exact(), op, "7.25".to_owned()),
            "<" => {
                let op = self.pick(&[">", "<", ">=", "<=", "==", "!=", "> bool", "== bool"]);
                (self.exact(), op, self.pick(&["100", "2", "time() % 1000", "-inf"]).to_owned())
            }
            op => (vector, op, scalar),
        };
        if self.random.once_in(3) {
            format!("({scalar}) {op} ({vector})")
        } else {
            format!("({vector}) {op} ({scalar})")
        }
    }

    fn of_two(&mut self, depth: u32) -> String {
        let left = self.vector(depth);
        let right = if self.random.once_in(3) { left.clone() } else { self.vector(depth) };
        match self.random.below(7) {
            0 => {
                let op = self.pick(&["and", "or", "unless"]);
                let matching = self.pick(&["", " on (job)", " ignoring (code, le)", " on ()"]);
                format!("({left}) {op}{matching} ({right})")
            }
            1 => {
                let op = self.pick(&["+", "-", "*", "/"]);
                let limit = self.selector("limit", "");
                format!("({left}) {op} on (job) group_left (team) sum by (job, team) ({limit})")
            }
            2 => {
                let op = self.pick(&["+", "/"]);
                let right = format!("sum by (job, instance) ({right})");
                format!("min by (job) ({left}) {op} on (job) group_right () {right}")
            }
            3 => {
                let op = self.pick(&["> bool", "!= bool", "<= bool", "%", "-"]);
                let matching = self.pick(&["", " on (job, instance)"]);
                format!("{} {op}{matching} {}", self.exact(), self.exact())
            }
            4 => {
                let op = self.pick(&["<", "==", ">="]);
                let limit = self.selector("limit", "");
                format!("{} {op} on (job) group_left (team) {limit}", self.exact())
            }
            _ => {
                let op = self.pick(&["+", "*", "/", "* 1 atan2"]);
                let matching = self.pick(&["", " on (job, instance)", " ignoring (code)"]);
                format!("({left}) {op}{matching} ({right})")
            }
        }
    }

    fn histogram(&mut self) -> String {
        let q = self.pick(&["0.5", "0.9", "0.99", "0", "1", "1.5", "scalar(vector(0.7))"]);
        let range = self.pick(&["1m", "5m", "15m"]);
        let by = self.pick(&["le", "le, job", "le, job, instance"]);
        let buckets = self.selector("latency_bucket", &format!("[{range}]"));
        format!("histogram_quantile({q}, sum by ({by}) (increase({buckets})))")
    }

    fn odd_one_out(&mut self, depth: u32) -> String {
        let inner = self.vector(depth);
        match self.random.below(7) {
            0 => format!("absent({inner})"),
            1 => format!("label_replace({inner}, \"copy\", \"$1-x\", \"job\", \"(.)(.*)\")"),
            2 => format!("label_join({inner}, \"both\", \"/\", \"job\", \"instance\")"),
            3 => format!("vector(scalar({inner}))"),
            4 => {
                let metric = self.selector("bytes_total", "");
                format!("topk by (job) (1, {metric}) or bottomk (2, {metric})")
            }
            5 => format!("count(topk by (job) (2, {inner}))"),
            _ => format!("absent(nothing{{job=\"x\"}}) or {inner}"),
        }
    }

    fn scalar(&mut self, depth: u32) -> String {
        match self.random.below(if depth == 0 { 3 } else { 7 }) {
            0 => "2".to_owned(),
            1 => "0.5".to_owned(),
            2 => "100".to_owned(),
            3 => "time() % 1000".to_owned(),
            4 => format!("scalar(max({}))", self.leaf()),
            5 => "pi()".to_owned(),
            _ => {
                let op = self.pick(&["+", "*", "-", "/"]);
                format!("({}) {op} ({})", self.scalar(depth - 1), self.scalar(depth - 1))
            }
        }
    }
}
