//! Arithmetic and comparison between the series of two vectors.
//!
//! Pairs of series are found once by signature; then a pair is computed over all steps. Only where a
//! signature has several series on the side that should have one is every step looked at for
//! duplicates.

use std::{collections::HashMap, sync::Arc};

use model::Labels;

use super::{
    arithmetic::{Outcome, calculate, compare, values},
    signature::{Signatures, is_matched, matched_labels},
};
use crate::{
    engine::{EvalError, Point},
    eval::{Evaluator, Row, Steps, Values, is_absent, is_identity},
    parser::{Binary, Cardinality, Grouping, Number, Span},
};

pub(super) fn combine(
    evaluator: &Evaluator<'_>,
    binary: &Binary,
    span: Span,
    left: &[Row],
    right: &[Row],
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    let signatures = Signatures::of(left, right, &binary.matching);
    let is_swapped = binary.matching.cardinality == Cardinality::OneToMany;
    let fill = binary.matching.fill;
    let mut pairing = if is_swapped {
        Pairing::new(evaluator, binary, span, steps, (right, left), (fill.right, fill.left))
    } else {
        Pairing::new(evaluator, binary, span, steps, (left, right), (fill.left, fill.right))
    };
    let (many, one) = if is_swapped {
        (&signatures.right, &signatures.left)
    } else {
        (&signatures.left, &signatures.right)
    };
    let mut members: Vec<(Vec<usize>, Vec<usize>)> = vec![Default::default(); signatures.count];
    for (row, number) in many.iter().enumerate() {
        members[*number].0.push(row);
    }
    for (row, number) in one.iter().enumerate() {
        members[*number].1.push(row);
    }
    for (many, one) in &members {
        pairing.check_one_side(one)?;
        pairing.signature(many, one)?;
    }
    Ok(pairing.out.into_iter().filter(|row| row.values.has_any()).collect())
}

/// `many` is the left side unless the right one is the side with many series.
struct Pairing<'a> {
    evaluator: &'a Evaluator<'a>,
    binary: &'a Binary,
    span: Span,
    steps: Steps,
    many: &'a [Row],
    one: &'a [Row],
    fill_many: Option<f64>,
    fill_one: Option<f64>,
    /// At which steps the side with many series has any value; made when it is needed.
    many_present: Option<Vec<bool>>,
    places: HashMap<Labels, usize>,
    out: Vec<Row>,
}

/// Which output rows the pairs of one signature wrote to, and at which steps.
type Matched = HashMap<usize, Vec<bool>>;

impl<'a> Pairing<'a> {
    fn new(
        evaluator: &'a Evaluator<'a>,
        binary: &'a Binary,
        span: Span,
        steps: Steps,
        (many, one): (&'a [Row], &'a [Row]),
        (fill_many, fill_one): (Option<Number>, Option<Number>),
    ) -> Self {
        Self {
            evaluator,
            binary,
            span,
            steps,
            many,
            one,
            fill_many: fill_many.map(|number| number.value),
            fill_one: fill_one.map(|number| number.value),
            many_present: None,
            places: HashMap::new(),
            out: Vec::new(),
        }
    }

    fn is_swapped(&self) -> bool {
        self.binary.matching.cardinality == Cardinality::OneToMany
    }

    /// Two series with one signature on the side that may have only one are an error at every step
    /// where the other side has anything at all.
    fn check_one_side(&mut self, one: &[usize]) -> Result<(), EvalError> {
        if one.len() < 2 {
            return Ok(());
        }
        let has_fill = self.fill_many.is_some() || self.fill_one.is_some();
        let (many, count) = (self.many, self.steps.count);
        let many_present = self.many_present.get_or_insert_with(|| {
            (0..count).map(|step| many.iter().any(|row| row.values.is_present(step))).collect()
        });
        for (step, is_present) in many_present.iter().enumerate() {
            if !is_present && !has_fill {
                continue;
            }
            let mut present =
                one.iter().map(|i| &self.one[*i]).filter(|row| row.values.is_present(step));
            if let (Some(first), Some(second)) = (present.next(), present.next()) {
                return Err(self.duplicate(first, second));
            }
        }
        Ok(())
    }

    fn duplicate(&self, first: &Row, second: &Row) -> EvalError {
        let side = if self.is_swapped() { "left" } else { "right" };
        let matched = matched_labels(&self.binary.matching, &first.labels);
        let mut labels = [Plain(&first.labels).to_string(), Plain(&second.labels).to_string()];
        labels.sort();
        EvalError::Execution(format!(
            "found duplicate series for the match group {} on the {side} hand-side of the \
             operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique \
             on one side",
            Plain(&matched),
            labels[0],
            labels[1]
        ))
    }

    /// All pairs of one signature.
    fn signature(&mut self, many: &[usize], one: &[usize]) -> Result<(), EvalError> {
        if (many.is_empty() && self.fill_many.is_none())
            || (one.is_empty() && self.fill_one.is_none())
        {
            return Ok(());
        }
        let is_checked = many.len() > 1 || one.len() > 1;
        let mut matched = Matched::new();
        let (many_rows, one_rows) = (self.many, self.one);
        for m in many {
            let many_row = &many_rows[*m];
            for o in one {
                let one_row = &one_rows[*o];
                let place = self.place(&many_row.labels, &one_row.labels, many_row.drop_name);
                self.pair(
                    place,
                    &many_row.values,
                    &one_row.values,
                    is_checked.then_some(&mut matched),
                )?;
            }
            if let Some(fill) = self.fill_one {
                let missing = self.missing(fill, one.iter().map(|o| &one_rows[*o].values));
                let labels = matched_labels(&self.binary.matching, &many_row.labels);
                let place = self.place(&many_row.labels, &labels, many_row.drop_name);
                self.pair(place, &many_row.values, &missing, is_checked.then_some(&mut matched))?;
            }
        }
        if let Some(fill) = self.fill_many {
            let missing = self.missing(fill, many.iter().map(|m| &many_rows[*m].values));
            for o in one {
                let one_row = &one_rows[*o];
                let labels = matched_labels(&self.binary.matching, &one_row.labels);
                let place = self.place(&labels, &one_row.labels, false);
                self.pair(place, &missing, &one_row.values, is_checked.then_some(&mut matched))?;
            }
        }
        Ok(())
    }

    /// The fill value at the steps where none of the rows has a value.
    fn missing<'r>(&self, fill: f64, rows: impl Iterator<Item = &'r Values>) -> Values {
        let mut values = Values { floats: vec![fill; self.steps.count], histograms: None };
        for row in rows {
            for (step, value) in values.floats.iter_mut().enumerate() {
                if row.is_present(step) {
                    *value = crate::eval::ABSENT;
                }
            }
        }
        values
    }

    /// The output row for a pair.
    fn place(&mut self, many: &Labels, one: &Labels, drop_name: bool) -> usize {
        let labels = self.result_labels(many, one);
        if let Some(place) = self.places.get(&labels) {
            return *place;
        }
        let place = self.out.len();
        self.places.insert(labels.clone(), place);
        let drop_name = drop_name || self.binary.returns_bool;
        self.out.push(Row { labels, drop_name, values: Values::absent(self.steps.count) });
        place
    }

    fn result_labels(&self, many: &Labels, one: &Labels) -> Labels {
        let matching = &self.binary.matching;
        let changes_quantity = self.binary.op.changes_quantity();
        let is_one_to_one = matching.cardinality == Cardinality::OneToOne;
        let labels = many.without(|name| {
            if is_identity(name) && changes_quantity {
                return true;
            }
            is_one_to_one
                && match &matching.labels {
                    Some(Grouping::By(_)) => !is_matched(matching, name),
                    Some(Grouping::Without(names)) => names.iter().any(|n| n == name),
                    None => false,
                }
        });
        if matching.include.is_empty() {
            return labels;
        }
        let mut builder = labels.to_builder();
        for name in &matching.include {
            builder.set(name, one.value_or_empty(name));
        }
        builder.build()
    }

    /// Computes a pair at every step where both have a value.
    fn pair(
        &mut self,
        place: usize,
        many: &Values,
        one: &Values,
        matched: Option<&mut Matched>,
    ) -> Result<(), EvalError> {
        if let Some(matched) = matched {
            self.check_unique(place, many, one, matched)?;
        }
        let (left, right) = if self.is_swapped() { (one, many) } else { (many, one) };
        if left.histograms.is_none() && right.histograms.is_none() && !self.binary.op.is_trim() {
            return self.float_pair(place, left, right);
        }
        let binary = self.binary;
        for step in 0..self.steps.count {
            let (Some(l), Some(r)) = (left.point(step), right.point(step)) else { continue };
            let (outcome, notes) = values(binary.op, l, r);
            for note in notes.iter().flatten() {
                self.evaluator.note(note, self.span);
            }
            let out = &mut self.out[place].values;
            let kept = match &outcome {
                Outcome::Float(value) => Point::Float(*value),
                Outcome::Histogram(histogram) => Point::Histogram(histogram),
                Outcome::Compared(holds) if binary.returns_bool => {
                    Point::Float(f64::from(u8::from(*holds)))
                }
                Outcome::Compared(true) => l,
                Outcome::Compared(false) => continue,
                Outcome::Incompatible(note) => {
                    self.evaluator.note(note, self.span);
                    continue;
                }
            };
            if out.is_present(step) {
                return Err(EvalError::duplicate_labels());
            }
            match kept {
                Point::Float(value) => out.floats[step] = value,
                Point::Histogram(histogram) => out.set_histogram(step, Arc::clone(histogram)),
            }
        }
        Ok(())
    }

    fn float_pair(&mut self, place: usize, left: &Values, right: &Values) -> Result<(), EvalError> {
        let (op, returns_bool) = (self.binary.op, self.binary.returns_bool);
        let out = &mut self.out[place].values;
        let has_histograms = out.histograms.is_some();
        for (step, (l, r)) in left.floats.iter().zip(&right.floats).enumerate() {
            if is_absent(*l) || is_absent(*r) {
                continue;
            }
            let value = match compare(op, *l, *r) {
                None => calculate(op, *l, *r),
                Some(holds) if returns_bool => f64::from(u8::from(holds)),
                Some(true) => *l,
                Some(false) => continue,
            };
            if !is_absent(out.floats[step]) || (has_histograms && out.is_present(step)) {
                return Err(EvalError::duplicate_labels());
            }
            out.floats[step] = value;
        }
        Ok(())
    }

    /// Counts matches even where a comparison does not hold, as Prometheus does: whether a query fails
    /// must not depend on the values.
    fn check_unique(
        &self,
        place: usize,
        many: &Values,
        one: &Values,
        matched: &mut Matched,
    ) -> Result<(), EvalError> {
        let is_one_to_one = self.binary.matching.cardinality == Cardinality::OneToOne;
        // With one-to-one matching a signature has one match, whatever the result is called.
        let key = if is_one_to_one { 0 } else { place };
        let steps = matched.entry(key).or_insert_with(|| vec![false; self.steps.count]);
        for (step, is_matched) in steps.iter_mut().enumerate() {
            if !many.is_present(step) || !one.is_present(step) {
                continue;
            }
            if *is_matched {
                let message = if is_one_to_one {
                    "multiple matches for labels: many-to-one matching must be explicit \
                     (group_left/group_right)"
                } else {
                    "multiple matches for labels: grouping labels must ensure unique matches"
                };
                return Err(EvalError::Execution(message.to_owned()));
            }
            *is_matched = true;
        }
        Ok(())
    }
}

/// Labels with the name among them, as error messages of Prometheus have it.
struct Plain<'a>(&'a Labels);

impl std::fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("{")?;
        for (i, (name, value)) in self.0.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{name}={}", model::labels::Quoted(value))?;
        }
        f.write_str("}")
    }
}
