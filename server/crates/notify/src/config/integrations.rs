//! Reading receivers and their integrations.

use std::path::PathBuf;

use yaml::Node;

use super::{
    Authorization, EmailConfig, HttpConfig, Integration, ReceiverConfig, TlsConfig, WebhookConfig,
    parse::Global, reader::Reader, receiver::DEFAULT_WEBHOOK_TIMEOUT, section::Section,
};
use crate::secret::{Secret, SecretUrl};

/// Kinds of receivers that Alertmanager has and we do not have yet.
const OTHER_KINDS: [&str; 17] = [
    "discord_configs",
    "incidentio_configs",
    "jira_configs",
    "mattermost_configs",
    "msteams_configs",
    "msteamsv2_configs",
    "opsgenie_configs",
    "pagerduty_configs",
    "pushover_configs",
    "rocketchat_configs",
    "slack_configs",
    "sns_configs",
    "telegram_configs",
    "victorops_configs",
    "webex_configs",
    "wechat_configs",
    "pushbullet_configs",
];

pub(super) fn receiver(reader: &Reader, node: &Node, global: &Global) -> Option<ReceiverConfig> {
    let section = reader.section(node, "a receiver")?;
    let name = section.required_text("name");
    section.not_supported(&OTHER_KINDS);
    let mut integrations = Vec::new();
    for node in section.list("email_configs") {
        let email = reader.section(node, "an email config").map(|s| email(s, global));
        integrations.extend(email.map(|email| Integration::Email(Box::new(email))));
    }
    for node in section.list("webhook_configs") {
        let webhook = reader.section(node, "a webhook config").and_then(|s| webhook(s, global));
        integrations.extend(webhook.map(|webhook| Integration::Webhook(Box::new(webhook))));
    }
    section.finish();
    Some(ReceiverConfig { name: name?.to_owned(), integrations })
}

fn email(section: Section<'_>, global: &Global) -> EmailConfig {
    let reader = section.reader;
    let smtp = &global.smtp;
    let to = section.required_text("to");
    if let Some(node) = section.get("to")
        && let Some(Err(error)) = to.map(str::parse::<lettre::message::Mailboxes>)
    {
        let example =
            "expected ann@example.org or Ann <ann@example.org>, with commas between several";
        reader.problem(node.place, format!("bad address in `to` ({error}), {example}"));
    }
    let from = section.text("from").map(str::to_owned).or_else(|| smtp.from.clone());
    match (&from, section.get("from")) {
        (None, _) => {
            reader.problem(section.at, "no sender: set `from` here or `smtp_from` in `global`");
        }
        (Some(from), Some(node)) => check_mailbox(reader, node, "from", from),
        // That of the global section is checked there.
        (Some(_), None) => {}
    }
    let smarthost = match section.get("smarthost") {
        Some(node) => reader.text(node, "smarthost").and_then(|text| smarthost(reader, node, text)),
        None => smtp.smarthost.clone(),
    };
    if smarthost.is_none() && section.get("smarthost").is_none() {
        reader.problem(
            section.at,
            "no mail server: set `smarthost` here or `smtp_smarthost` in `global`",
        );
    }
    let user = section.text("auth_username").map(str::to_owned).or_else(|| smtp.user.clone());
    let password = section.secret("auth_password").or_else(|| smtp.password.clone());
    if user.is_some() != password.is_some() {
        reader.problem(
            section.at,
            "a user needs a password: set `auth_username` and `auth_password`",
        );
    }
    let config = EmailConfig {
        send_resolved: section.bool("send_resolved").unwrap_or(true),
        to: to.unwrap_or_default().to_owned(),
        from: from.unwrap_or_default(),
        host: smarthost.as_ref().map(|(host, _)| host.clone()).unwrap_or_default(),
        port: smarthost.map(|(_, port)| port).unwrap_or_default(),
        hello: section.text("hello").map(str::to_owned).or_else(|| smtp.hello.clone()),
        auth: user.zip(password),
        require_tls: section.bool("require_tls").or(smtp.require_tls).unwrap_or(true),
        tls: match section.get("tls_config") {
            Some(node) => tls_config(reader, node).unwrap_or_default(),
            None => smtp.tls.clone().unwrap_or_default(),
        },
    };
    section.not_supported(&[
        "auth_identity",
        "auth_secret",
        "auth_secret_file",
        "headers",
        "html",
        "text",
        "threading",
    ]);
    section.finish();
    config
}

/// Reads `host:port`; the port may be left out and is then 587.
pub(super) fn smarthost(reader: &Reader, node: &Node, text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()),
        None => (text, Some(587)),
    };
    match port {
        Some(port) if !host.is_empty() => Some((host.trim_matches(['[', ']']).to_owned(), port)),
        _ => {
            reader.problem(
                node.place,
                format!("`{text}` is not host:port, such as mail.example.org:587"),
            );
            None
        }
    }
}

pub(super) fn check_mailbox(reader: &Reader, node: &Node, key: &str, text: &str) {
    if let Err(error) = text.parse::<lettre::message::Mailbox>() {
        let example = "expected ann@example.org or Ann <ann@example.org>";
        reader.problem(node.place, format!("bad address in `{key}` ({error}), {example}"));
    }
}

fn webhook(section: Section<'_>, global: &Global) -> Option<WebhookConfig> {
    let reader = section.reader;
    let url = section.secret("url");
    let node = section.get("url").or(section.get("url_file"));
    let url = match (url, node) {
        (None, None) => {
            reader.problem(section.at, "a webhook config needs `url` or `url_file`");
            None
        }
        (None, Some(_)) => None,
        (Some(text), node) => SecretUrl::parse(text.expose().trim())
            .map_err(|reason| {
                let at = node.map_or(section.at, |node| node.place);
                reader.problem(at, format!("bad webhook address: {reason}"));
            })
            .ok(),
    };
    let http = match section.get("http_config") {
        Some(node) => http_config(reader, node),
        None => Some(global.http.clone()),
    };
    let timeout = section.duration("timeout").filter(|timeout| !timeout.is_zero());
    let config = (
        section.bool("send_resolved").unwrap_or(true),
        section.number("max_alerts").unwrap_or(0),
        section.secret("signing_secret"),
        section.bool("allow_link_local").unwrap_or(false),
    );
    section.not_supported(&["payload"]);
    section.finish();
    let (send_resolved, max_alerts, signing_secret, allow_link_local) = config;
    Some(WebhookConfig {
        send_resolved,
        max_alerts,
        timeout: timeout.unwrap_or(DEFAULT_WEBHOOK_TIMEOUT),
        signing_secret,
        allow_link_local,
        http: http?,
        ..WebhookConfig::new(url?)
    })
}

pub(super) fn http_config(reader: &Reader, node: &Node) -> Option<HttpConfig> {
    let section = reader.section(node, "an http config")?;
    let mut found = Vec::new();
    if let Some(node) = section.get("basic_auth") {
        found.extend(basic_auth(reader, node));
    }
    if let Some(node) = section.get("authorization") {
        found.extend(authorization(reader, node));
    }
    if let Some(token) = section.secret("bearer_token") {
        found.push(Authorization::Scheme("Bearer".to_owned(), token));
    }
    if found.len() > 1 {
        reader.problem(
            section.at,
            "more than one of `basic_auth`, `authorization` and `bearer_token`; keep one",
        );
    }
    let config = HttpConfig {
        authorization: found.pop(),
        follow_redirects: section.bool("follow_redirects").unwrap_or(true),
        tls: section
            .get("tls_config")
            .and_then(|node| tls_config(reader, node))
            .unwrap_or_default(),
    };
    // Without effect either way: there is no HTTP/2 in this client.
    section.bool("enable_http2");
    section.not_supported(&[
        "oauth2",
        "proxy_url",
        "no_proxy",
        "proxy_from_environment",
        "proxy_connect_header",
        "http_headers",
    ]);
    section.finish();
    Some(config)
}

fn basic_auth(reader: &Reader, node: &Node) -> Option<Authorization> {
    let section = reader.section(node, "basic_auth")?;
    let user = section.required_text("username").unwrap_or_default().to_owned();
    let password = section.secret("password").unwrap_or_else(|| Secret::new(""));
    section.not_supported(&["username_file"]);
    section.finish();
    Some(Authorization::Basic(user, password))
}

fn authorization(reader: &Reader, node: &Node) -> Option<Authorization> {
    let section = reader.section(node, "authorization")?;
    let scheme = section.text("type").unwrap_or("Bearer").to_owned();
    let credentials = section.secret("credentials");
    if credentials.is_none() {
        reader.problem(section.at, "authorization needs `credentials` or `credentials_file`");
    }
    section.finish();
    Some(Authorization::Scheme(scheme, credentials?))
}

pub(super) fn tls_config(reader: &Reader, node: &Node) -> Option<TlsConfig> {
    let section = reader.section(node, "a TLS config")?;
    let ca = section.get("ca_file").and_then(|node| {
        let text = reader.read_file(node, "ca_file")?;
        Some((PathBuf::from(reader.text(node, "ca_file")?), text))
    });
    let config = TlsConfig {
        ca,
        insecure_skip_verify: section.bool("insecure_skip_verify").unwrap_or(false),
    };
    section.not_supported(&[
        "ca",
        "cert",
        "cert_file",
        "key",
        "key_file",
        "server_name",
        "min_version",
        "max_version",
    ]);
    section.finish();
    Some(config)
}
