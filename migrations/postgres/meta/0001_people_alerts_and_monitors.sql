-- Columns that answers are sorted by compare bytes (`collate "C"`), whatever the database's own order is.
-- An index takes no entry above 2.7 KB, so it holds a hash of what may be longer.
create table account (
    name          text collate "C" primary key,
    role          text             not null check (role in ('viewer', 'editor', 'admin')),
    password_hash text             not null,
    created_at    bigint           not null
);

-- Only hashes of secrets are kept: a copy of the database opens no session.
create table session (
    secret_hash bytea  primary key,
    account     text   not null references account (name) on delete cascade,
    expires_at  bigint not null
);

create table token (
    name        text collate "C" primary key,
    secret_hash bytea            not null unique,
    role        text             not null check (role in ('viewer', 'editor', 'admin')),
    created_at  bigint           not null
);

-- Small single facts, such as the hash of the one-time setup secret.
create table setting (
    name  text primary key,
    value text not null
);

-- One row per episode of an alert, kept after it is over as history. `body` is the rules engine's own
-- record as JSON; the columns are what is searched by.
create table alert_instance (
    episode     text collate "C" primary key,
    name        text             not null,
    state       text             not null check (state in ('pending', 'firing', 'recovering', 'resolved')),
    active_at   bigint           not null,
    resolved_at bigint,
    body        text             not null
);

create index alert_instance_by_state on alert_instance (state, active_at);

create table alert_transition (
    id      bigint generated always as identity primary key,
    episode text             not null references alert_instance (episode) on delete cascade,
    at      bigint           not null,
    state   text             not null,
    value   double precision,
    reason  text             not null
);

create index alert_transition_by_episode on alert_transition (episode, at);

-- What each aggregation group last sent to each receiver; written with the outbox rows it led to.
create table group_log (
    group_key text   not null,
    receiver  text   not null,
    at        bigint not null,
    body      text   not null
);

create unique index group_log_once on group_log (md5(group_key), receiver);
create index group_log_by_key on group_log using hash (group_key);

create table outbox (
    id           text collate "C" primary key,
    destination  text             not null,
    kind         text             not null,
    dedup_key    text             not null,
    seq          bigint           not null,
    status       text             not null,
    payload      text             not null,
    state        text             not null check (state in ('pending', 'leased', 'sent', 'dead')),
    attempts     bigint           not null default 0,
    created_at   bigint           not null,
    next_at      bigint           not null,
    lease_until  bigint,
    sent_at      bigint,
    provider_ref text             not null default '',
    last_error   text             not null default ''
);

create unique index outbox_once on outbox (destination, md5(dedup_key), seq);
create index outbox_by_key on outbox using hash (dedup_key);

create index outbox_due on outbox (state, next_at);

create table outbox_episode (
    outbox  text not null references outbox (id) on delete cascade,
    episode text not null,
    primary key (episode, outbox)
);

create table monitor_state (
    monitor text collate "C" primary key,
    body    text             not null
);

-- The uptime ledger: half-open intervals that never overlap; the open one has no end.
create table monitor_interval (
    monitor  text collate "C" not null,
    start_at bigint           not null,
    end_at   bigint,
    state    text             not null,
    reason   text             not null,
    primary key (monitor, start_at)
);
