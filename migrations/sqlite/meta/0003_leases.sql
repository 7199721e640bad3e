-- What only one process may do at a time. `token` rises with each change of the holder, so that a holder
-- that was too slow is told from the one after it.
create table lease (
    name       text    primary key,
    holder     text    not null,
    token      integer not null,
    expires_at integer not null
) strict, without rowid;
