/*
description = """Data quality findings of a report about the past, whose clock is before the newest landed data: what happened later and is
set aside. It was asked for, so nothing here warns."""
view = true
like = "figures.findings_words"
*/
WITH event_counts AS (
    SELECT source, count(*) FILTER (WHERE set_aside = 'after as_of') AS n, count(*) AS total
    FROM core.events
    GROUP BY source
),
-- Records that have later events only. A record that is a flap has the incident of another record.
later AS (
    SELECT DISTINCT source, external_id FROM core.events WHERE set_aside = 'after as_of'
),
not_begun AS (
    SELECT l.source, count(*) AS n
    FROM later AS l
    ANTI JOIN core.episodes AS e ON e.source = l.source AND e.record_id = l.external_id
    ANTI JOIN core.flaps AS f ON f.source = l.source AND f.external_id = l.external_id
    GROUP BY l.source
),
record_counts AS (
    SELECT r.source, coalesce(any_value(b.n), 0) AS n, count(*) AS total
    FROM core.vendor_records AS r
    LEFT JOIN not_begun AS b ON b.source = r.source
    GROUP BY r.source
)
SELECT
    'event_after_as_of' AS dq_check, source, n, total, 'info' AS level,
    'events after the clock of the run; this report is about the past and leaves them out' AS meaning, NULL::VARCHAR[] AS examples
FROM event_counts WHERE n > 0
UNION ALL
SELECT
    'record_after_as_of', source, n, total, 'info',
    'records without an event up to the clock of the run; this report is about the past and leaves them out', NULL
FROM record_counts WHERE n > 0
