/*
description = "Data quality findings about records and the events in their histories."
view = true
like = "figures.findings_words"
*/
WITH event_checks AS ( -- in one pass over the events
    SELECT source, count(*) AS total, unnest([
            {dq_check: 'unknown_event_type', n: count(*) FILTER (WHERE event_type = 'other' AND NOT is_routine), level: 'info',
                meaning: 'history entries of a type that no mapping knows; they set no stamp'},
            {dq_check: 'future_stamp', n: count(*) FILTER (WHERE set_aside = 'future'), level: 'warn',
                meaning: 'events more than five minutes after the clock of the run and after the newest landed data; they are ignored'},
            {dq_check: 'stamp_before_2000', n: count(*) FILTER (WHERE set_aside = 'before 2000'), level: 'warn',
                meaning: 'events before the year 2000 or without an instant; they are ignored'}
        ]) AS c
    FROM core.events
    GROUP BY source
),
-- The records that have an incident, as their own or as a flap of another record.
counted AS (
    SELECT source, record_id AS external_id FROM core.episodes WHERE episode = 1
    UNION
    SELECT source, external_id FROM core.flaps
),
-- Of a report about the past: records with later events, of which the fold sees none.
later AS (
    SELECT DISTINCT source, external_id FROM core.events WHERE set_aside = 'after as_of'
),
record_checks AS (
    SELECT r.source, count(*) AS total, count(r.duplicate_of_id) AS duplicates,
        count(*) FILTER (WHERE own.external_id IS NULL AND l.external_id IS NULL) AS without_stamp,
        count(*) FILTER (WHERE r.duplicate_of_id IS NOT NULL AND target.external_id IS NULL
            AND NOT (own.external_id IS NULL AND l.external_id IS NOT NULL) AND later_target.external_id IS NULL) AS of_unknown,
        count(*) FILTER (WHERE target.external_id IS NOT NULL AND d.external_id IS NULL) AS in_circle,
        count(*) FILTER (WHERE r.severity_source = 'urgency') AS by_urgency
    FROM core.vendor_records AS r
    LEFT JOIN counted AS own ON own.source = r.source AND own.external_id = r.external_id
    LEFT JOIN counted AS target ON target.source = r.source AND target.external_id = r.duplicate_of_id
    LEFT JOIN core.duplicates AS d ON d.source = r.source AND d.external_id = r.external_id
    LEFT JOIN later AS l ON l.source = r.source AND l.external_id = r.external_id
    LEFT JOIN later AS later_target ON later_target.source = r.source AND later_target.external_id = r.duplicate_of_id
    GROUP BY r.source
)
SELECT c.dq_check AS dq_check, source, c.n AS n, total, c.level AS level, c.meaning AS meaning, NULL::VARCHAR[] AS examples
FROM event_checks
UNION ALL
SELECT 'record_without_stamp', source, without_stamp, total, 'warn', 'records without a usable stamp; they are no incidents yet', NULL
FROM record_checks
UNION ALL
SELECT 'duplicate_of_unknown', source, of_unknown, duplicates, 'warn',
    'duplicates of a record that was never read, is deleted or has no stamp; each is counted on its own', NULL
FROM record_checks WHERE duplicates > 0
UNION ALL
SELECT 'duplicate_in_circle', source, in_circle, duplicates, 'warn',
    'duplicates that only point at each other; each is counted on its own', NULL
FROM record_checks WHERE duplicates > 0
UNION ALL
SELECT 'severity_by_urgency', source, by_urgency, total, 'info',
    'records whose severity is the urgency: no priority or severity field says more', NULL
FROM record_checks WHERE by_urgency > 0
UNION ALL
SELECT 'event_without_record', e.source, count(*) FILTER (WHERE set_aside = 'no record' AND d.external_id IS NULL), count(*),
    'info', 'events of records that were never read, because they were created before the first pull', NULL
FROM core.events AS e
LEFT JOIN core.deleted_records AS d ON d.source = e.source AND d.external_id = e.external_id
GROUP BY e.source
UNION ALL
SELECT 'deleted_at_source', source, count(*) FILTER (WHERE is_deleted), count(*), 'info',
    'records that the vendor no longer has; they are left out of every figure', NULL
FROM (
    SELECT source, false AS is_deleted FROM core.vendor_records
    UNION ALL
    SELECT source, true FROM core.deleted_records
) GROUP BY source
UNION ALL
SELECT f.fact, f.source, count(DISTINCT f.external_id), any_value(r.records), d.level, d.meaning,
    (list(DISTINCT f.example ORDER BY f.example) FILTER (WHERE f.example IS NOT NULL))[1:5]
FROM staging.findings AS f
JOIN config.findings AS d ON d.fact = f.fact
JOIN (SELECT source, sum(fetched)::BIGINT AS records FROM ops.loads GROUP BY source) AS r ON r.source = f.source
GROUP BY f.fact, f.source, d.level, d.meaning
