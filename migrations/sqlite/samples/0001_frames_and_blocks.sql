-- One row per flush until its samples are sealed into a block.
create table frame (
    seq       integer primary key,
    epoch     integer not null,
    timestamp integer not null,
    bytes     blob    not null
) strict;

-- A block is there when its row is; the row appears after its pages and vanishes before them.
create table block (
    id         integer primary key,
    level      integer not null,
    min_time   integer not null,
    max_time   integer not null,
    series     integer not null,
    samples    integer not null,
    page_bytes integer not null,
    toc        blob    not null
) strict;

-- No foreign key: pages are written before their block's row, and deleted step by step after it, so
-- that no transaction holds the writer for long.
create table page (
    block integer not null,
    page  integer not null,
    bytes blob    not null,
    primary key (block, page)
) strict;
