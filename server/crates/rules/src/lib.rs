//! Prometheus rule files: alert state machine, recording rules, schedule, annotation templates.

pub mod template;
