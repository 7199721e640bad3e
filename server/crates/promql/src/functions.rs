//! The functions of PromQL as data, and what they compute, one file per family.

mod catalog;
pub(crate) mod dates;
pub(crate) mod histogram;
pub(crate) mod labels;
pub(crate) mod math;
pub(crate) mod order;
pub(crate) mod range;

pub use catalog::{FUNCTIONS, Function, Variadic, find};
pub(crate) use catalog::{QueryPart, Special, closest};
