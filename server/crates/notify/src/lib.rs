//! Route tree, grouping, silences, templates, the outbox worker and the receivers.
