-- Requests that wait to be sent on by remote write, each encoded and packed, in order for each endpoint.
create table request (
    endpoint text    not null,
    seq      integer not null,
    created  integer not null,
    protocol text    not null,
    samples  integer not null,
    bytes    integer not null,
    body     blob    not null,
    primary key (endpoint, seq)
) strict;
