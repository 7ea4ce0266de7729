-- What model calls cost: one row for what was observed together and is priced alike, with its prices in every period.
-- A row replaces the one before it as a whole, so that no question sees half of a change.
CREATE TABLE IF NOT EXISTS tracium_prices
(
    Provider LowCardinality(String),
    Model LowCardinality(String),
    RequestModel LowCardinality(String),
    ServerAddress LowCardinality(String),
    ServiceTier LowCardinality(String),
    -- Half-open boxes that lie side by side and leave no gap: of the input's class, of time, of the minutes of a UTC day.
    -- Prices are US dollars for one token, or for one request; NULL: nobody knows. Reason: why there is no price at all.
    Periods Array(Tuple(
        ClassFrom UInt32,
        ClassTo UInt32,
        ValidFrom UInt32,
        ValidTo UInt32,
        DayFrom UInt16,
        DayTo UInt16,
        Input Nullable(Decimal(38, 24)),
        CacheRead Nullable(Decimal(38, 24)),
        CacheWrite Nullable(Decimal(38, 24)),
        Output Nullable(Decimal(38, 24)),
        Request Nullable(Decimal(38, 24)),
        Source String,
        Version String,
        Matched String,
        Reason String)),
    -- The release of genai-prices and the revision of the overrides that the last of the periods are of.
    Package String,
    Overrides UInt64,
    -- When it was written, in nanoseconds since 1970.
    Revision UInt64
)
ENGINE = ReplacingMergeTree(Revision)
ORDER BY (Provider, Model, RequestModel, ServerAddress, ServiceTier)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- The users' own prices, as they wrote them; the latest revision is in force.
CREATE TABLE IF NOT EXISTS tracium_price_overrides
(
    -- When it was loaded, in nanoseconds since 1970.
    Revision UInt64,
    Name String,
    Toml String CODEC(ZSTD(1))
)
ENGINE = MergeTree
ORDER BY Revision
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
