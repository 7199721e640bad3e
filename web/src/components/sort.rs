//! Tables that can be sorted by a column.

use leptos::prelude::*;

use crate::icons::{Icon, IconName};

/// By what a table is sorted; `None` keeps the server's order, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sort<C: 'static> {
    pub(crate) by: Option<(C, Direction)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Ascending,
    Descending,
}

impl<C: Copy + PartialEq> Sort<C> {
    pub(crate) const SERVER: Self = Self { by: None };

    /// What a click on a column's head leads to: this column, then reversed, then the server's order.
    pub(crate) fn after_click(self, column: C, first: Direction) -> Self {
        let by = match self.by {
            Some((present, direction)) if present == column => {
                (direction == first).then_some((column, first.reversed()))
            }
            _ => Some((column, first)),
        };
        Self { by }
    }

    fn direction_of(self, column: C) -> Option<Direction> {
        self.by.filter(|by| by.0 == column).map(|by| by.1)
    }

    /// Sorts rows by `compare`, which says how two rows stand in a column, ascending.
    pub(crate) fn apply<R>(
        self,
        rows: &mut [R],
        compare: impl Fn(C, &R, &R) -> std::cmp::Ordering,
    ) {
        if let Some((column, direction)) = self.by {
            rows.sort_by(|a, b| match direction {
                Direction::Ascending => compare(column, a, b),
                Direction::Descending => compare(column, b, a),
            });
        }
    }
}

impl Direction {
    fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

/// Numbers that may be missing: those count as smaller than all others.
pub(crate) fn compare(a: Option<f64>, b: Option<f64>) -> std::cmp::Ordering {
    a.unwrap_or(f64::NEG_INFINITY).total_cmp(&b.unwrap_or(f64::NEG_INFINITY))
}

/// The head of a column of numbers or names that sorts its table.
#[component]
pub(crate) fn SortHead<C: Copy + PartialEq + Send + Sync + 'static>(
    #[prop(into)] label: String,
    column: C,
    /// The direction of the first click: names ascend, numbers descend.
    first: Direction,
    sort: RwSignal<Sort<C>>,
    #[prop(optional)] class: &'static str,
) -> impl IntoView {
    let direction = move || sort.get().direction_of(column);
    let aria = move || match direction() {
        Some(Direction::Ascending) => "ascending",
        Some(Direction::Descending) => "descending",
        None => "none",
    };
    let arrow = move || {
        direction().map(|direction| {
            let name = match direction {
                Direction::Ascending => IconName::ArrowUp,
                Direction::Descending => IconName::ArrowDown,
            };
            view! { <Icon name/> }
        })
    };
    view! {
        <th scope="col" class=class aria-sort=aria>
            <button
                type="button"
                class="sort"
                on:click=move |_| sort.update(|sort| *sort = sort.after_click(column, first))
            >
                {label}
                {arrow}
            </button>
        </th>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clicks_go_through_both_directions_and_back_to_the_servers_order() {
        let first = Sort::SERVER.after_click('a', Direction::Descending);
        let second = first.after_click('a', Direction::Descending);
        let third = second.after_click('a', Direction::Descending);
        assert_eq!(first.by, Some(('a', Direction::Descending)));
        assert_eq!(second.by, Some(('a', Direction::Ascending)));
        assert_eq!(third, Sort::SERVER);
        assert_eq!(
            second.after_click('b', Direction::Ascending).by,
            Some(('b', Direction::Ascending))
        );
    }

    #[test]
    fn missing_numbers_are_smallest() {
        let mut rows = [Some(2.0), None, Some(1.0)];
        let sort = Sort { by: Some(('x', Direction::Descending)) };
        sort.apply(&mut rows, |_, a, b| compare(*a, *b));
        assert_eq!(rows, [Some(2.0), Some(1.0), None]);
    }
}
