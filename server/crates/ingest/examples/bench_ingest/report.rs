//! The figures: JSON lines that `cargo xtask bench` collects, and lines for the reader.

use serde_json::json;

use crate::{
    peers::{PeerRun, Trial},
    rows::{Row, Run},
};

/// One figure.
pub(crate) struct Figure {
    pub(crate) work: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) target: Option<f64>,
    pub(crate) better: &'static str,
}

impl Figure {
    pub(crate) fn print(&self) {
        let mut figure = json!({
            "work": self.work,
            "value": self.value,
            "unit": self.unit,
            "better": self.better,
        });
        if let Some(target) = self.target {
            figure["target"] = target.into();
        }
        println!("{figure}");
    }
}

/// The runs of our server.
pub(crate) fn ours(row: &Row, runs: &[Run]) {
    for run in runs {
        println!("{}: {run}", row.name);
    }
    let most = |value: fn(&Run) -> f64| runs.iter().map(value).fold(0.0, f64::max);
    let figure = |what: &str, value: f64, unit: &'static str| Figure {
        work: format!("{}{what}", row.name),
        value,
        unit,
        target: None,
        better: "lower",
    };
    let cost = figure("", least(runs, Run::cost), "CPU-s per M metrics");
    Figure { target: row.cost_target, ..cost }.print();
    let rate = runs.iter().filter(|run| run.dropped == 0).map(|run| run.rate).fold(0.0, f64::max);
    let rate = figure(", accepted without loss", rate / 1e6, "M/s");
    Figure { target: row.rate_target(), better: "higher", ..rate }.print();
    let flush = figure(", longest flush", most(|run| run.flush_seconds), "s");
    Figure { target: Some(2.0), ..flush }.print();
    figure(", first flush", most(|run| run.first_flush_seconds), "s").print();
    let memory = figure(", resident", most(|run| run.resident_mb), "MB");
    Figure { target: row.memory_target, ..memory }.print();
}

/// The runs of another server, and ours in relation to them.
pub(crate) fn peer(row: &Row, ours: &[Run], trial: &Trial<'_>) {
    let name = trial.name();
    for run in trial.runs() {
        println!("{}, {name}: {run}", row.name);
    }
    if let Some(error) = trial.failure() {
        println!("{}, {name}: not measured: {error:#}", row.name);
    }
    if trial.runs().is_empty() {
        return;
    }
    let print = |work: String, value: f64, unit: &'static str| {
        Figure { work, value, unit, target: None, better: "lower" }.print();
    };
    let cost = least(trial.runs(), PeerRun::cost);
    print(format!("{}, {name}", row.name), cost, "CPU-s per M metrics");
    let lost = least(trial.runs(), PeerRun::lost);
    print(format!("{}, {name}, lost at least", row.name), lost * 100.0, "%");
    let memory = trial.runs().iter().map(|run| run.resident_mb).fold(0.0, f64::max);
    print(format!("{}, {name}, resident", row.name), memory, "MB");
    let ratio = least(ours, Run::cost) / cost;
    print(format!("{}, ours / {name}", row.name), ratio, "times its cost");
}

fn least<R>(runs: &[R], value: fn(&R) -> f64) -> f64 {
    runs.iter().map(value).fold(f64::INFINITY, f64::min)
}
