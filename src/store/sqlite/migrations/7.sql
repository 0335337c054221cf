-- Up to which number the work of a spool is committed, written in the transaction that brings it: src/store/sqlite/spool.rs.
CREATE TABLE spools (
    id   INTEGER PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT;
