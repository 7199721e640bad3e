-- One row per flush until its samples are sealed into a block. `seq` only grows and is never used again.
create table frame (
    seq       integer primary key,
    epoch     integer not null,
    timestamp integer not null,
    bytes     blob    not null
) strict;

-- A block and its pages appear and vanish in one transaction.
create table block (
    id       integer primary key,
    level    integer not null,
    min_time integer not null,
    max_time integer not null,
    series   integer not null,
    samples  integer not null,
    toc      blob    not null
) strict;

create table page (
    block integer not null references block (id) on delete cascade,
    page  integer not null,
    bytes blob    not null,
    primary key (block, page)
) strict;
