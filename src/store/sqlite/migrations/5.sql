-- What calls under way may cost at most, by the id of the call: JSON, src/store/hold.rs says of what. A row goes in the
-- transaction that brings the call's entry; what is left at a start was interrupted.
--
-- A call may also end with its gateway. The check on outcomes is changed in the schema's text, as sqlite.org/lang_altertable
-- describes it for changes that touch no row.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '''left'')', '''left'', ''interrupted'')') WHERE type = 'table' AND name = 'calls';
PRAGMA writable_schema = RESET;
CREATE TABLE holds (
    id   BLOB PRIMARY KEY,
    hold TEXT NOT NULL
) STRICT, WITHOUT ROWID;
