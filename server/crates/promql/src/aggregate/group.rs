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
            Grouping::By(names) if names.is_empty() => {
                if !self.labels.is_empty() {
                    return 0;
                }
            }
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
        self.add(Labels::from_packed(&self.key).unwrap_or_default())
    }

    /// The number of the group with these labels.
    pub(super) fn place_of_group(&mut self, labels: &Labels) -> usize {
        match self.places.get(labels.as_packed()) {
            Some(place) => *place,
            None => self.add(labels.clone()),
        }
    }

    fn add(&mut self, labels: Labels) -> usize {
        let place = self.labels.len();
        self.places.insert(labels.as_packed().into(), place);
        self.labels.push(labels);
        place
    }

    pub(super) fn labels(&self, place: usize) -> &Labels {
        &self.labels[place]
    }
}
