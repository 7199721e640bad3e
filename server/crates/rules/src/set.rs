//! All groups of a process: what is due, reload, restore.

use model::{Labels, Timestamp};

use crate::{
    alert::{self, Changes, Instance, State},
    group::{Evaluation, Expander, Group, stale_rows},
    query::{Query, Sink},
    rule::GroupSpec,
};

/// All groups, in the order they were given.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    groups: Vec<Group>,
    /// Series of groups that are gone; they end at the next flush.
    orphans: Vec<Labels>,
}

/// What a reload did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reload {
    /// What must be stored: alerts whose rule is gone are resolved.
    pub changes: Changes,
    /// Groups that do what they did before; they go on untouched.
    pub unchanged: usize,
    /// Groups of which rules of the same name and labels keep their state.
    pub changed: usize,
    /// New groups.
    pub added: usize,
    /// Groups that are gone.
    pub removed: usize,
}

impl RuleSet {
    /// Groups that were never evaluated.
    pub fn new(specs: Vec<GroupSpec>) -> Self {
        Self { groups: specs.into_iter().map(Group::new).collect(), orphans: Vec::new() }
    }

    /// The groups.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The groups, for evaluating those that are due one by one.
    pub fn groups_mut(&mut self) -> &mut [Group] {
        &mut self.groups
    }

    /// All instances of all rules.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.groups.iter().flat_map(Group::instances)
    }

    /// Which groups the flush at `timestamp` is to evaluate, as indices into [`Self::groups_mut`].
    /// Ask once per flush, evaluate them, then call [`Self::finish`].
    pub fn due(&mut self, timestamp: Timestamp) -> Vec<usize> {
        let groups = self.groups.iter_mut().enumerate();
        groups.filter_map(|(i, group)| group.schedule.is_due(timestamp).then_some(i)).collect()
    }

    /// Ends the series of groups that are gone, unless another rule has taken them up. When the
    /// sink fails it is tried again after the next flush.
    pub fn finish(&mut self, timestamp: Timestamp, sink: &dyn Sink) {
        let groups = &self.groups;
        self.orphans.retain(|labels| !groups.iter().any(|group| group.writes(labels)));
        if !self.orphans.is_empty() && sink.append(timestamp, &stale_rows(&self.orphans)).is_ok() {
            self.orphans.clear();
        }
    }

    /// Evaluates all groups that are due, in order; see [`Group::evaluate`].
    pub fn evaluate_due(
        &mut self,
        timestamp: Timestamp,
        query: &dyn Query,
        sink: &dyn Sink,
        expander: &Expander,
    ) -> Vec<Evaluation> {
        let due = self.due(timestamp);
        let evaluate = |i: usize| self.groups[i].evaluate(timestamp, query, sink, expander);
        let evaluations = due.into_iter().map(evaluate).collect();
        self.finish(timestamp, sink);
        evaluations
    }

    /// Replaces the groups. A group is known by file and name, a rule by its uid.
    pub fn reload(&mut self, specs: Vec<GroupSpec>, now: Timestamp) -> Reload {
        let mut reload = Reload::default();
        let mut former = std::mem::take(&mut self.groups);
        for spec in specs {
            let same_key =
                |group: &Group| (&group.spec.file, &group.spec.name) == (&spec.file, &spec.name);
            let known = former.iter().position(same_key).map(|i| former.remove(i));
            let group = match known {
                // The specification is taken all the same: its lines may have moved.
                Some(mut group) if group.spec.is_same(&spec) => {
                    reload.unchanged += 1;
                    group.spec = spec;
                    group
                }
                Some(group) => {
                    reload.changed += 1;
                    let mut changed = Group::new(spec);
                    changed.take_state(group, now, &mut reload.changes);
                    changed
                }
                None => {
                    reload.added += 1;
                    Group::new(spec)
                }
            };
            self.groups.push(group);
        }
        for group in former {
            reload.removed += 1;
            self.orphans.extend(group.end(now, &mut reload.changes));
        }
        reload
    }

    /// Takes back the instances that were stored, before the first evaluation.
    ///
    /// `down_since` is the last time the rules were evaluated, such as the last flush that was
    /// stored. The time since then is not counted: nobody looked whether the condition held, so a
    /// pending alert must hold, and a recovering one stay away, that much longer. Instances of
    /// rules that are gone are ended; what changed is returned. Resolved instances may be among
    /// them, in any order.
    pub fn restore(
        &mut self,
        instances: Vec<Instance>,
        down_since: Option<Timestamp>,
        now: Timestamp,
    ) -> Changes {
        let mut changes = Changes::default();
        for mut instance in instances {
            let since = down_since.unwrap_or(instance.last_eval).max(instance.last_eval);
            let down_ms = now.saturating_sub(since).max(0);
            match instance.state {
                State::Pending => instance.active_at += down_ms,
                State::Recovering => {
                    instance.keep_firing_since = instance.keep_firing_since.map(|t| t + down_ms);
                }
                State::Firing | State::Resolved => {}
            }
            let uid = instance.rule_uid;
            if let Some(state) = self.groups.iter_mut().find_map(|group| group.state_mut(uid)) {
                state.restore(instance);
            } else {
                let series = alert::series_of(&instance).into_iter().flatten();
                self.orphans.extend(series.map(|(labels, _)| labels));
                alert::end(&mut instance, now, &mut changes);
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests;
