//! Rules: files in Prometheus's format, the state machine of alerts, recording rules, the schedule
//! of groups, and the templates of annotations.
//!
//! Deliberately absent: clocks, tasks, sockets, SQL and randomness. The caller brings the time of
//! each flush, answers queries ([`Query`]), takes samples ([`Sink`]) and stores [`Changes`] in one
//! commit with the notifications they lead to. Who is told, and whether an alert is silenced, is no
//! business of this crate.
//!
//! Invariants:
//! - A query that fails is never "the condition does not hold": it changes no alert.
//! - No alert ends without a transition, also when its rule is removed.
//! - The same rules, rows and times give the same changes, ids included.
//! - Input never panics, and a template can neither run for ever nor write without end.
//!
//! Entry points: [`file::parse`] reads a rule file, [`RuleSet`] holds the groups and evaluates
//! those that are due, [`GroupSpec`] is also how generated rules such as monitors are made,
//! [`lint::lint`] finds what is valid and still not good. Rule unit tests in promtool's format
//! belong into a module of their own beside [`mod@file`].

pub mod alert;
pub mod file;
pub mod group;
pub mod lint;
pub mod query;
pub mod rule;
pub mod set;
pub mod template;

pub use alert::{Changes, EpisodeId, Instance, Reason, State, Transition};
pub use file::FileError;
pub use group::{Evaluation, Expander, Group, Health, RuleError, RuleReport, RuleState};
pub use query::{AppendError, EngineQuery, Query, QueryError, Row, Sink, Timed};
pub use rule::{
    AlertingRule, Expression, ExpressionError, GroupSpec, Position, RecordingRule, Rule, RuleUid,
};
pub use set::{Reload, RuleSet};
pub use template::Template;
