//! The MIME message: headers, text and HTML, pictures inline.

use std::time::{Duration, UNIX_EPOCH};

use lettre::{
    Message,
    message::{
        Attachment, Mailbox, Mailboxes, MultiPart, MultiPartKind, SinglePart,
        header::{self, HeaderName, HeaderValue},
    },
};
use model::Timestamp;
use ring::digest;

use super::content::Content;
use crate::{alert::AlertStatus, notification::Notification};

/// A picture under the id the HTML knows it by.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub(super) content_id: String,
    pub(super) png: Vec<u8>,
}

/// Builds the message. The same notification always gives the same `Message-ID`, and all mails of one
/// incident refer to the same thread.
pub(super) fn message(
    notification: &Notification,
    content: Content,
    pictures: Vec<Picture>,
    from: &Mailbox,
    to: &Mailboxes,
) -> Result<Message, lettre::error::Error> {
    let domain = from.email.domain();
    let thread = thread_id(notification, domain);
    let critical = notification.status() == AlertStatus::Firing
        && notification.firing().any(crate::alert::Alert::is_critical);
    let mut builder = Message::builder()
        .message_id(Some(format!("<{}@{domain}>", notification.id)))
        .date(UNIX_EPOCH + Duration::from_millis(u64::try_from(notification.at).unwrap_or(0)))
        .from(from.clone())
        .mailbox(header::To::from(to.clone()))
        .subject(content.subject)
        .in_reply_to(thread.clone())
        .references(thread)
        .raw_header(raw("Auto-Submitted", "auto-generated"));
    if critical {
        builder = builder
            .raw_header(raw("X-Priority", "1 (Highest)"))
            .raw_header(raw("Importance", "high"));
    }
    let tag = notification.id.simple();
    let texts = MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        .boundary(format!("alternative-{tag}"))
        .singlepart(SinglePart::plain(content.text))
        .singlepart(SinglePart::html(content.html));
    let mut related = MultiPart::builder()
        .kind(MultiPartKind::Related)
        .boundary(format!("related-{tag}"))
        .multipart(texts);
    for (i, picture) in pictures.into_iter().enumerate() {
        let name = format!("chart-{}.png", i + 1);
        related = related.singlepart(
            Attachment::new_inline_with_name(picture.content_id, name)
                .body(picture.png, png_type()),
        );
    }
    builder.multipart(related)
}

/// The root all mails of an incident refer to: no mail has this id, but clients gather those that
/// refer to it.
fn thread_id(notification: &Notification, domain: &str) -> String {
    let opened_at: Timestamp = notification.opened_at;
    let identity = format!("{}\0{}\0{opened_at}", notification.group_key, notification.destination);
    let hash = digest::digest(&digest::SHA256, identity.as_bytes());
    let short = model::text::hex(&hash.as_ref()[..16]);
    format!("<group-{short}@{domain}>")
}

fn raw(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn png_type() -> header::ContentType {
    header::ContentType::parse("image/png").expect("the type is well formed")
}
