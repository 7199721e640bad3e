//! Things that happened, with their tags.

use std::collections::HashMap;

use crate::{
    Meta,
    error::{Attempt, DbError},
    sql::{Query, Row, Transaction, query},
};

/// Something that happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventRow {
    /// Its number; numbers of later rows are higher. Not looked at when it is added.
    pub id: i64,
    /// When it happened.
    pub at: i64,
    /// What happened, in a line.
    pub title: String,
    /// The rest; may be empty.
    pub text: String,
    /// The host it is about; may be empty.
    pub host: String,
    /// The kind of system it comes from; may be empty.
    pub source: String,
    /// `error`, `warning`, `info` or `success`.
    pub alert_type: String,
    /// `normal` or `low`.
    pub priority: String,
    /// Events with the same key belong together; may be empty.
    pub aggregation_key: String,
    /// Sorted by name; each name once.
    pub tags: Vec<(String, String)>,
}

/// Which events are looked for: those for which everything holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSearch {
    /// Inclusive.
    pub start: i64,
    /// Inclusive.
    pub end: i64,
    /// Texts that all stand in title or text, in any case.
    pub words: Vec<String>,
    /// Tags by name, and by value when there is one.
    pub tags: Vec<(String, Option<String>)>,
    /// The host.
    pub host: Option<String>,
    /// The kind of system.
    pub source: Option<String>,
    /// Any of these; empty for all.
    pub alert_types: Vec<String>,
    /// Only events older than the one of this time and number.
    pub before: Option<(i64, i64)>,
    /// The most events.
    pub limit: u32,
}

impl Meta {
    /// Adds events, all or none; returns their numbers in order.
    ///
    /// # Errors
    /// When the commit failed; then nothing changed.
    pub async fn add_events(&self, events: &[EventRow]) -> Result<Vec<i64>, DbError> {
        const ACTION: &str = "store events";
        let mut tx = self.pools.write.begin().await.attempt(ACTION)?;
        let mut ids = Vec::with_capacity(events.len());
        for event in events {
            ids.push(insert_event(&mut tx, event).await.attempt(ACTION)?);
        }
        tx.commit().await.attempt(ACTION)?;
        Ok(ids)
    }

    /// Events that match, the newest first; of one moment the last added first.
    ///
    /// # Errors
    /// When the read failed.
    pub async fn events(&self, search: &EventSearch) -> Result<Vec<EventRow>, DbError> {
        const ACTION: &str = "search events";
        let rows = statement(search).fetch_all(&self.pools.read).await.attempt(ACTION)?;
        let mut events: Vec<EventRow> = rows.iter().map(event_of).collect();
        if events.is_empty() {
            return Ok(events);
        }
        let mut tags = query("select event, name, value from event_tag where event in (");
        tags.push_list(events.iter().map(|event| event.id));
        tags.push(") order by event, name");
        let rows = tags.fetch_all(&self.pools.read).await.attempt(ACTION)?;
        let mut by_event: HashMap<i64, Vec<(String, String)>> = HashMap::new();
        for row in rows {
            by_event.entry(row.get(0)).or_default().push((row.get(1), row.get(2)));
        }
        for event in &mut events {
            event.tags = by_event.remove(&event.id).unwrap_or_default();
        }
        Ok(events)
    }

    /// Forgets events before `before`.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn forget_events(&self, before: i64) -> Result<u64, DbError> {
        let done = query("delete from event where at < $1")
            .bind(before)
            .execute(&self.pools.write)
            .await
            .attempt("forget old events")?;
        Ok(done)
    }
}

fn statement(search: &EventSearch) -> Query<'_> {
    let mut query = query(
        "select id, at, title, text, host, source, alert_type, priority, aggregation_key
           from event
          where at >= ",
    );
    query.push_bind(search.start).push(" and at <= ").push_bind(search.end);
    if let Some((at, id)) = search.before {
        query.push(" and (at, id) < (").push_bind(at).push(", ").push_bind(id).push(")");
    }
    for word in &search.words {
        query.push(" and words like ").push_bind(containing(word)).push(" escape '\\'");
    }
    for (name, value) in &search.tags {
        query.push(" and id in (select event from event_tag where name = ").push_bind(name);
        if let Some(value) = value {
            query.push(" and value = ").push_bind(value);
        }
        query.push(")");
    }
    for (column, wanted) in [("host", &search.host), ("source", &search.source)] {
        if let Some(wanted) = wanted {
            query.push(" and ").push(column).push(" = ").push_bind(wanted);
        }
    }
    if !search.alert_types.is_empty() {
        query.push(" and alert_type in (").push_list(&search.alert_types).push(")");
    }
    query.push(" order by at desc, id desc limit ").push_bind(search.limit);
    query
}

/// A pattern for texts that hold `word`, in lower case.
fn containing(word: &str) -> String {
    let mut pattern = String::with_capacity(word.len() + 2);
    pattern.push('%');
    for c in word.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

async fn insert_event(tx: &mut Transaction, event: &EventRow) -> Result<i64, sqlx::Error> {
    let row = query(
        "insert into event
            (at, title, text, words, host, source, alert_type, priority, aggregation_key)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         returning id",
    )
    .bind(event.at)
    .bind(&event.title)
    .bind(&event.text)
    .bind(format!("{}\n{}", event.title, event.text).to_lowercase())
    .bind(&event.host)
    .bind(&event.source)
    .bind(&event.alert_type)
    .bind(&event.priority)
    .bind(&event.aggregation_key)
    .fetch_one(&mut *tx)
    .await?;
    let id: i64 = row.get(0);
    for (name, value) in &event.tags {
        query("insert into event_tag (event, name, value) values ($1, $2, $3)")
            .bind(id)
            .bind(name)
            .bind(value)
            .execute(&mut *tx)
            .await?;
    }
    Ok(id)
}

fn event_of(row: &Row) -> EventRow {
    EventRow {
        id: row.get(0),
        at: row.get(1),
        title: row.get(2),
        text: row.get(3),
        host: row.get(4),
        source: row.get(5),
        alert_type: row.get(6),
        priority: row.get(7),
        aggregation_key: row.get(8),
        tags: Vec::new(),
    }
}
