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
-- Numbers are compared faster than names.
WITH issues AS (
    SELECT e.source, e.external_id, row_number() OVER () AS issue_no, epoch_us(e.first_seen_at) AS first_us, v.external_id IS NOT NULL AS has_versions
    FROM core.errors AS e
    LEFT JOIN (SELECT DISTINCT source, external_id FROM staging.error_counts WHERE release IS NOT NULL) AS v
        ON v.source = e.source AND v.external_id = e.external_id
),
span AS (
    SELECT epoch_us(as_of) AS as_of_us, epoch_us(as_of) - 86400000000 AS day_ago_us FROM config.run
),
near AS (
    SELECT i.issue_no, i.first_us, i.has_versions, c.minutes, epoch_us(c.began_at) AS began_us, c.events, c.release IS NULL AS is_total, epoch_us(c.read_at) AS read_us
    FROM staging.error_counts AS c
    JOIN issues AS i ON i.source = c.source AND i.external_id = c.external_id
    WHERE c.began_at >= (SELECT as_of - INTERVAL 9 DAY FROM config.run) AND c.began_at < (SELECT as_of FROM config.run)
),
-- Hours are only added up: without versions, those of an issue are one group, which is far fewer groups than hours.
periods AS (
    SELECT issue_no, minutes, CASE WHEN has_versions OR minutes = 1440 THEN began_us END AS began_us, coalesce(sum(events) FILTER (is_total), sum(events)) AS events, max(read_us) AS read_us
    FROM near
    CROSS JOIN span
    WHERE (minutes = 60 AND began_us >= day_ago_us) OR (minutes = 1440 AND began_us + 86400000000 <= day_ago_us AND began_us >= first_us)
    GROUP BY issue_no, minutes, CASE WHEN has_versions OR minutes = 1440 THEN began_us END
),
days AS (
    SELECT p.issue_no, p.events
    FROM periods AS p
    CROSS JOIN span
    WHERE p.minutes = 1440 AND p.began_us + 86400000000 <= p.read_us AND p.began_us > day_ago_us - 8 * 86400000000
    QUALIFY row_number() OVER (PARTITION BY p.issue_no ORDER BY p.began_us DESC) <= 7
),
daily AS (
    SELECT issue_no, count(*) AS n_days, sum(events)::BIGINT AS events FROM days GROUP BY issue_no
),
hourly AS (
    SELECT issue_no, sum(events)::BIGINT AS events FROM periods WHERE minutes = 60 GROUP BY issue_no
)
SELECT
    e.source, e.external_id, h.events AS events_24h, coalesce(d.n_days, 0)::INTEGER AS n_days, d.events / d.n_days AS mean_daily_events,
    -- In whole numbers: a mean of 5 and ten times as many are in.
    coalesce(d.events >= 5 * d.n_days AND h.events * d.n_days >= 10 * d.events, false) AS is_spiking
FROM issues AS e
LEFT JOIN hourly AS h ON h.issue_no = e.issue_no
LEFT JOIN daily AS d ON d.issue_no = e.issue_no
WHERE h.events IS NOT NULL OR d.events IS NOT NULL
