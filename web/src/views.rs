//! Lists of views.

use leptos::prelude::*;

/// Collects items into a list of views without their type.
///
/// Leptos compiles the code of a list once per type of its items. Without the type there is one list
/// for all, which makes the download a good deal smaller.
pub(crate) trait CollectViews {
    /// The views in order.
    fn collect_views(self) -> Vec<AnyView>;
}

impl<I> CollectViews for I
where
    I: Iterator,
    I::Item: IntoAny,
{
    fn collect_views(self) -> Vec<AnyView> {
        self.map(IntoAny::into_any).collect()
    }
}
