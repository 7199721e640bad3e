-- What only one process may do at a time. `token` rises each time it is taken, so that a holder that was
-- too slow is told from the one after it. Times are the database's own.
create table lease (
    name       text    primary key,
    holder     text    not null,
    token      integer not null,
    renewed_at integer not null,
    expires_at integer not null
) strict, without rowid;

-- Heartbeats that came to a process other than the one that keeps the uptime ledger.
create table heartbeat (
    id      integer primary key,
    at      integer not null,
    token   text    not null,
    is_up   integer not null check (is_up in (0, 1)),
    message text    not null
) strict;
