-- Who writes samples. In a file there is one writer, number 0, without a name. `deleted_frame` is the
-- newest frame that was replaced by a block: numbers of frames are never given twice.
create table node (
    number        integer primary key,
    name          text    not null unique,
    deleted_frame integer not null default 0
) strict;

insert into node (number, name) values (0, '');

alter table block add column node integer not null default 0;

-- A key cannot be changed, so the few rows move.
create table frame_of_node (
    node      integer not null,
    seq       integer not null,
    epoch     integer not null,
    timestamp integer not null,
    bytes     blob    not null,
    primary key (node, seq)
) strict;

insert into frame_of_node (node, seq, epoch, timestamp, bytes)
select 0, seq, epoch, timestamp, bytes
  from frame;

drop table frame;

alter table frame_of_node rename to frame;
