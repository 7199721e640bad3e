//! StatsD: line parser, name mapping, aggregation state and limits. No sockets, no clock.
