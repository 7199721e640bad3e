-- What only one process may do at a time. `token` rises each time it is taken, so that a holder that was
-- too slow is told from the one after it. Times are the database's own.
create table lease (
    name       text collate "C" primary key,
    holder     text             not null,
    token      bigint           not null,
    renewed_at bigint           not null,
    expires_at bigint           not null
);

-- Heartbeats that came to a process other than the one that keeps the uptime ledger.
create table heartbeat (
    id      bigint generated always as identity primary key,
    at      bigint  not null,
    token   text    not null,
    is_up   boolean not null,
    message text    not null
);
