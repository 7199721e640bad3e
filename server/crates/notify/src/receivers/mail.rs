//! Mail over SMTP: text and HTML, the chart inline.

mod content;
mod html;
mod markdown;
mod message;
mod template;
#[cfg(test)]
mod tests;
mod words;

use std::{fmt, sync::Arc, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    message::{Mailbox, Mailboxes},
    transport::smtp::{
        self,
        authentication::{Credentials, Mechanism},
        client::{Certificate, Tls, TlsParameters},
        extension::ClientId,
    },
};
use tokio::time::timeout;

use super::{BoxFuture, Delivery, Pictures, Receiver};
use crate::{alert::fingerprint_text, config::EmailConfig, notification::Notification};
use content::{Content, Outline};
use message::Picture;

/// The port on which TLS begins at once.
const IMPLICIT_TLS_PORT: u16 = 465;
/// How long the server may take to answer one command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long drawing all pictures of a mail may take; it goes without them then.
const PICTURES_TIMEOUT: Duration = Duration::from_secs(5);
/// The most pictures in one mail.
const MAX_PICTURES: usize = 3;

/// A mailbox that is told.
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Mailboxes,
    pictures: Arc<dyn Pictures>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("from", &self.from)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

impl Mail {
    /// Sets the mailbox up; nothing is connected yet.
    ///
    /// # Errors
    /// In words, when addresses or certificates cannot be used.
    pub fn try_new(config: &EmailConfig, pictures: Arc<dyn Pictures>) -> Result<Self, String> {
        Ok(Self {
            transport: transport(config)?,
            from: config.from.parse().map_err(|e| format!("bad sender `{}`: {e}", config.from))?,
            to: config.to.parse().map_err(|e| format!("bad recipient `{}`: {e}", config.to))?,
            pictures,
        })
    }

    async fn deliver(&self, notification: &Notification) -> Delivery {
        let pictures = self.pictures(notification).await;
        let content = Content::new(notification, |alert| {
            let id = content_id(notification, alert.fingerprint());
            pictures.iter().any(|picture| picture.content_id == id).then_some(id)
        });
        let built = message::message(notification, content, pictures, &self.from, &self.to);
        let message = match built {
            Ok(message) => message,
            Err(error) => {
                return Delivery::Rejected { reason: format!("cannot build the mail: {error}") };
            }
        };
        match self.transport.send(message).await {
            Ok(response) => {
                Delivery::Done { provider_ref: response.first_line().map(str::to_owned) }
            }
            Err(error) => judge(&error),
        }
    }

    async fn pictures(&self, notification: &Notification) -> Vec<Picture> {
        let mut pictures = Vec::new();
        let draw = async {
            for alert in Outline::new(notification).full.into_iter().take(MAX_PICTURES) {
                if let Some(png) = self.pictures.chart(alert).await {
                    let content_id = content_id(notification, alert.fingerprint());
                    pictures.push(Picture { content_id, png });
                }
            }
        };
        if timeout(PICTURES_TIMEOUT, draw).await.is_err() {
            tracing::warn!(notification.id = %notification.id, "charts took too long; the mail goes without");
        }
        pictures
    }
}

impl Receiver for Mail {
    fn send<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Delivery> {
        Box::pin(self.deliver(notification))
    }
}

fn content_id(notification: &Notification, fingerprint: u64) -> String {
    format!("{}-{}@chart", fingerprint_text(fingerprint), notification.id.simple())
}

fn transport(config: &EmailConfig) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    crate::net::install_crypto();
    let tls = if config.port == IMPLICIT_TLS_PORT {
        Tls::Wrapper(tls_parameters(config)?)
    } else if config.require_tls {
        Tls::Required(tls_parameters(config)?)
    } else {
        Tls::None
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.host)
        .port(config.port)
        .tls(tls)
        .timeout(Some(COMMAND_TIMEOUT));
    if let Some(hello) = &config.hello {
        builder = builder.hello_name(ClientId::Domain(hello.clone()));
    }
    if let Some((user, password)) = &config.auth {
        builder = builder
            .credentials(Credentials::new(user.clone(), password.expose().to_owned()))
            .authentication(vec![Mechanism::Plain, Mechanism::Login]);
    }
    Ok(builder.build())
}

fn tls_parameters(config: &EmailConfig) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(config.host.clone())
        .dangerous_accept_invalid_certs(config.tls.insecure_skip_verify);
    if let Some((path, pem)) = &config.tls.ca {
        let certificate = Certificate::from_pem(pem.as_bytes())
            .map_err(|e| format!("cannot use the certificates of {}: {e}", path.display()))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(|error| format!("cannot set TLS up: {error}"))
}

/// 5xx is final; so is what a server cannot do at all, such as STARTTLS where it is required. 4xx and
/// anything on the way there can pass.
fn judge(error: &smtp::Error) -> Delivery {
    let reason = format!("mail server: {}", model::text::causes(error));
    if error.is_permanent() || error.is_client() {
        Delivery::Rejected { reason }
    } else {
        Delivery::Retry { reason, after: None }
    }
}
