/*
description = """How many events issues of error trackers had of late, one row per issue with counts. Counts of versions are added up where there is
none of all of them. A day counts for the mean only if it is whole: it was over when it was read, and the issue was seen before it began."""
not_null = ["source", "external_id", "n_days", "is_spiking"]
unique = [["source", "external_id"]]

[assert]
at_most_seven_days = "n_days BETWEEN 0 AND 7"

[columns]
source = "the account"
external_id = "the issue's immutable id"
events_24h = "events in the hours that began in the last 24 hours before as_of; NULL where the vendor keeps no hours of them"
n_days = "whole days, the last seven that were over 24 hours before as_of, or as many of them as there are"
mean_daily_events = "mean events of those days; NULL without one"
is_spiking = "whether the mean is at least 5, and the last 24 hours have at least ten times as many"
*/
WITH periods AS (
    SELECT source, external_id, began_at, minutes,
        coalesce(arg_max(events, read_at) FILTER (release IS NULL), sum(events) FILTER (release IS NOT NULL)) AS events,
        max(read_at) AS read_at
    FROM (
        SELECT source, external_id, began_at, minutes, text_or_null(release) AS release, arg_max(events, read_at) AS events, max(read_at) AS read_at
        FROM staging.error_counts
        GROUP BY ALL
    )
    GROUP BY source, external_id, began_at, minutes
),
days AS (
    SELECT p.*
    FROM periods AS p
    JOIN core.errors AS e ON e.source = p.source AND e.external_id = p.external_id
    CROSS JOIN config.run AS run
    WHERE p.minutes = 1440 AND p.began_at + INTERVAL 1 DAY <= least(p.read_at, run.as_of - INTERVAL 24 HOUR)
        AND p.began_at > run.as_of - INTERVAL 9 DAY AND p.began_at >= e.first_seen_at
    QUALIFY row_number() OVER (PARTITION BY p.source, p.external_id ORDER BY p.began_at DESC) <= 7
),
daily AS (
    SELECT source, external_id, count(*) AS n_days, sum(events)::BIGINT AS events FROM days GROUP BY ALL
),
hourly AS (
    SELECT p.source, p.external_id, sum(p.events)::BIGINT AS events
    FROM periods AS p
    CROSS JOIN config.run AS run
    WHERE p.minutes = 60 AND p.began_at >= run.as_of - INTERVAL 24 HOUR AND p.began_at < run.as_of
    GROUP BY ALL
)
SELECT
    e.source, e.external_id, h.events AS events_24h, coalesce(d.n_days, 0)::INTEGER AS n_days, d.events / d.n_days AS mean_daily_events,
    -- In whole numbers: a mean of 5 and ten times as many are in.
    coalesce(d.events >= 5 * d.n_days AND h.events * d.n_days >= 10 * d.events, false) AS is_spiking
FROM core.errors AS e
LEFT JOIN hourly AS h ON h.source = e.source AND h.external_id = e.external_id
LEFT JOIN daily AS d ON d.source = e.source AND d.external_id = e.external_id
WHERE h.events IS NOT NULL OR d.events IS NOT NULL
