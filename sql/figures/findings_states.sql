/*
description = """Data quality findings about what records say of themselves against what their histories say: over at an unknown time, open at
the source and resolved here, activity that the source's own state contradicts, acknowledgements later than the resolve."""
view = true
like = "figures.findings_words"
*/
WITH total AS (
    SELECT source, count(*) AS n, count(acknowledged_at) AS acknowledged FROM core.incidents WHERE is_counted GROUP BY source
),
-- Of a record with several episodes, the last one has its status.
open_there AS (
    SELECT i.source, i.rowid AS incident_no
    FROM core.incidents AS i
    JOIN core.vendor_records AS r ON r.source = i.source AND r.external_id = i.external_id
    WHERE i.is_counted
        AND r.status_event IN ('occurred', 'detected', 'acknowledged', 'investigating', 'root_cause_found', 'mitigated', 'reopened')
        AND NOT EXISTS (FROM core.flaps AS f WHERE f.source = i.source AND f.root_id = i.external_id)
    QUALIFY row_number() OVER (PARTITION BY i.source, i.external_id ORDER BY i.episode DESC) = 1 AND i.resolved_at IS NOT NULL
),
-- The newest five by their number: core.incidents stands in the order of its start. Texts are read of these alone.
found AS (
    SELECT 'over_at_unknown_time' AS dq_check, source, count(*) AS n, max(rowid, 5) AS newest FROM core.incidents
    WHERE is_counted AND resolved_at IS NULL AND closed_at IS NULL AND status_is_over(status)
    GROUP BY source
    UNION ALL
    SELECT 'open_at_source', source, count(*), max(incident_no, 5) FROM open_there GROUP BY source
    UNION ALL
    SELECT 'acknowledged_after_resolve', source, count(*), max(rowid, 5) FROM core.incidents
    WHERE is_counted AND acknowledged_at > resolved_at
    GROUP BY source
),
contradicted AS (
    SELECT e.source, coalesce(nullif(r.key, r.external_id) || ' (' || r.external_id || ')', r.external_id) AS label, min(e.happened_at) AS started_at
    FROM core.events AS e
    JOIN core.vendor_records AS r ON r.source = e.source AND r.external_id = e.external_id
    WHERE e.event_type = 'contradicted' AND e.set_aside IS NULL
    GROUP BY e.source, r.key, r.external_id
),
sampled AS (
    SELECT f.dq_check, f.source, any_value(f.n) AS n, list(coalesce(nullif(i.key, i.external_id) || ' (' || i.external_id || ')', i.external_id) ORDER BY i.rowid DESC) AS examples
    FROM (SELECT * EXCLUDE (newest), unnest(newest) AS incident_no FROM found) AS f
    JOIN core.incidents AS i ON i.rowid = f.incident_no
    GROUP BY f.dq_check, f.source
    UNION ALL
    SELECT 'contradicted_by_source', source, count(*), arg_max(label, (started_at, label), 5) FROM contradicted GROUP BY source
),
checks AS (
    FROM (VALUES
        ('over_at_unknown_time', 'warn',
            'incidents whose record says resolved or closed without saying when: they have no duration, and are not open'),
        ('open_at_source', 'warn',
            'incidents with a resolve here whose record says that they are still open at the source: their durations may be too short'),
        ('contradicted_by_source', 'info',
            'records with activity after the end that the source itself states: that end counts, and they are not reopened'),
        ('acknowledged_after_resolve', 'info',
            'incidents that were acknowledged after their resolve: they have no acknowledgment phase')
    ) AS c (dq_check, level, meaning)
)
SELECT
    c.dq_check AS dq_check, t.source, coalesce(s.n, 0) AS n,
    CASE c.dq_check WHEN 'acknowledged_after_resolve' THEN t.acknowledged ELSE t.n END AS total,
    c.level AS level, c.meaning AS meaning, s.examples AS examples
FROM total AS t
CROSS JOIN checks AS c
LEFT JOIN sampled AS s ON s.dq_check = c.dq_check AND s.source = t.source
