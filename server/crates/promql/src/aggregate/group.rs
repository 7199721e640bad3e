//! Which group a series belongs to.

use std::collections::HashMap;

use model::{Labels, labels::METRIC_NAME};

use crate::parser::Grouping;

/// Finds groups by labels and keeps their labels, in the order they came up.
pub(super) struct Groups<'a> {
    grouping: &'a Grouping,
    places: HashMap<Box<str>, usize>,
    labels: Vec<Labels>,
    key: String,
}

impl<'a> Groups<'a> {
    pub(super) fn new(grouping: &'a Grouping) -> Self {
        Self { grouping, places: HashMap::new(), labels: Vec::new(), key: String::new() }
    }

    /// The number of the group of a series.
    pub(super) fn place(&mut self, labels: &Labels) -> usize {
        self.key.clear();
        match self.grouping {
            Grouping::By(names) if names.is_empty() => {}
            Grouping::By(names) => {
                labels.project_into(&mut self.key, |name| names.iter().any(|n| n == name));
            }
            Grouping::Without(names) => labels.project_into(&mut self.key, |name| {
                name != METRIC_NAME && !names.iter().any(|n| n == name)
            }),
        }
        if let Some(place) = self.places.get(self.key.as_str()) {
            return *place;
        }
        let place = self.labels.len();
        self.places.insert(self.key.as_str().into(), place);
        self.labels.push(Labels::from_packed(&self.key).unwrap_or_default());
        place
    }

    pub(super) fn labels(&self, place: usize) -> &Labels {
        &self.labels[place]
    }
}
