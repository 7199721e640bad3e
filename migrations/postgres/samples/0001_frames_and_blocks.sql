-- One row per flush until its samples are sealed into a block.
create table frame (
    seq       bigint primary key,
    epoch     bigint not null,
    timestamp bigint not null,
    bytes     bytea  not null
);

-- A block is there when its row is; the row appears after its pages and vanishes before them.
create table block (
    id         bigint primary key,
    level      bigint not null,
    min_time   bigint not null,
    max_time   bigint not null,
    series     bigint not null,
    samples    bigint not null,
    page_bytes bigint not null,
    toc        bytea  not null
);

-- No foreign key: pages are written before their block's row, and deleted step by step after it, so
-- that no transaction holds the writer for long.
create table page (
    block bigint not null,
    page  bigint not null,
    bytes bytea  not null,
    primary key (block, page)
);

-- What is stored is compressed already: kept beside the row, as it is.
alter table frame alter column bytes set storage external;
alter table block alter column toc set storage external;
alter table page alter column bytes set storage external;
