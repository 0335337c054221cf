-- What the accounts of a call were chosen from, where there was a choice: a JSON array, src/store/choice.rs says of what.
-- Kept for a week, or for 100,000 calls; src/store/sqlite/choices.rs takes the older ones out.
CREATE TABLE choices (
    id      BLOB PRIMARY KEY,
    at      INTEGER NOT NULL,
    choices TEXT NOT NULL
) STRICT, WITHOUT ROWID;
