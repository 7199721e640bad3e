//! PromQL: parser, evaluation, functions, limits and the runner of `.test` scripts.
//!
//! The language and its results are those of Prometheus 3 (names are dropped at the end of a query, as
//! with its feature `promql-delayed-name-removal`); functions it calls experimental are there too.
//!
//! Deliberately absent: threads, sockets, clocks and any store. The engine reads through
//! [`model::Storage`], is told the time, asks [`Context`] whether it should go on, and hands pieces of
//! large queries to [`Workers`] when there are any.
//!
//! Invariants:
//! - No text and no data make it panic; nesting, series, steps and samples are limited.
//! - Every node of a tree has a byte span; errors and annotations point to one.
//! - A row is evaluated over all steps at once; "no value here" is the staleness marker, which never
//!   leaves a selector as a value.
//! - What works series by series is streamed; memory grows with what a query returns and groups by.
//!
//! Entry points: [`parse`], [`Engine`], [`script`].

mod aggregate;
mod annotations;
mod binary;
mod engine;
mod eval;
mod functions;
pub mod parser;
pub mod script;

pub use annotations::{Annotation, Annotations, Level};
pub use engine::{
    Context, Engine, ErrorKind, EvalError, Options, Output, Plan, PlanNode, Point, Profiling,
    QueryValue, Range, Series, Stats, Task, VectorSample, Work, Workers, are_lasting, join,
    lookahead_ms,
};
pub use functions::{FUNCTIONS, Function, Variadic, find as find_function};
pub use parser::{Expr, ParseError, parse};
