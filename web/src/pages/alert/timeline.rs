//! What happened to an alert: changes of its state and notifications, in one line of time.

use api_types::{AlertState, Notification, NotificationState, Transition};
use chart::Unit;
use leptos::prelude::*;

use crate::format::plural;
use crate::icons::{Icon, IconName};
use crate::state::clock::moment;
use crate::views::CollectViews;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Event {
    at_ms: i64,
    icon: IconName,
    /// Class of the icon's color.
    tone: &'static str,
    title: String,
    /// More about it; may be empty.
    note: String,
}

/// All that happened, newest first.
fn events(transitions: &[Transition], notifications: &[Notification], unit: Unit) -> Vec<Event> {
    let changes = transitions.iter().map(|transition| of_transition(transition, unit));
    let sent = notifications.iter().map(of_notification);
    let mut events: Vec<Event> = changes.chain(sent).collect();
    // What happens at once is shown in the order in which it is caused.
    events.sort_by_key(|event| event.at_ms);
    events.reverse();
    events
}

fn of_transition(transition: &Transition, unit: Unit) -> Event {
    let (icon, tone, word) = match transition.to {
        AlertState::Firing => (IconName::Bell, "is-critical", "Firing"),
        AlertState::Recovering => (IconName::Clock, "is-info", "Recovering"),
        AlertState::Pending => (IconName::Clock, "is-info", "Pending"),
        AlertState::Resolved => (IconName::Check, "is-ok", "Resolved"),
    };
    let note = match (transition.value.is_nan(), transition.reason.as_str()) {
        (true, reason) => reason.to_owned(),
        (false, "") => format!("Value {}", unit.format(transition.value)),
        (false, reason) => format!("Value {} · {reason}", unit.format(transition.value)),
    };
    Event { at_ms: transition.at_ms, icon, tone, title: word.to_owned(), note }
}

fn of_notification(notification: &Notification) -> Event {
    let icon = if notification.kind == "email" { IconName::Mail } else { IconName::Webhook };
    let what =
        format!("{} ({}) about {}", notification.receiver, notification.kind, notification.status);
    let attempts = plural(notification.attempts as usize, "attempt", "attempts");
    let (tone, title, note) = match notification.state {
        NotificationState::Sent if notification.attempts > 1 => {
            ("is-ok", format!("Notified {what}"), format!("After {attempts}"))
        }
        NotificationState::Sent => ("is-ok", format!("Notified {what}"), String::new()),
        NotificationState::Pending => ("is-info", format!("Will notify {what}"), String::new()),
        NotificationState::Retrying => (
            "is-warning",
            format!("Could not notify {what} yet"),
            format!("{attempts}: {}", notification.error),
        ),
        NotificationState::Dead => (
            "is-critical",
            format!("Gave up notifying {what}"),
            format!("{attempts}: {}", notification.error),
        ),
    };
    let at_ms = notification.sent_ms.unwrap_or(notification.created_ms);
    Event { at_ms, icon, tone, title, note }
}

/// The card of the timeline.
pub(super) fn timeline(
    (transitions, notifications): (Vec<Transition>, Vec<Notification>),
    unit: Unit,
) -> impl IntoView {
    let items = events(&transitions, &notifications, unit)
        .into_iter()
        .map(|event| {
            view! {
                <li class="event">
                    <span class=format!("event-icon {}", event.tone)><Icon name=event.icon/></span>
                    <div>
                        <p class="event-title">{event.title}</p>
                        {(!event.note.is_empty()).then(|| view! { <p class="muted">{event.note}</p> })}
                    </div>
                    <time class="num muted">{moment(event.at_ms)}</time>
                </li>
            }
        })
        .collect_views();
    view! {
        <section class="card">
            <header class="card-head"><h2>"Timeline"</h2></header>
            <ol class="timeline" data-testid="timeline">{items}</ol>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(state: NotificationState, attempts: u32) -> Notification {
        Notification {
            created_ms: 2_000,
            sent_ms: (state == NotificationState::Sent).then_some(2_500),
            receiver: "ops".to_owned(),
            kind: "email".to_owned(),
            status: "firing".to_owned(),
            state,
            attempts,
            error: "connection refused".to_owned(),
        }
    }

    #[test]
    fn effects_stand_above_their_causes() {
        let firing =
            Transition { at_ms: 2_500, to: AlertState::Firing, value: 0.07, reason: String::new() };
        let pending = Transition {
            at_ms: 1_000,
            to: AlertState::Pending,
            value: f64::NAN,
            reason: String::new(),
        };
        let events =
            events(&[pending, firing], &[notification(NotificationState::Sent, 1)], Unit::Ratio);
        let titles: Vec<&str> = events.iter().map(|event| event.title.as_str()).collect();
        assert_eq!(titles, ["Notified ops (email) about firing", "Firing", "Pending"]);
        assert_eq!(events[1].note, "Value 7%");
        assert_eq!(events[2].note, "");
    }

    #[test]
    fn a_failure_says_why() {
        let event = of_notification(&notification(NotificationState::Retrying, 3));
        assert_eq!(event.note, "3 attempts: connection refused");
        assert_eq!(event.at_ms, 2_000);
    }
}
