create table account (
    name          text    primary key,
    role          text    not null check (role in ('viewer', 'editor', 'admin')),
    password_hash text    not null,
    created_at    integer not null
) strict, without rowid;

-- Only hashes of secrets are kept: a copy of the database opens no session.
create table session (
    secret_hash blob    primary key,
    account     text    not null references account (name) on delete cascade,
    expires_at  integer not null
) strict, without rowid;

create table token (
    name        text    primary key,
    secret_hash blob    not null unique,
    role        text    not null check (role in ('viewer', 'editor', 'admin')),
    created_at  integer not null
) strict, without rowid;

-- Small single facts, such as the hash of the one-time setup secret.
create table setting (
    name  text primary key,
    value text not null
) strict, without rowid;

-- One row per episode of an alert, kept after it is over as history. `body` is the rules engine's own
-- record as JSON; the columns are what is searched by.
create table alert_instance (
    episode     text    primary key,
    name        text    not null,
    state       text    not null check (state in ('pending', 'firing', 'recovering', 'resolved')),
    active_at   integer not null,
    resolved_at integer,
    body        text    not null
) strict, without rowid;

create index alert_instance_by_state on alert_instance (state, active_at);

create table alert_transition (
    id      integer primary key,
    episode text    not null references alert_instance (episode) on delete cascade,
    at      integer not null,
    state   text    not null,
    value   real,
    reason  text    not null
) strict;

create index alert_transition_by_episode on alert_transition (episode, at);

-- What each aggregation group last sent to each receiver; written with the outbox rows it led to.
create table group_log (
    group_key text    not null,
    receiver  text    not null,
    at        integer not null,
    body      text    not null,
    primary key (group_key, receiver)
) strict, without rowid;

create table outbox (
    id           text    primary key,
    destination  text    not null,
    kind         text    not null,
    dedup_key    text    not null,
    seq          integer not null,
    status       text    not null,
    payload      text    not null,
    state        text    not null check (state in ('pending', 'leased', 'sent', 'dead')),
    attempts     integer not null default 0,
    created_at   integer not null,
    next_at      integer not null,
    lease_until  integer,
    sent_at      integer,
    provider_ref text    not null default '',
    last_error   text    not null default '',
    unique (destination, dedup_key, seq)
) strict, without rowid;

create index outbox_due on outbox (state, next_at);

create table outbox_episode (
    outbox  text not null references outbox (id) on delete cascade,
    episode text not null,
    primary key (episode, outbox)
) strict, without rowid;

create table monitor_state (
    monitor text primary key,
    body    text not null
) strict, without rowid;

-- The uptime ledger: half-open intervals that never overlap; the open one has no end.
create table monitor_interval (
    monitor  text    not null,
    start_at integer not null,
    end_at   integer,
    state    text    not null,
    reason   text    not null,
    primary key (monitor, start_at)
) strict, without rowid;
