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
record_counts AS (
    SELECT r.source, count(*) FILTER (WHERE l.external_id IS NOT NULL) AS n, count(*) AS total
    FROM core.records AS r
    LEFT JOIN (
        SELECT source, external_id
        FROM core.events
        GROUP BY source, external_id
        HAVING bool_or(set_aside = 'after as_of')
    ) AS l ON l.source = r.source AND l.external_id = r.external_id
        AND NOT EXISTS (FROM core.episodes AS e WHERE e.source = r.source AND e.record_id = r.external_id)
        AND NOT EXISTS (FROM core.flaps AS f WHERE f.source = r.source AND f.external_id = r.external_id)
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
