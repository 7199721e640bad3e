//! Reading the files again while running: all of them are read first, and any error keeps the old set.

use std::sync::{Arc, PoisonError};

use notify::receivers::{Pictures, Registry};
use rules::GroupSpec;

use super::{App, listeners, mappings::Mappings};
use crate::{
    alerting::load::{self, Loaded},
    config::Config,
    query::blocking,
    runbooks::{self, Page},
    uptime::{file, monitor::Monitor, rule::monitor_rules},
};

/// Everything that files say besides the configuration itself.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) groups: Vec<GroupSpec>,
    pub(super) receivers: Arc<notify::Config>,
    pub(super) monitors: Vec<Monitor>,
    pub(super) runbooks: std::collections::BTreeMap<String, Page>,
    pub(super) mappings: Mappings,
}

impl Files {
    /// Reads all files; the errors of all of them come together.
    pub(super) fn read(config: &Config) -> Loaded<Self> {
        let mut errors = Vec::new();
        let groups = note(load::rule_groups(config), &mut errors);
        let receivers = note(load::receivers(config), &mut errors);
        let monitors = note(monitors(config), &mut errors);
        let runbooks = note(runbooks::load(config.runbooks.dir.as_deref()), &mut errors);
        let mappings = note(Mappings::read(&config.statsd), &mut errors);
        match (groups, receivers, monitors, runbooks, mappings) {
            (Some(mut groups), Some(receivers), Some(monitors), Some(runbooks), Some(mappings)) => {
                groups.extend(groups_of_monitors(&monitors)?);
                Ok(Self { groups, receivers: Arc::new(receivers), monitors, runbooks, mappings })
            }
            _ => Err(errors),
        }
    }
}

fn note<T>(result: Loaded<T>, errors: &mut Vec<String>) -> Option<T> {
    result.map_err(|mut found| errors.append(&mut found)).ok()
}

fn monitors(config: &Config) -> Loaded<Vec<Monitor>> {
    let mut errors = Vec::new();
    let paths = load::expand_all(&config.monitors.files, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    file::load(&paths).map_err(|errors| errors.0.iter().map(ToString::to_string).collect())
}

/// Monitors alert through rules like everything else.
fn groups_of_monitors(monitors: &[Monitor]) -> Loaded<Vec<GroupSpec>> {
    rules::file::parse("monitors", &monitor_rules(monitors))
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

impl App {
    /// Reads rules, receivers, monitors, runbooks and mappings again.
    ///
    /// # Errors
    /// Every error of every file; then nothing changed.
    pub(crate) async fn reload(self: &Arc<Self>) -> Result<(), Vec<String>> {
        let result = self.try_reload().await;
        let errors = result.as_ref().err().cloned().unwrap_or_default();
        for error in &errors {
            tracing::error!(error, "reload failed, the old configuration stays");
        }
        *self.reload_errors.write().unwrap_or_else(PoisonError::into_inner) = errors;
        result
    }

    async fn try_reload(self: &Arc<Self>) -> Result<(), Vec<String>> {
        let app = Arc::clone(self);
        let files = blocking(move || Files::read(&app.config)).await?;
        let pictures: Arc<dyn Pictures> = Arc::clone(&self.pictures) as _;
        let registry = Registry::try_new(&files.receivers, &pictures)
            .map_err(|error| vec![error.to_string()])?;
        let now = self.clock.now();
        listeners::set_mappings(&self.config.statsd, &files.mappings, &self.listeners);
        self.runbooks.replace(files.runbooks);
        self.monitors.reload(files.monitors, now).await;
        self.worker.set_registry(registry);
        *self.receivers.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::clone(&files.receivers);
        let app = Arc::clone(self);
        blocking(move || app.alerting.reload(files.groups, files.receivers, now)).await;
        self.queries.cache.clear();
        tracing::info!("the configuration was reloaded");
        Ok(())
    }
}
