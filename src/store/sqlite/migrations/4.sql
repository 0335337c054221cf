ALTER TABLE calls ADD COLUMN branch TEXT;

-- Sums by the hour, kept with each call and longer than it: what people ask for over weeks is read from few rows. Keys
-- that a call does not have are empty. Money is in dollars and picodollars, which are summed apart since a sum of
-- picodollars may be larger than an integer. first and last are how the ids of the hour's first and last call begin, so that a
-- time needs no index of its own.
CREATE TABLE sums (
    hour           INTEGER NOT NULL,
    tenant         TEXT NOT NULL,
    client         TEXT NOT NULL,
    project        TEXT NOT NULL,
    provider       TEXT NOT NULL,
    account        TEXT NOT NULL,
    model          TEXT NOT NULL,
    first          BLOB NOT NULL,
    last           BLOB NOT NULL,
    calls          INTEGER NOT NULL,
    input          INTEGER NOT NULL,
    cache_read     INTEGER NOT NULL,
    cache_write    INTEGER NOT NULL,
    output         INTEGER NOT NULL,
    reasoning      INTEGER NOT NULL,
    unpriced       INTEGER NOT NULL,
    untold         INTEGER NOT NULL,
    estimated      INTEGER NOT NULL,
    compared       INTEGER NOT NULL,
    cost_usd       INTEGER NOT NULL,
    cost_pico      INTEGER NOT NULL,
    told_usd       INTEGER NOT NULL,
    told_pico      INTEGER NOT NULL,
    listed_usd     INTEGER NOT NULL,
    listed_pico    INTEGER NOT NULL,
    PRIMARY KEY (hour, tenant, client, project, provider, account, model)
) STRICT, WITHOUT ROWID;

INSERT INTO sums
SELECT at / 3600000000, tenant, client, coalesce(project, ''), coalesce(provider, ''), coalesce(account, ''),
       coalesce(model, ''), substr(min(id), 1, 6), substr(max(id), 1, 6), count(*),
       CAST(total(input) AS INTEGER), CAST(total(cache_read) AS INTEGER), CAST(total(cache_write) AS INTEGER),
       CAST(total(output) AS INTEGER), CAST(total(reasoning) AS INTEGER),
       count(input) - count(input + cost), sum(input IS NULL AND cost IS NULL AND status < 300), sum(estimated),
       count(cost + listed),
       coalesce(sum(cost / 1000000000000), 0), coalesce(sum(cost % 1000000000000), 0),
       coalesce(sum(CASE WHEN listed IS NOT NULL THEN cost END / 1000000000000), 0),
       coalesce(sum(CASE WHEN listed IS NOT NULL THEN cost END % 1000000000000), 0),
       coalesce(sum(CASE WHEN cost IS NOT NULL THEN listed END / 1000000000000), 0),
       coalesce(sum(CASE WHEN cost IS NOT NULL THEN listed END % 1000000000000), 0)
FROM calls GROUP BY 1, 2, 3, 4, 5, 6, 7;
