//! Webhooks: Alertmanager's JSON, version 4, by POST.

mod payload;
#[cfg(test)]
mod tests;

use std::{error::Error as _, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use model::{Timestamp, text::hex};
use reqwest::{
    Client, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect,
};
use ring::hmac;

pub use payload::{Message, MessageAlert};

use super::{BoxFuture, Delivery, Receiver};
use crate::{
    config::{Authorization, HttpConfig, TlsConfig, WebhookConfig},
    net,
    notification::Notification,
    secret::{Secret, SecretUrl},
};

/// The header with the HMAC-SHA256 of the body, as `sha256=` and lower-case hexadecimal digits.
pub const SIGNATURE_HEADER: &str = "x-bellwether-signature";
/// The header with the notification's id, the same for every attempt.
pub const IDEMPOTENCY_HEADER: &str = "idempotency-key";

const MAX_REDIRECTS: usize = 5;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// One webhook.
#[derive(Debug)]
pub struct Webhook {
    client: Client,
    url: SecretUrl,
    max_alerts: usize,
    authorization: Option<HeaderValue>,
    signing_secret: Option<Secret>,
    allow_link_local: bool,
}

impl Webhook {
    /// Sets the webhook up; nothing is connected yet.
    ///
    /// # Errors
    /// In words, when its certificates or credentials cannot be used.
    pub fn try_new(config: &WebhookConfig) -> Result<Self, String> {
        Ok(Self {
            client: client(config)?,
            url: config.url.clone(),
            max_alerts: config.max_alerts,
            authorization: config.http.authorization.as_ref().map(authorization).transpose()?,
            signing_secret: config.signing_secret.clone(),
            allow_link_local: config.allow_link_local,
        })
    }

    async fn post(&self, notification: &Notification) -> Delivery {
        if !self.allow_link_local && net::is_forbidden_literal(self.url.expose()) {
            let host = self.url.expose().host_str().unwrap_or_default().to_owned();
            return Delivery::Rejected { reason: net::ForbiddenAddress(host).to_string() };
        }
        let message = Message::new(notification, self.max_alerts);
        let body = match serde_json::to_vec(&message) {
            Ok(body) => body,
            Err(error) => {
                return Delivery::Rejected { reason: format!("cannot encode: {error}") };
            }
        };
        let mut request = self
            .client
            .post(self.url.expose().clone())
            .header(CONTENT_TYPE, "application/json")
            .header(IDEMPOTENCY_HEADER, notification.id.to_string());
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if let Some(secret) = &self.signing_secret {
            request = request.header(SIGNATURE_HEADER, signature(secret, &body));
        }
        match request.body(body).send().await {
            Ok(response) => judge(response.status(), response.headers(), notification.at),
            Err(error) => judge_error(&error),
        }
    }
}

impl Receiver for Webhook {
    fn send<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Delivery> {
        Box::pin(self.post(notification))
    }
}

fn client(config: &WebhookConfig) -> Result<Client, String> {
    net::install_crypto();
    let HttpConfig { follow_redirects, tls, .. } = &config.http;
    let mut builder = Client::builder()
        .user_agent(concat!("bellwether/", env!("CARGO_PKG_VERSION")))
        .timeout(config.timeout)
        .connect_timeout(CONNECT_TIMEOUT.min(config.timeout))
        .no_proxy()
        .redirect(redirects(*follow_redirects, config.allow_link_local));
    if !config.allow_link_local {
        builder = builder.dns_resolver(net::CheckingResolver);
    }
    trust(builder, tls)?.build().map_err(|error| error.to_string())
}

fn trust(
    mut builder: reqwest::ClientBuilder,
    tls: &TlsConfig,
) -> Result<reqwest::ClientBuilder, String> {
    if let Some((path, pem)) = &tls.ca {
        let certificates =
            reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(|error| {
                format!("cannot use the certificates of {}: {error}", path.display())
            })?;
        builder = builder.tls_certs_merge(certificates);
    }
    Ok(builder.tls_danger_accept_invalid_certs(tls.insecure_skip_verify))
}

/// Only redirects that keep method and body are followed: after the others the receiver would be asked
/// for a page, and its answer would look like success. A redirect can lead to an address that may not
/// be reached; names are judged by the resolver.
fn redirects(follow: bool, allow_link_local: bool) -> redirect::Policy {
    if !follow {
        return redirect::Policy::none();
    }
    redirect::Policy::custom(move |attempt| {
        if !matches!(attempt.status().as_u16(), 307 | 308) {
            attempt.stop()
        } else if attempt.previous().len() > MAX_REDIRECTS {
            attempt.error("too many redirects")
        } else if !allow_link_local && net::is_forbidden_literal(attempt.url()) {
            let host = attempt.url().host_str().unwrap_or_default().to_owned();
            attempt.error(net::ForbiddenAddress(host))
        } else {
            attempt.follow()
        }
    })
}

fn authorization(authorization: &Authorization) -> Result<HeaderValue, String> {
    let text = match authorization {
        Authorization::Basic(user, password) => {
            let credentials = format!("{user}:{}", password.expose());
            format!("Basic {}", BASE64.encode(credentials))
        }
        Authorization::Scheme(scheme, credentials) => format!("{scheme} {}", credentials.expose()),
    };
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| "the credentials have characters a header cannot carry".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// `sha256=` and the HMAC-SHA256 of the body.
fn signature(secret: &Secret, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    format!("sha256={}", hex(hmac::sign(&key, body).as_ref()))
}

fn judge(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Delivery {
    if status.is_success() {
        return Delivery::Done { provider_ref: None };
    }
    let reason = format!("answered {status}");
    let is_temporary = matches!(
        status,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
    );
    if is_temporary || status.is_server_error() {
        let after =
            headers.get(RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, now));
        return Delivery::Retry { reason, after };
    }
    Delivery::Rejected { reason }
}

/// The longest a receiver may ask us to wait; more is a mistake on its side.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// Seconds, or a date as HTTP writes it.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let length = if let Ok(seconds) = value.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let date = jiff::fmt::rfc2822::parse(value).ok()?;
        let ms = date.timestamp().as_millisecond().saturating_sub(now);
        Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    };
    Some(length.min(MAX_RETRY_AFTER))
}

fn judge_error(error: &reqwest::Error) -> Delivery {
    let mut source = error.source();
    let mut reason = if error.is_timeout() { "timed out".to_owned() } else { String::new() };
    while let Some(cause) = source {
        if let Some(forbidden) = cause.downcast_ref::<net::ForbiddenAddress>() {
            return Delivery::Rejected { reason: forbidden.to_string() };
        }
        // The innermost cause says most, and never holds the address.
        if cause.source().is_none() && reason.is_empty() {
            reason = cause.to_string();
        }
        source = cause.source();
    }
    if error.is_redirect() || error.is_builder() {
        return Delivery::Rejected { reason };
    }
    Delivery::Retry { reason: format!("cannot reach the receiver: {reason}"), after: None }
}
