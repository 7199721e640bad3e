-- Things that happened. `words` is title and text in lower case: what a search looks through, the same
-- way on every database.
create table event (
    id              integer primary key,
    at              integer not null,
    title           text    not null,
    text            text    not null,
    words           text    not null,
    host            text    not null,
    source          text    not null,
    alert_type      text    not null check (alert_type in ('error', 'warning', 'info', 'success')),
    priority        text    not null check (priority in ('normal', 'low')),
    aggregation_key text    not null
) strict;

create index event_by_time on event (at, id);

create table event_tag (
    event integer not null references event (id) on delete cascade,
    name  text    not null,
    value text    not null,
    primary key (event, name)
) strict, without rowid;

create index event_tag_by_value on event_tag (name, value, event);

-- The state of each service check: of one name, host and set of tags, which `id` is a hash of. `tags` is
-- the server's own record as JSON.
create table service_check (
    id       text    primary key,
    name     text    not null,
    host     text    not null,
    tags     text    not null,
    status   text    not null check (status in ('ok', 'warning', 'critical', 'unknown')),
    is_stale integer not null check (is_stale in (0, 1)),
    message  text    not null,
    since_at integer not null,
    heard_at integer not null
) strict, without rowid;

create table service_check_transition (
    id            integer primary key,
    service_check text    not null references service_check (id) on delete cascade,
    at            integer not null,
    status        text    not null,
    is_stale      integer not null,
    message       text    not null
) strict;

create index service_check_transition_by_check on service_check_transition (service_check, at, id);
create index service_check_transition_by_time on service_check_transition (at);
