-- Sums know projects too, so that budgets over a time and costs by project are read from few rows, and outlive their calls.
-- What left before has none. Where the project of calls is known, their part moves to it.
ALTER TABLE sums RENAME TO sums_without_project;
CREATE TABLE sums (
    hour           INTEGER NOT NULL,
    tenant         TEXT NOT NULL,
    client         TEXT NOT NULL,
    project        TEXT NOT NULL,
    provider       TEXT NOT NULL,
    account        TEXT NOT NULL,
    model          TEXT NOT NULL,
    first_id       BLOB NOT NULL,
    last_id        BLOB NOT NULL,
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
SELECT hour, tenant, client, '', provider, account, model, first_id, last_id, calls, input, cache_read, cache_write,
       output, reasoning, unpriced, untold, estimated, compared, cost_usd, cost_pico, told_usd, told_pico, listed_usd,
       listed_pico
FROM sums_without_project;
DROP TABLE sums_without_project;

INSERT INTO sums
SELECT at / 3600000000, tenant, client, project, coalesce(provider, ''), coalesce(account, ''), coalesce(model, ''),
       min(id), max(id), count(*),
       CAST(total(input) AS INTEGER), CAST(total(cache_read) AS INTEGER), CAST(total(cache_write) AS INTEGER),
       CAST(total(output) AS INTEGER), CAST(total(reasoning) AS INTEGER),
       count(input) - count(input + cost), sum(input IS NULL AND cost IS NULL AND status < 300), sum(estimated),
       count(cost + listed),
       coalesce(sum(cost / 1000000000000), 0), coalesce(sum(cost % 1000000000000), 0),
       coalesce(sum(CASE WHEN listed IS NOT NULL THEN cost END / 1000000000000), 0),
       coalesce(sum(CASE WHEN listed IS NOT NULL THEN cost END % 1000000000000), 0),
       coalesce(sum(CASE WHEN cost IS NOT NULL THEN listed END / 1000000000000), 0),
       coalesce(sum(CASE WHEN cost IS NOT NULL THEN listed END % 1000000000000), 0)
FROM calls WHERE project <> '' GROUP BY 1, 2, 3, 4, 5, 6, 7;

UPDATE sums SET
       calls = calls - of.n, input = input - of.i, cache_read = cache_read - of.r, cache_write = cache_write - of.w,
       output = output - of.o, reasoning = reasoning - of.t, unpriced = unpriced - of.u, untold = untold - of.s,
       estimated = estimated - of.e, compared = compared - of.c, cost_usd = cost_usd - of.cu, cost_pico = cost_pico - of.cp,
       told_usd = told_usd - of.tu, told_pico = told_pico - of.tp, listed_usd = listed_usd - of.lu,
       listed_pico = listed_pico - of.lp
FROM (SELECT hour AS h, tenant AS te, client AS cl, provider AS p, account AS a, model AS m, sum(calls) AS n,
             sum(input) AS i, sum(cache_read) AS r, sum(cache_write) AS w, sum(output) AS o, sum(reasoning) AS t,
             sum(unpriced) AS u, sum(untold) AS s, sum(estimated) AS e, sum(compared) AS c, sum(cost_usd) AS cu,
             sum(cost_pico) AS cp, sum(told_usd) AS tu, sum(told_pico) AS tp, sum(listed_usd) AS lu, sum(listed_pico) AS lp
      FROM sums WHERE project <> '' GROUP BY 1, 2, 3, 4, 5, 6) AS of
WHERE project = '' AND hour = of.h AND tenant = of.te AND client = of.cl AND provider = of.p AND account = of.a
      AND model = of.m;

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
