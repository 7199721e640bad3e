-- Things that happened. `words` is title and text in lower case: what a search looks through, the same
-- way on every database.
create table event (
    id              bigint generated always as identity primary key,
    at              bigint not null,
    title           text   not null,
    text            text   not null,
    words           text   not null,
    host            text   not null,
    source          text   not null,
    alert_type      text   not null check (alert_type in ('error', 'warning', 'info', 'success')),
    priority        text   not null check (priority in ('normal', 'low')),
    aggregation_key text   not null
);

create index event_by_time on event (at, id);

create table event_tag (
    event bigint           not null references event (id) on delete cascade,
    name  text collate "C" not null,
    value text             not null
);

create unique index event_tag_once on event_tag (event, md5(name));
create index event_tag_by_name on event_tag using hash (name);
create index event_tag_by_value on event_tag using hash (value);

-- The state of each service check: of one name, host and set of tags, which `id` is a hash of. `tags` is
-- the server's own record as JSON.
create table service_check (
    id       text collate "C" primary key,
    name     text             not null,
    host     text             not null,
    tags     text             not null,
    status   text             not null check (status in ('ok', 'warning', 'critical', 'unknown')),
    is_stale boolean          not null,
    message  text             not null,
    since_at bigint           not null,
    heard_at bigint           not null
);

create table service_check_transition (
    id            bigint generated always as identity primary key,
    service_check text   not null references service_check (id) on delete cascade,
    at            bigint not null,
    status        text   not null,
    is_stale      boolean not null,
    message       text   not null
);

create index service_check_transition_by_check on service_check_transition (service_check, at, id);
create index service_check_transition_by_time on service_check_transition (at);
