-- What a call consumed and cost. Tokens stand in five sums that people ask for; buckets holds the single ones as a JSON
-- array, only where a sum has more than its first bucket. Money is in picodollars, which holds up to nine million dollars.
ALTER TABLE calls ADD COLUMN input        INTEGER;
ALTER TABLE calls ADD COLUMN cache_read   INTEGER;
ALTER TABLE calls ADD COLUMN cache_write  INTEGER;
ALTER TABLE calls ADD COLUMN output       INTEGER;
ALTER TABLE calls ADD COLUMN reasoning    INTEGER;
ALTER TABLE calls ADD COLUMN buckets      TEXT;
ALTER TABLE calls ADD COLUMN answered     TEXT;
ALTER TABLE calls ADD COLUMN service_tier TEXT;
ALTER TABLE calls ADD COLUMN cost         INTEGER;
ALTER TABLE calls ADD COLUMN listed       INTEGER;
ALTER TABLE calls ADD COLUMN price        TEXT;
ALTER TABLE calls ADD COLUMN estimated    INTEGER NOT NULL DEFAULT 0;
