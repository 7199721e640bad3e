//! Settings of receivers and their integrations: email and webhook.

use std::{path::PathBuf, time::Duration};

use crate::{
    receivers::Kind,
    secret::{Secret, SecretUrl},
};

/// A name and who is told under it.
#[derive(Debug, Clone)]
pub struct ReceiverConfig {
    /// The name routes use.
    pub name: String,
    /// Everyone who is told; without any, alerts end here unseen.
    pub integrations: Vec<Integration>,
}

/// One way to tell someone.
#[derive(Debug, Clone)]
pub enum Integration {
    /// A mail.
    Email(Box<EmailConfig>),
    /// An HTTP request.
    Webhook(Box<WebhookConfig>),
}

impl Integration {
    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Email(_) => Kind::Email,
            Self::Webhook(_) => Kind::Webhook,
        }
    }

    /// Whether it is told when alerts are over.
    pub fn send_resolved(&self) -> bool {
        match self {
            Self::Email(email) => email.send_resolved,
            Self::Webhook(webhook) => webhook.send_resolved,
        }
    }
}

/// A mail to one or more people over SMTP.
#[derive(Debug, Clone)]
pub struct EmailConfig {
    /// Whether the end of alerts is told. Default true (Alertmanager: false).
    pub send_resolved: bool,
    /// The recipients, `a@example.org, Ann <b@example.org>`.
    pub to: String,
    /// The sender.
    pub from: String,
    /// The mail server's name.
    pub host: String,
    /// Its port; on 465 TLS begins at once.
    pub port: u16,
    /// The name we greet with; the machine's own when `None`.
    pub hello: Option<String>,
    /// User and password for AUTH PLAIN or LOGIN.
    pub auth: Option<(String, Secret)>,
    /// Whether an unencrypted connection is refused. Default true; with false no TLS is used at all,
    /// except on port 465.
    pub require_tls: bool,
    /// How the server's certificate is checked.
    pub tls: TlsConfig,
}

/// What mails use when neither they nor the section `global` say otherwise.
#[derive(Debug, Clone, Default)]
pub struct SmtpDefaults {
    /// The sender.
    pub from: Option<String>,
    /// The mail server's name and port.
    pub smarthost: Option<(String, u16)>,
    /// The name we greet with.
    pub hello: Option<String>,
    /// The user for AUTH.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// Whether an unencrypted connection is refused.
    pub require_tls: Option<bool>,
    /// How the server's certificate is checked.
    pub tls: Option<TlsConfig>,
}

impl SmtpDefaults {
    /// What is set here, else what is set there. User and password go together.
    pub(super) fn or(self, other: &Self) -> Self {
        let has_user = self.user.is_some() || self.password.is_some();
        let (user, password) = if has_user {
            (self.user, self.password)
        } else {
            (other.user.clone(), other.password.clone())
        };
        Self {
            from: self.from.or_else(|| other.from.clone()),
            smarthost: self.smarthost.or_else(|| other.smarthost.clone()),
            hello: self.hello.or_else(|| other.hello.clone()),
            user,
            password,
            require_tls: self.require_tls.or(other.require_tls),
            tls: self.tls.or_else(|| other.tls.clone()),
        }
    }
}

/// A POST of Alertmanager's webhook JSON.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// Whether the end of alerts is told. Default true.
    pub send_resolved: bool,
    /// Where to.
    pub url: SecretUrl,
    /// The most alerts in one request, the rest is counted in `truncatedAlerts`; 0 is no limit.
    pub max_alerts: usize,
    /// How long one request may take. Default 10s.
    pub timeout: Duration,
    /// The key of the HMAC-SHA256 in the header `x-bellwether-signature`.
    pub signing_secret: Option<Secret>,
    /// Whether link-local and cloud metadata addresses may be reached. Default false.
    pub allow_link_local: bool,
    /// Authorization, redirects and TLS.
    pub http: HttpConfig,
}

impl WebhookConfig {
    /// A webhook with default settings.
    pub fn new(url: SecretUrl) -> Self {
        Self {
            send_resolved: true,
            url,
            max_alerts: 0,
            timeout: DEFAULT_WEBHOOK_TIMEOUT,
            signing_secret: None,
            allow_link_local: false,
            http: HttpConfig::default(),
        }
    }
}

pub(super) const DEFAULT_WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// How a request is made.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// The header `Authorization`.
    pub authorization: Option<Authorization>,
    /// Whether redirects that keep method and body (307, 308) are followed. Default true.
    pub follow_redirects: bool,
    /// How the server's certificate is checked.
    pub tls: TlsConfig,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { authorization: None, follow_redirects: true, tls: TlsConfig::default() }
    }
}

/// What the header `Authorization` says.
#[derive(Debug, Clone)]
pub enum Authorization {
    /// User and password.
    Basic(String, Secret),
    /// A scheme, `Bearer` by default, and its credentials.
    Scheme(String, Secret),
}

/// How a server's certificate is checked.
#[derive(Debug, Clone, Default)]
pub struct TlsConfig {
    /// Certificates trusted besides those of the system, as PEM, and the file they came from.
    pub ca: Option<(PathBuf, String)>,
    /// Whether any certificate is taken. Default false.
    pub insecure_skip_verify: bool,
}
