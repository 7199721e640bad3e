//! Everything SQL: SQLite and PostgreSQL behind domain verbs.
