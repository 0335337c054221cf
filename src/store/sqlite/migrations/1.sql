-- One row per call. Ids are UUIDv7, so the primary key is also the order of arrival. Attempts and decisions are JSON
-- arrays of arrays; src/store/sqlite/row.rs says what stands where. Times are microseconds. The check of outcomes is no list:
-- for one, SQLite would build a table in memory for each row.
CREATE TABLE calls (
    id            BLOB PRIMARY KEY,
    tenant        TEXT NOT NULL DEFAULT 'local',
    at            INTEGER NOT NULL,
    client        TEXT NOT NULL,
    endpoint      TEXT NOT NULL,
    asked         TEXT NOT NULL,
    provider      TEXT,
    account       TEXT,
    model         TEXT,
    status        INTEGER NOT NULL,
    outcome       TEXT NOT NULL CHECK (outcome = 'completed' OR outcome = 'failed' OR outcome = 'broken' OR outcome = 'left'
                                       OR outcome = 'interrupted'),
    stream        INTEGER NOT NULL,
    parked_us     INTEGER NOT NULL,
    first_byte_us INTEGER,
    total_us      INTEGER NOT NULL,
    bytes_in      INTEGER NOT NULL,
    bytes_out     INTEGER NOT NULL,
    project       TEXT,
    session_id    TEXT,
    run_id        TEXT,
    parent_id     BLOB,
    attempts      TEXT NOT NULL,
    decisions     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Partial: a laptop's ordinary call names none of these and pays for no index.
CREATE INDEX calls_tenant  ON calls (tenant, id)             WHERE tenant <> 'local';
CREATE INDEX calls_project ON calls (tenant, project, id)    WHERE project IS NOT NULL;
CREATE INDEX calls_session ON calls (tenant, session_id, id) WHERE session_id IS NOT NULL;
CREATE INDEX calls_run     ON calls (tenant, run_id, id)     WHERE run_id IS NOT NULL;
CREATE INDEX calls_parent  ON calls (parent_id, id)          WHERE parent_id IS NOT NULL;
CREATE INDEX calls_failed  ON calls (id)                     WHERE outcome <> 'completed';
