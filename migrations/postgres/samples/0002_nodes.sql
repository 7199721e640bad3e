-- Who writes samples: a single server without a name has number 0. `deleted_frame` is the newest frame that
-- was replaced by a block: numbers of frames are never given twice.
create table node (
    number        bigint           primary key,
    name          text collate "C" not null unique,
    deleted_frame bigint           not null default 0
);

insert into node (number, name) values (0, '');

alter table block add column node bigint not null default 0;

alter table frame add column node bigint not null default 0;
alter table frame drop constraint frame_pkey;
alter table frame add primary key (node, seq);

-- The key of a block begins with its day, so a day's pages are a partition, and old days go as a whole.
-- Partitions are made when they are needed; the first holds what was written before there were days.
alter table page rename to page_before;
alter index page_pkey rename to page_before_pkey;

create table page (
    block bigint not null,
    page  bigint not null,
    bytes bytea  not null,
    primary key (block, page)
) partition by range (block);

alter table page alter column bytes set storage external;
alter table page attach partition page_before for values from (minvalue) to (70368744177664);
