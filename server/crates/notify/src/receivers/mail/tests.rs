use std::sync::Mutex;

use model::Labels;
use quantity::Unit;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use super::*;
use crate::{
    alert::{
        Alert,
        tests::{firing, resolved},
    },
    config::TlsConfig,
    notification::tests::notification,
    receivers::NoPictures,
    threshold::{Comparison, Threshold},
};

/// A picture for every alert that has a value.
#[derive(Debug)]
struct OnePixel;

impl Pictures for OnePixel {
    fn chart<'a>(&'a self, alert: &'a Alert) -> BoxFuture<'a, Option<Vec<u8>>> {
        Box::pin(async { alert.value.map(|_| b"\x89PNG not really".to_vec()) })
    }
}

fn checkout() -> Alert {
    let mut alert = firing(
        "alertname=HighErrorRate,service=checkout,severity=page,owner=team-pay",
        1_700_000_000_000,
    );
    alert.annotations = Labels::from_pairs([
        ("summary", "Checkout fails for one in twenty customers"),
        ("description", "5.2 % of requests to checkout answer 5xx; the limit is 1 %."),
        ("impact", "Orders are lost."),
        ("runbook_url", "https://bell.example/runbooks/high-error-rate"),
    ]);
    alert.value = Some(0.052);
    alert.threshold = Some(Threshold { comparison: Comparison::Greater, bound: 0.01 });
    alert.unit = Unit::Ratio;
    alert.runbook = Some("Look at the **last deploy** first:\n\n1. `kubectl rollout history`\n2. roll back if it is younger than an hour".to_owned());
    alert
}

#[test]
fn subjects_say_what_where_and_how_bad() {
    let named =
        |name: &str, service: &str| firing(&format!("alertname={name},service={service}"), 0);
    let long = firing(&format!("alertname={}", "x".repeat(200)), 0);
    for (alerts, expected) in [
        (vec![checkout()], "[FIRING] HighErrorRate: checkout (5.2% > 1%)"),
        (
            vec![resolved(&checkout(), 1_700_000_720_000)],
            "[RESOLVED] HighErrorRate: checkout (after 12 min)",
        ),
        (vec![firing("alertname=Down", 0)], "[FIRING] Down"),
        (vec![firing("job=x", 0)], "[FIRING] alert: x"),
        (vec![named("Slow", "a"), named("Slow", "b")], "[FIRING:2] Slow: a, b"),
        (vec![named("Slow", "a"), named("Down", "a")], "[FIRING:2] Slow, Down"),
        (
            vec![checkout(), resolved(&named("Slow", "a"), 5)],
            "[FIRING] HighErrorRate: checkout (5.2% > 1%)",
        ),
        (vec![firing("alertname=a\nb", 0)], "[FIRING] a b"),
        (vec![long], &format!("[FIRING] {}…", "x".repeat(110))),
    ] {
        assert_eq!(words::subject(&notification(alerts)), expected);
    }
}

#[test]
fn the_text_part_says_everything() {
    insta::assert_snapshot!(Content::new(&notification(vec![checkout()]), |_| None).text, @r#"
    FIRING · page

    Checkout fails for one in twenty customers
    5.2%, above the limit of 1%
    Since 2023-11-14 22:13:20 UTC, for 1 min 40 s

    5.2 % of requests to checkout answer 5xx; the limit is 1 %.

    Impact: Orders are lost.

    Alert:   https://bell.example/alerts/182f6bac-1ffe-3cba-0000-018bcfe56800
    Runbook: https://bell.example/runbooks/high-error-rate

    From the runbook:
      Look at the **last deploy** first:

      1. `kubectl rollout history`
      2. roll back if it is younger than an hour

      alertname = HighErrorRate
      owner = team-pay
      service = checkout
      severity = page

    Sent to team (first notification), group {alertname="HighErrorRate"}.
    https://bell.example
    "#);
    let over = resolved(&checkout(), 1_700_000_720_000);
    let mut other = firing("alertname=HighErrorRate,service=cart", 1_699_999_000_000);
    other.annotations = Labels::from_pairs([("runbook_url", "javascript:alert(1)")]);
    insta::assert_snapshot!(Content::new(&notification(vec![over, other]), |_| None).text, @r#"
    1 FIRING, 1 RESOLVED

    HighErrorRate on cart
    FIRING
    Since 2023-11-14 21:56:40 UTC, for 18 min 20 s

    Alert:   https://bell.example/alerts/6aa1f7f6-6e9d-7775-0000-018bcfd625c0

      alertname = HighErrorRate
      service = cart

    Over: Checkout fails for one in twenty customers
    RESOLVED after 12 min
    From 2023-11-14 22:13:20 UTC to 2023-11-14 22:25:20 UTC

    Alert:   https://bell.example/alerts/182f6bac-1ffe-3cba-0000-018bcfe56800
    Runbook: https://bell.example/runbooks/high-error-rate

      alertname = HighErrorRate
      owner = team-pay
      service = checkout
      severity = page

    Sent to team (first notification), group {alertname="HighErrorRate"}.
    https://bell.example
    "#);
}

#[test]
fn the_html_part_has_everything_and_escapes_it() {
    let mut alert = checkout();
    alert.annotations = Labels::from_pairs([
        ("summary", "<script>alert(1)</script>"),
        ("runbook_url", "javascript:alert(1)"),
    ]);
    let html = Content::new(&notification(vec![alert]), |_| Some("chart-id".to_owned())).html;
    for expected in [
        "&lt;script&gt;alert(1)&lt;/script&gt;</h1>",
        "5.2%, above the limit of 1%",
        "◆",
        "FIRING · page",
        "src=\"cid:chart-id\"",
        "From the runbook",
        "<li>roll back if",
        ">team-pay</td>",
        "href=\"https://bell.example/alerts/",
        "prefers-color-scheme: dark",
    ] {
        assert!(html.contains(expected), "{expected} in {html}");
    }
    assert!(!html.contains("<script>") && !html.contains("javascript:") && !html.contains("{{"));
}

#[test]
fn many_alerts_are_shown_in_full_then_listed_then_counted() {
    let alerts: Vec<Alert> =
        (0..200).map(|i| firing(&format!("alertname=Slow,service=s{i:03}"), 0)).collect();
    let content = Content::new(&notification(alerts), |_| None);
    assert_eq!(content.html.matches("<h1").count(), 5);
    assert_eq!(content.html.matches("▲").count() + content.html.matches("◆").count(), 106);
    assert!(content.html.contains("195 more") && content.html.contains("95 not listed"));
    assert!(content.text.contains("\n195 more:\n"));
}

#[test]
fn a_mail_is_built_of_text_html_and_pictures() {
    let notification = notification(vec![checkout()]);
    let content = Content { subject: "s".into(), text: "t\n".into(), html: "<p>h</p>\n".into() };
    let picture = Picture { content_id: "c@chart".to_owned(), png: b"\x89PNG".to_vec() };
    let from = "Bellwether <alerts@example.org>".parse().unwrap();
    let to = "ann@example.org, Bob <bob@example.org>".parse().unwrap();
    let mail = message::message(&notification, content, vec![picture], &from, &to).unwrap();
    let text = String::from_utf8(mail.formatted()).unwrap().replace("\r\n", "\n");
    insta::assert_snapshot!(text, @r#"
    Message-ID: <01234567-89ab-7cde-8f01-23456789abcd@example.org>
    Date: Tue, 14 Nov 2023 22:15:00 +0000
    From: Bellwether <alerts@example.org>
    To: ann@example.org, Bob <bob@example.org>
    Subject: s
    In-Reply-To: <group-29282ff11dfe9938b3ccf23dc4d54fdd@example.org>
    References: <group-29282ff11dfe9938b3ccf23dc4d54fdd@example.org>
    Auto-Submitted: auto-generated
    X-Priority: 1 (Highest)
    Importance: high
    MIME-Version: 1.0
    Content-Type: multipart/related;
     boundary="related-0123456789ab7cde8f0123456789abcd"

    --related-0123456789ab7cde8f0123456789abcd
    Content-Type: multipart/alternative;
     boundary="alternative-0123456789ab7cde8f0123456789abcd"

    --alternative-0123456789ab7cde8f0123456789abcd
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: 7bit

    t

    --alternative-0123456789ab7cde8f0123456789abcd
    Content-Type: text/html; charset=utf-8
    Content-Transfer-Encoding: 7bit

    <p>h</p>

    --alternative-0123456789ab7cde8f0123456789abcd--
    --related-0123456789ab7cde8f0123456789abcd
    Content-ID: <c@chart>
    Content-Disposition: inline; filename="chart-1.png"
    Content-Type: image/png
    Content-Transfer-Encoding: base64

    iVBORw==
    --related-0123456789ab7cde8f0123456789abcd--
    "#);
}

#[test]
fn a_mail_about_ends_is_not_urgent_and_stays_in_its_thread() {
    let from: Mailbox = "alerts@example.org".parse().unwrap();
    let headers = |notification: &Notification| {
        let content = Content::new(notification, |_| None);
        let to = "ann@example.org".parse().unwrap();
        let mail = message::message(notification, content, vec![], &from, &to).unwrap();
        let text = String::from_utf8(mail.formatted()).unwrap();
        let header = |name: &str| {
            let start = format!("{name}: ");
            text.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned)
        };
        ["Message-ID", "References", "X-Priority"].map(header)
    };
    let first = notification(vec![checkout()]);
    let mut last = notification(vec![resolved(&checkout(), 1_700_000_720_000)]);
    last.id = uuid::Uuid::from_u128(7);
    let mut next_incident = last.clone();
    next_incident.opened_at += 1;
    let [first, last, next] = [headers(&first), headers(&last), headers(&next_incident)];
    assert_ne!(first[0], last[0]);
    assert!(first[1].is_some() && first[1] == last[1] && last[1] != next[1]);
    assert_eq!((first[2].as_deref(), last[2].as_deref()), (Some("1 (Highest)"), None));
}

/// Answers one SMTP dialogue: `answers` replaces the answer to commands that begin with its key.
async fn smtp_server(
    answers: &'static [(&'static str, &'static str)],
) -> (u16, Arc<Mutex<String>>, impl Future<Output = ()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&heard);
    let serve = async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"220 test ready\r\n").await.unwrap();
        let mut in_data = false;
        while let Ok(Some(line)) = lines.next_line().await {
            log.lock().unwrap().extend([line.as_str(), "\n"]);
            let (_, answer) = if in_data && line == "." {
                in_data = false;
                ("", "250 2.0.0 queued as 4711")
            } else if in_data {
                continue;
            } else {
                in_data = line == "DATA";
                let usual = [
                    ("EHLO", "250-test\r\n250 AUTH PLAIN LOGIN"),
                    ("DATA", "354 go on"),
                    ("QUIT", "221 bye"),
                    ("AUTH", "235 welcome"),
                    ("", "250 ok"),
                ];
                let mut known = answers.iter().copied().chain(usual);
                known.find(|(command, _)| line.starts_with(command)).unwrap()
            };
            in_data &= !answer.starts_with(['4', '5']);
            if write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                break;
            }
        }
    };
    (port, heard, serve)
}

fn email(port: u16) -> EmailConfig {
    EmailConfig {
        send_resolved: true,
        to: "ann@example.org, bob@example.org".to_owned(),
        from: "alerts@example.org".to_owned(),
        host: "127.0.0.1".to_owned(),
        port,
        hello: Some("bell.example".to_owned()),
        auth: Some(("user".to_owned(), crate::secret::Secret::new("pass"))),
        require_tls: false,
        tls: TlsConfig::default(),
    }
}

async fn send(
    config: &EmailConfig,
    pictures: Arc<dyn Pictures>,
    serve: impl Future<Output = ()>,
) -> Delivery {
    let mail = Mail::try_new(config, pictures).unwrap();
    let notification = notification(vec![checkout()]);
    tokio::select! {
        delivery = mail.send(&notification) => delivery,
        () = async { serve.await; std::future::pending().await } => unreachable!(),
    }
}

#[tokio::test]
async fn a_mail_goes_over_smtp() {
    let (port, heard, serve) = smtp_server(&[]).await;
    let delivery = send(&email(port), Arc::new(OnePixel), serve).await;
    let provider_ref = Some("2.0.0 queued as 4711".to_owned());
    assert_eq!(delivery, Delivery::Done { provider_ref });
    let heard = heard.lock().unwrap();
    for expected in [
        "EHLO bell.example\n",
        "AUTH PLAIN AHVzZXIAcGFzcw==\n",
        "MAIL FROM:<alerts@example.org>",
        "RCPT TO:<ann@example.org>\n",
        "RCPT TO:<bob@example.org>\n",
        "Auto-Submitted: auto-generated\n",
        "Content-Type: image/png\n",
    ] {
        assert!(heard.contains(expected), "{expected} in {heard}");
    }
}

#[tokio::test]
async fn answers_of_the_mail_server_decide_whether_another_try_makes_sense() {
    for (name, answers, is_final) in [
        ("busy", &[("RCPT", "450 4.2.1 try later")][..], false),
        ("storage full", &[("DATA", "452 4.3.1 full")], false),
        ("no such user", &[("RCPT", "550 5.1.1 unknown")], true),
        ("wrong password", &[("AUTH", "535 5.7.8 no")], true),
    ] {
        let (port, _heard, serve) = smtp_server(answers).await;
        let delivery = send(&email(port), Arc::new(NoPictures), serve).await;
        match delivery {
            Delivery::Rejected { reason } if is_final => assert!(reason.contains("mail server")),
            Delivery::Retry { .. } if !is_final => {}
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn without_encryption_nothing_is_sent_unless_allowed() {
    let (port, heard, serve) = smtp_server(&[]).await;
    let config = EmailConfig { require_tls: true, ..email(port) };
    let delivery = send(&config, Arc::new(NoPictures), serve).await;
    assert!(matches!(delivery, Delivery::Rejected { .. }), "{delivery:?}");
    assert!(!heard.lock().unwrap().contains("AUTH"));
}
