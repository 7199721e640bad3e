use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{
    alert::tests::{firing, resolved},
    notification::tests::notification,
};

const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A server that answers each connection with the next text, and keeps what it was asked.
async fn server(
    answers: Vec<String>,
) -> (SecretUrl, Arc<Mutex<Vec<String>>>, impl Future<Output = ()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?key=hunter2", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let serve = async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            while !is_complete(&bytes) {
                assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "cut off");
            }
            seen.lock().unwrap().push(String::from_utf8(bytes).unwrap());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    };
    (SecretUrl::parse(&url).unwrap(), requests, serve)
}

fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

#[test]
fn the_body_is_alertmanagers() {
    let mut a = firing("alertname=HighErrorRate,service=checkout,severity=page", 1_700_000_000_123);
    a.annotations = model::Labels::from_pairs([("summary", "5 % of requests fail")]);
    a.generator_url = "https://bell.example/graph".to_owned();
    let b = resolved(
        &firing("alertname=HighErrorRate,service=cart", 1_700_000_000_000),
        1_700_000_060_000,
    );
    let notification = notification(vec![a, b]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&Message::new(&notification, 0)).unwrap(), @r#"
    {
      "receiver": "team",
      "status": "firing",
      "alerts": [
        {
          "status": "firing",
          "labels": {
            "alertname": "HighErrorRate",
            "service": "checkout",
            "severity": "page"
          },
          "annotations": {
            "summary": "5 % of requests fail"
          },
          "startsAt": "2023-11-14T22:13:20.123Z",
          "endsAt": "0001-01-01T00:00:00Z",
          "generatorURL": "https://bell.example/graph",
          "fingerprint": "6e890fd1d2e6636f"
        },
        {
          "status": "resolved",
          "labels": {
            "alertname": "HighErrorRate",
            "service": "cart"
          },
          "annotations": {},
          "startsAt": "2023-11-14T22:13:20Z",
          "endsAt": "2023-11-14T22:14:20Z",
          "generatorURL": "",
          "fingerprint": "6aa1f7f66e9d7775"
        }
      ],
      "groupLabels": {
        "alertname": "HighErrorRate"
      },
      "commonLabels": {
        "alertname": "HighErrorRate"
      },
      "commonAnnotations": {},
      "externalURL": "https://bell.example",
      "version": "4",
      "groupKey": "{}:{alertname=\"HighErrorRate\"}",
      "truncatedAlerts": 0,
      "notification_id": "01234567-89ab-7cde-8f01-23456789abcd",
      "notification_reason": "first"
    }
    "#);
    let truncated = serde_json::to_value(Message::new(&notification, 1)).unwrap();
    assert_eq!(truncated["truncatedAlerts"], 1);
    assert_eq!(truncated["alerts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_request_carries_id_signature_and_authorization() {
    let (url, requests, serve) = server(vec![JSON.to_owned()]).await;
    let mut config = WebhookConfig::new(url);
    config.signing_secret = Some(Secret::new("key"));
    config.http.authorization =
        Some(Authorization::Basic("Aladdin".to_owned(), Secret::new("open sesame")));
    let notification = notification(vec![firing("alertname=x", 0)]);
    let webhook = Webhook::try_new(&config).unwrap();
    let (delivery, ()) = tokio::join!(webhook.send(&notification), serve);
    assert_eq!(delivery, Delivery::Done { provider_ref: None });
    let request = requests.lock().unwrap()[0].clone();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hook?key=hunter2 HTTP/1.1\r\n"), "{head}");
    for header in [
        "content-type: application/json",
        "authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        &format!("idempotency-key: {}", notification.id),
        &format!("x-bellwether-signature: {}", signature(&Secret::new("key"), body.as_bytes())),
    ] {
        assert!(head.lines().any(|line| line == header), "{header} in {head}");
    }
}

#[test]
fn the_signature_is_hmac_sha256() {
    // Test case 2 of RFC 4231.
    assert_eq!(
        signature(&Secret::new("Jefe"), b"what do ya want for nothing?"),
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}

#[test]
fn answers_decide_whether_another_try_makes_sense() {
    let retry = |reason: &str, after: Option<u64>| Delivery::Retry {
        reason: reason.to_owned(),
        after: after.map(Duration::from_secs),
    };
    let rejected = |reason: &str| Delivery::Rejected { reason: reason.to_owned() };
    let day = "Wed, 21 Oct 2015 07:28:00 GMT";
    for (status, header, expected) in [
        (200, None, Delivery::Done { provider_ref: None }),
        (204, None, Delivery::Done { provider_ref: None }),
        (500, None, retry("answered 500 Internal Server Error", None)),
        (503, Some("7"), retry("answered 503 Service Unavailable", Some(7))),
        (503, Some("soon"), retry("answered 503 Service Unavailable", None)),
        (429, Some(day), retry("answered 429 Too Many Requests", Some(30))),
        (429, Some("999999"), retry("answered 429 Too Many Requests", Some(3_600))),
        (408, None, retry("answered 408 Request Timeout", None)),
        (425, None, retry("answered 425 Too Early", None)),
        (400, None, rejected("answered 400 Bad Request")),
        (404, Some("7"), rejected("answered 404 Not Found")),
        (302, None, rejected("answered 302 Found")),
    ] {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(RETRY_AFTER, header.parse().unwrap());
        }
        let now = "2015-10-21T07:27:30Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
        assert_eq!(
            judge(StatusCode::from_u16(status).unwrap(), &headers, now),
            expected,
            "{status}"
        );
    }
}

#[tokio::test]
async fn an_unreachable_receiver_is_tried_again_and_its_address_stays_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hunter2", listener.local_addr().unwrap());
    drop(listener);
    let webhook = Webhook::try_new(&WebhookConfig::new(SecretUrl::parse(&url).unwrap())).unwrap();
    let delivery = webhook.send(&notification(vec![firing("alertname=x", 0)])).await;
    let Delivery::Retry { reason, after: None } = delivery else { panic!("{delivery:?}") };
    assert!(reason.starts_with("cannot reach the receiver: "), "{reason}");
    assert!(!reason.contains("hunter2"), "{reason}");
    assert!(!format!("{webhook:?}").contains("hunter2"));
}

#[tokio::test]
async fn only_redirects_that_keep_the_body_are_followed() {
    let moved = "content-length: 0\r\nconnection: close\r\nlocation: /elsewhere\r\n\r\n";
    for (status, requests_made, expected) in [
        ("302 Found", 1, Delivery::Rejected { reason: "answered 302 Found".to_owned() }),
        ("308 Permanent Redirect", 2, Delivery::Done { provider_ref: None }),
    ] {
        let (url, requests, serve) =
            server(vec![format!("HTTP/1.1 {status}\r\n{moved}"), JSON.to_owned()]).await;
        let webhook = Webhook::try_new(&WebhookConfig::new(url)).unwrap();
        let notification = notification(vec![firing("alertname=x", 0)]);
        let delivery = tokio::select! {
            delivery = webhook.send(&notification) => delivery,
            () = async { serve.await; std::future::pending().await } => unreachable!(),
        };
        assert_eq!(delivery, expected);
        let requests = requests.lock().unwrap();
        assert!(requests.iter().all(|request| request.ends_with('}')));
        assert_eq!(requests.len(), requests_made);
    }
}

#[tokio::test]
async fn link_local_addresses_are_refused_also_behind_redirects() {
    let moved = "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://169.254.169.254/latest\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let (url, _requests, serve) = server(vec![moved.to_owned()]).await;
    let notification = notification(vec![firing("alertname=x", 0)]);
    let direct = SecretUrl::parse("http://169.254.169.254/").unwrap();
    let direct = Webhook::try_new(&WebhookConfig::new(direct)).unwrap();
    let redirected = Webhook::try_new(&WebhookConfig::new(url)).unwrap();
    let (first, second, ()) =
        tokio::join!(direct.send(&notification), redirected.send(&notification), serve);
    for delivery in [first, second] {
        let Delivery::Rejected { reason } = delivery else { panic!("{delivery:?}") };
        assert!(reason.contains("169.254.169.254 is a link-local or metadata address"), "{reason}");
    }
}
