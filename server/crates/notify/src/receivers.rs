//! Receivers: where notifications go.
//!
//! A receiver gets a [`Notification`], which holds everything it needs, and says whether it was
//! accepted and whether another try makes sense. It keeps no state and never looks at the outbox.

pub mod mail;
pub mod webhook;

use std::{
    collections::HashMap, fmt, future::Future, pin::Pin, str::FromStr, sync::Arc, time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    alert::Alert,
    config::{Config, Integration},
    notification::Notification,
};

/// A boxed future, so that ports can be used as trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a destination is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A mail.
    Email,
    /// An HTTP request.
    Webhook,
}

impl Kind {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
        }
    }
}

/// One integration of one receiver: `team-x/webhook/0`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Destination {
    /// The receiver's name.
    pub receiver: String,
    /// What it is.
    pub kind: Kind,
    /// Its position among the integrations of this kind.
    pub position: usize,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.receiver, self.kind.as_str(), self.position)
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.to_string()
    }
}

/// A text that names no destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a destination, expected receiver/kind/position")]
pub struct NotADestination(String);

impl FromStr for Destination {
    type Err = NotADestination;

    fn from_str(text: &str) -> Result<Self, NotADestination> {
        let parts = || {
            let (rest, position) = text.rsplit_once('/')?;
            let (receiver, kind) = rest.rsplit_once('/')?;
            let kind = [Kind::Email, Kind::Webhook].into_iter().find(|k| k.as_str() == kind)?;
            Some(Self { receiver: receiver.to_owned(), kind, position: position.parse().ok()? })
        };
        parts().ok_or_else(|| NotADestination(text.to_owned()))
    }
}

impl TryFrom<String> for Destination {
    type Error = NotADestination;

    fn try_from(text: String) -> Result<Self, NotADestination> {
        text.parse()
    }
}

/// The destinations of a configuration with their settings, receivers in the order of the file.
pub fn destinations(config: &Config) -> Vec<(Destination, &Integration)> {
    let mut found = Vec::new();
    for receiver in &config.receivers {
        let mut counts: HashMap<Kind, usize> = HashMap::new();
        for integration in &receiver.integrations {
            let position = counts.entry(integration.kind()).or_default();
            let destination = Destination {
                receiver: receiver.name.clone(),
                kind: integration.kind(),
                position: *position,
            };
            *position += 1;
            found.push((destination, integration));
        }
    }
    found
}

/// What became of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The other side has accepted it.
    Done {
        /// What the other side calls it, when it says so.
        provider_ref: Option<String>,
    },
    /// Not accepted; another try may help.
    Retry {
        /// Why, without secrets.
        reason: String,
        /// The least time to wait, when the other side asked for one.
        after: Option<Duration>,
    },
    /// Not accepted, and another try would not be either.
    Rejected {
        /// Why, without secrets.
        reason: String,
    },
}

/// Sends notifications to one destination.
pub trait Receiver: Send + Sync + fmt::Debug {
    /// Sends one notification. Sending the same one twice must be recognizable for the other side by
    /// its [id](Notification::id). Cancelled by dropping the future.
    fn send<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Delivery>;
}

/// Draws the picture of an alert.
pub trait Pictures: Send + Sync + fmt::Debug {
    /// A PNG of the alert's value with its threshold, drawn for two pixels per point and about 600
    /// points wide; `None` when there is nothing to draw.
    fn chart<'a>(&'a self, alert: &'a Alert) -> BoxFuture<'a, Option<Vec<u8>>>;
}

/// Draws nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPictures;

impl Pictures for NoPictures {
    fn chart<'a>(&'a self, _alert: &'a Alert) -> BoxFuture<'a, Option<Vec<u8>>> {
        Box::pin(async { None })
    }
}

/// A destination cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up {destination}: {reason}")]
pub struct SetupError {
    /// Which one.
    pub destination: Destination,
    /// Why, without secrets.
    pub reason: String,
}

/// The receivers of a configuration by destination.
#[derive(Debug, Clone, Default)]
pub struct Registry(HashMap<String, Arc<dyn Receiver>>);

impl Registry {
    /// Sets every destination of the configuration up. Nothing is connected yet.
    ///
    /// # Errors
    /// The first destination whose certificates or addresses cannot be used.
    pub fn try_new(config: &Config, pictures: &Arc<dyn Pictures>) -> Result<Self, SetupError> {
        let mut receivers: HashMap<String, Arc<dyn Receiver>> = HashMap::new();
        for (destination, integration) in destinations(config) {
            let receiver: Result<Arc<dyn Receiver>, String> = match integration {
                Integration::Webhook(webhook) => {
                    webhook::Webhook::try_new(webhook).map(|receiver| Arc::new(receiver) as _)
                }
                Integration::Email(email) => mail::Mail::try_new(email, Arc::clone(pictures))
                    .map(|receiver| Arc::new(receiver) as _),
            };
            match receiver {
                Ok(receiver) => receivers.insert(destination.to_string(), receiver),
                Err(reason) => {
                    return Err(SetupError { destination, reason });
                }
            };
        }
        Ok(Self(receivers))
    }

    /// Adds or replaces a receiver.
    pub fn insert(&mut self, destination: &str, receiver: Arc<dyn Receiver>) {
        self.0.insert(destination.to_owned(), receiver);
    }

    /// The receiver of a destination, when the configuration still has it.
    pub fn get(&self, destination: &str) -> Option<Arc<dyn Receiver>> {
        self.0.get(destination).map(Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_read_back() {
        let destination =
            Destination { receiver: "team/x".to_owned(), kind: Kind::Webhook, position: 2 };
        assert_eq!(destination.to_string(), "team/x/webhook/2");
        assert_eq!("team/x/webhook/2".parse(), Ok(destination));
        assert!("team/fax/0".parse::<Destination>().is_err());
    }
}
