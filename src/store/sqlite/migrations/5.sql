-- What calls under way may cost at most, by the id of the call: JSON, src/store/hold.rs says of what. A row goes in the
-- transaction that brings the call's entry; what is left at a start was interrupted.
CREATE TABLE holds (
    id   BLOB PRIMARY KEY,
    hold TEXT NOT NULL
) STRICT, WITHOUT ROWID;
