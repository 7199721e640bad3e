//! Whose series is it: the label that tells nodes apart.

use model::Labels;

/// The label that a node puts on the series it makes.
const NAME: &str = "ingest_node";
/// Where a label of that name goes that a sender had.
const EXPORTED: &str = "exported_ingest_node";

/// Two nodes that get the same metric from different senders make two series of it: counters add up on
/// each of them, and would otherwise overwrite each other. A server without a name adds nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeLabel(Option<String>);

impl NodeLabel {
    pub(crate) fn new(node: Option<&str>) -> Self {
        Self(node.map(str::to_owned))
    }

    /// The labels of a series that this node makes. What a sender said itself stays beside it.
    pub(crate) fn add(&self, labels: &Labels) -> Labels {
        let Some(node) = &self.0 else { return labels.clone() };
        let mut builder = labels.to_builder();
        if let Some(sent) = labels.get(NAME) {
            builder.set(EXPORTED, sent);
        }
        builder.set(NAME, node);
        builder.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_node_is_in_the_labels_and_what_was_sent_is_kept() {
        let sent = Labels::from_pairs([("__name__", "jobs"), ("ingest_node", "x")]);
        let expected = Labels::from_pairs([
            ("__name__", "jobs"),
            ("exported_ingest_node", "x"),
            ("ingest_node", "a"),
        ]);
        assert_eq!(NodeLabel::new(Some("a")).add(&sent), expected);
        assert_eq!(NodeLabel::new(None).add(&sent), sent);
    }
}
