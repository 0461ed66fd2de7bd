/*
description = """The windows of the trend: the 90 days before as_of, cut by day, week and month. Calendar windows start at midnight of the
reporting time zone: every day, on Mondays, on the first of the month. Rolling windows go back from as_of in steps of 24 hours, 7 days
or one calendar month. Windows are half-open; the first and the last are cut off by the 90 days."""
not_null = ["window_id", "interval", "alignment", "start_us", "end_us", "is_partial"]
unique = [["window_id"], ["interval", "alignment", "start_us"]]

[assert]
ordered = "start_us < end_us"

[columns]
window_id = "number of the window, from 1; core.windows has no window of the same number"
interval = "day, week or month"
alignment = "calendar or rolling"
start_us = "first instant of the window, in microseconds since 1970"
end_us = "first instant after the window, in microseconds since 1970"
is_partial = "cut off by the span of 90 days: shorter than its interval"
*/
WITH run AS (
    SELECT
        epoch_us(as_of) AS as_of_us,
        epoch_us(as_of - INTERVAL 90 DAY) AS span_us,
        reporting_time_zone AS zone,
        timezone(reporting_time_zone, make_timestamptz(epoch_us(as_of))) AS local_as_of,
        timezone(reporting_time_zone, make_timestamptz(epoch_us(as_of - INTERVAL 90 DAY))) AS local_span
    FROM config.run
),
steps AS (
    SELECT 'day' AS name, INTERVAL 1 DAY AS step
    UNION ALL SELECT 'week', INTERVAL 7 DAY
    UNION ALL SELECT 'month', INTERVAL 1 MONTH
),
calendar AS (
    SELECT s.name, run.zone, s.step,
        unnest(generate_series(date_trunc(s.name, run.local_span), run.local_as_of, s.step)) AS local_start
    FROM steps AS s
    CROSS JOIN run
),
rolling AS (
    -- 90 days contain at most 90 days, 13 weeks and 4 months, partial ones included.
    SELECT s.name, run.zone, run.local_as_of, run.as_of_us, unnest(range(0, CASE s.name WHEN 'day' THEN 90 WHEN 'week' THEN 13
        ELSE 4 END)) AS back
    FROM steps AS s
    CROSS JOIN run
),
local_bounds AS (
    SELECT 'calendar' AS alignment, name, zone, local_start AS local_from, local_start + step AS local_to, NULL::BIGINT AS end_known_us
    FROM calendar
    UNION ALL
    -- The newest month ends at as_of itself. Its local time alone is ambiguous when the clock shows it twice.
    SELECT 'rolling', name, zone, local_as_of - to_months((back + 1)::INTEGER), local_as_of - to_months(back::INTEGER),
        CASE WHEN back = 0 THEN as_of_us END
    FROM rolling WHERE name = 'month'
),
instants AS (
    SELECT alignment, name, zone, local_from, local_to, end_known_us,
        epoch_us(timezone(zone, local_from)) AS from_us,
        epoch_us(timezone(zone, local_to)) AS to_us
    FROM local_bounds
),
bounds AS (
    -- DuckDB takes a local time that a clock shows twice as the second of the two. The window starts at the first.
    SELECT alignment, name,
        from_us - CASE WHEN timezone(zone, make_timestamptz(from_us - 3600000000)) >= local_from THEN 3600000000 ELSE 0 END
            AS from_us,
        coalesce(end_known_us, to_us
            - CASE WHEN timezone(zone, make_timestamptz(to_us - 3600000000)) >= local_to THEN 3600000000 ELSE 0 END) AS to_us
    FROM instants
    UNION ALL
    SELECT 'rolling', name, as_of_us - (back + 1) * CASE name WHEN 'day' THEN 86400000000 ELSE 604800000000 END,
        as_of_us - back * CASE name WHEN 'day' THEN 86400000000 ELSE 604800000000 END
    FROM rolling WHERE name <> 'month'
),
clipped AS (
    SELECT
        b.name, b.alignment,
        greatest(b.from_us, run.span_us) AS start_us,
        least(b.to_us, run.as_of_us) AS end_us,
        b.from_us < run.span_us OR b.to_us > run.as_of_us AS is_partial
    FROM bounds AS b
    CROSS JOIN run
)
SELECT
    row_number() OVER (ORDER BY alignment, name, start_us) AS window_id,
    name AS "interval",
    alignment,
    start_us,
    end_us,
    is_partial
FROM clipped
WHERE start_us < end_us
ORDER BY window_id
