//! Which series of two vectors belong together.

use std::collections::HashMap;

use model::{Labels, labels::METRIC_NAME};

use crate::{
    eval::Row,
    parser::{Grouping, Matching},
};

/// The series of both sides by the labels that must be equal.
pub(super) struct Signatures {
    pub(super) left: Vec<usize>,
    pub(super) right: Vec<usize>,
    /// How many different ones there are.
    pub(super) count: usize,
}

impl Signatures {
    pub(super) fn of(left: &[Row], right: &[Row], matching: &Matching) -> Self {
        let mut places: HashMap<Box<str>, usize> = HashMap::new();
        let mut key = String::new();
        let mut number = |row: &Row| {
            key.clear();
            row.labels.project_into(&mut key, |name| is_matched(matching, name));
            if let Some(place) = places.get(key.as_str()) {
                return *place;
            }
            let place = places.len();
            places.insert(key.as_str().into(), place);
            place
        };
        let left = left.iter().map(&mut number).collect();
        let right = right.iter().map(&mut number).collect();
        Self { left, right, count: places.len() }
    }
}

/// Whether a label must be equal on both sides.
pub(super) fn is_matched(matching: &Matching, name: &str) -> bool {
    match &matching.labels {
        None => name != METRIC_NAME,
        Some(Grouping::By(names)) => names.iter().any(|n| n == name),
        Some(Grouping::Without(names)) => name != METRIC_NAME && !names.iter().any(|n| n == name),
    }
}

/// The labels that must be equal, as they are.
pub(super) fn matched_labels(matching: &Matching, labels: &Labels) -> Labels {
    labels.without(|name| !is_matched(matching, name))
}
