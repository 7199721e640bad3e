//! The board as the web page sees it.

use api_types::{
    DayBar, LiveEvent, MonitorPage, MonitorRow, MonitorState, Outage, Panel, PanelQuery, Unit,
    Uptime, Uptimes,
};
use jiff::tz::TimeZone;
use model::{Labels, Timestamp};

use super::{Board, Entry, Transition};
use crate::uptime::{
    ledger::State,
    percent::{self, Period, Totals, Window},
};

const DAYS: u16 = 90;
const OUTAGES: usize = 50;

impl Board {
    /// All monitors by group and name. Days begin at midnight of `zone`.
    pub(crate) fn rows(&self, now: Timestamp, zone: &TimeZone) -> Vec<MonitorRow> {
        let days = percent::days(DAYS, now, zone);
        let mut rows: Vec<_> =
            self.entries.values().map(|entry| entry.row(&days, now, zone)).collect();
        rows.sort_by(|a, b| (&a.group, &a.name).cmp(&(&b.group, &b.name)));
        rows
    }

    /// One monitor; `None` when there is no such name.
    pub(crate) fn page(&self, name: &str, now: Timestamp, zone: &TimeZone) -> Option<MonitorPage> {
        let entry = self.entries.get(name)?;
        Some(MonitorPage {
            row: entry.row(&percent::days(DAYS, now, zone), now, zone),
            interval_seconds: entry.monitor.interval.as_secs_f64(),
            panels: entry.panels(),
            outages: entry.outages(),
            runbook: entry.monitor.alert.runbook.clone(),
        })
    }
}

impl Transition {
    /// As the live stream tells it.
    pub(crate) fn event(&self) -> LiveEvent {
        LiveEvent::Monitor { at_ms: self.since, name: self.monitor.clone(), to: shown(self.to) }
    }
}

impl Entry {
    fn row(&self, days: &[Window], now: Timestamp, zone: &TimeZone) -> MonitorRow {
        let current = self.ledger.current();
        let uptime = |period| self.uptime(period, now, zone);
        MonitorRow {
            name: self.monitor.name.clone(),
            group: self.monitor.group.clone(),
            kind: self.monitor.kind_name().to_owned(),
            target: self.monitor.target(),
            state: shown(current.state),
            since_ms: current.start,
            // How long a refusal took is no latency.
            latency_seconds: self
                .last
                .as_ref()
                .filter(|last| last.success)
                .map(|last| last.duration.as_secs_f64()),
            detail: self.detail(),
            uptime: Uptimes {
                day: uptime(Period::Day),
                week: uptime(Period::Week),
                month: uptime(Period::Month),
                quarter: uptime(Period::Quarter),
            },
            days: days.iter().map(|day| self.day(*day)).collect(),
        }
    }

    /// Why the last probe failed, even before that is confirmed; else why the state is what it is.
    fn detail(&self) -> String {
        let failed = self.last.as_ref().filter(|last| !last.success);
        let current = self.ledger.current();
        match failed {
            Some(last) if current.state.is_checked() => last.detail.clone(),
            _ => current.reason.clone(),
        }
    }

    fn uptime(&self, period: Period, now: Timestamp, zone: &TimeZone) -> Uptime {
        let figures = percent::figures(&self.ledger, period, now, zone);
        let totals = figures.map_or_else(Totals::default, |figures| figures.totals);
        Uptime {
            ratio: totals.availability(),
            change_points: figures.and_then(|figures| figures.change_points),
            down_ms: totals.down_ms,
            coverage: totals.coverage(),
        }
    }

    fn day(&self, day: Window) -> DayBar {
        let totals = self.ledger.totals(day.start, day.end);
        DayBar {
            start_ms: day.start,
            up_ms: totals.up_ms,
            degraded_ms: totals.degraded_ms,
            down_ms: totals.down_ms,
            unknown_ms: totals.unknown_ms,
            excluded_ms: totals.excluded_ms(),
        }
    }

    fn outages(&self) -> Vec<Outage> {
        let down = self.ledger.intervals().rev().filter(|interval| interval.state == State::Down);
        down.take(OUTAGES)
            .map(|interval| Outage {
                start_ms: interval.start,
                end_ms: interval.end,
                reason: interval.reason.clone(),
            })
            .collect()
    }

    fn panels(&self) -> Vec<Panel> {
        let selector = Labels::from_pairs([("monitor", &self.monitor.name)]);
        let panel = |id: &str, title: &str, metric: &str, legend: &str| Panel {
            id: id.to_owned(),
            title: title.to_owned(),
            queries: vec![PanelQuery {
                expr: format!("{metric}{selector}"),
                legend: legend.to_owned(),
            }],
            unit: Unit::Seconds,
            thresholds: Vec::new(),
            only: Vec::new(),
        };
        if self.monitor.kind_name() == "heartbeat" {
            return Vec::new();
        }
        vec![
            panel("latency", "Latency", "monitor_duration_seconds", "latency"),
            panel("phases", "Latency by phase", "monitor_phase_duration_seconds", ""),
        ]
    }
}

fn shown(state: State) -> MonitorState {
    match state {
        State::Up => MonitorState::Up,
        State::Degraded => MonitorState::Degraded,
        State::Down => MonitorState::Down,
        State::Unknown => MonitorState::Unknown,
        State::Maintenance => MonitorState::Maintenance,
        State::Paused => MonitorState::Paused,
    }
}
