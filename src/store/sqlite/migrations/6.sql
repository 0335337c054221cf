-- What calls that have left cost, by session, for budgets that count sessions: no other table remembers them. The rows of
-- calls without a session stay; of the others those that were used last, src/store/sqlite/spent.rs says how many.
CREATE TABLE gone (
    session        TEXT NOT NULL,
    client         TEXT NOT NULL,
    project        TEXT NOT NULL,
    provider       TEXT NOT NULL,
    account        TEXT NOT NULL,
    model          TEXT NOT NULL,
    at             INTEGER NOT NULL,
    usd            INTEGER NOT NULL,
    pico           INTEGER NOT NULL,
    PRIMARY KEY (session, client, project, provider, account, model)
) STRICT, WITHOUT ROWID;
CREATE INDEX gone_at ON gone (at) WHERE session <> '';
