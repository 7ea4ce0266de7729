-- Tokens. A row is never changed: a revocation is a second row, and the one with the higher version holds.
CREATE TABLE IF NOT EXISTS tracium_tokens
(
    Id String,
    Version UInt8,
    Kind LowCardinality(String),
    -- SHA-256 of the whole token, in hexadecimal: 256 random bits cannot be guessed, so a slow hash would add nothing.
    Hash String,
    -- Empty: bound to no tenant.
    Tenants Array(String),
    Grants Array(LowCardinality(String)),
    Name String,
    -- The token that a browser logged in with; '' for a token that a person made.
    Parent String,
    CreatedAt DateTime64(6, 'UTC'),
    ExpiresAt Nullable(DateTime64(6, 'UTC')),
    RevokedAt Nullable(DateTime64(6, 'UTC'))
)
ENGINE = ReplacingMergeTree(Version)
ORDER BY Id
-- A browser's session is of no interest once it is over.
TTL toDateTime(CreatedAt) + INTERVAL 30 DAY DELETE WHERE Parent != ''
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- What was done with the power of an administrator, and who read content. Rows are only ever added.
CREATE TABLE IF NOT EXISTS tracium_audit
(
    Time DateTime64(6, 'UTC'),
    Principal String,
    Kind LowCardinality(String),
    Action LowCardinality(String),
    Target String,
    Detail String,
    Address String
)
ENGINE = MergeTree
ORDER BY Time
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
