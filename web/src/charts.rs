//! Charts in the browser: the shared drawing code on a canvas, with everything that reacts to the
//! reader as HTML on top, so that moving the pointer never draws a line again.

pub(crate) mod annotations;
mod canvas;
pub(crate) mod data;
mod legend_list;
mod overlay;
pub(crate) mod panel;
mod table;
mod view;

pub(crate) use overlay::Crosshair;
pub(crate) use panel::{PanelCard, PanelGrid};
pub(crate) use view::TimeChart;
