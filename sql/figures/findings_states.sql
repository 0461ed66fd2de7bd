/*
description = """Data quality findings about what records say of themselves against what their histories say: over at an unknown time, open at
the source and resolved here, activity that the source's own state contradicts, acknowledgements later than the resolve."""
view = true
like = "figures.findings_words"
*/
WITH counted AS NOT MATERIALIZED ( -- labels only of what is found
    SELECT source, external_id, coalesce(nullif(key, external_id) || ' (' || external_id || ')', external_id) AS label, started_at, status, acknowledged_at, resolved_at, closed_at, episode
    FROM core.incidents
    WHERE is_counted
),
total AS (
    SELECT source, count(*) AS n, count(acknowledged_at) AS acknowledged FROM counted GROUP BY source
),
-- Of a record with several episodes, the last one has its status.
open_there AS (
    SELECT i.source, i.label, i.started_at
    FROM counted AS i
    JOIN core.vendor_records AS r ON r.source = i.source AND r.external_id = i.external_id
    WHERE r.status_event IN ('occurred', 'detected', 'acknowledged', 'investigating', 'root_cause_found', 'mitigated', 'reopened')
        AND NOT EXISTS (FROM core.flaps AS f WHERE f.source = i.source AND f.root_id = i.external_id)
    QUALIFY row_number() OVER (PARTITION BY i.source, i.external_id ORDER BY i.episode DESC) = 1 AND i.resolved_at IS NOT NULL
),
contradicted AS (
    SELECT e.source, coalesce(nullif(r.key, r.external_id) || ' (' || r.external_id || ')', r.external_id) AS label, min(e.happened_at) AS started_at
    FROM core.events AS e
    JOIN core.vendor_records AS r ON r.source = e.source AND r.external_id = e.external_id
    WHERE e.event_type = 'contradicted' AND e.set_aside IS NULL
    GROUP BY e.source, r.key, r.external_id
),
found AS (
    SELECT 'over_at_unknown_time' AS dq_check, source, label, started_at FROM counted
    WHERE status_is_over(status) AND resolved_at IS NULL AND closed_at IS NULL
    UNION ALL
    SELECT 'open_at_source', source, label, started_at FROM open_there
    UNION ALL
    SELECT 'contradicted_by_source', source, label, make_timestamptz(epoch_us(started_at)) FROM contradicted
    UNION ALL
    SELECT 'acknowledged_after_resolve', source, label, started_at FROM counted WHERE acknowledged_at > resolved_at
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
),
sampled AS (
    SELECT dq_check, source, count(*) AS n, arg_max(label, (started_at, label), 5) AS examples
    FROM found
    GROUP BY dq_check, source
)
SELECT
    c.dq_check AS dq_check, t.source, coalesce(s.n, 0) AS n,
    CASE c.dq_check WHEN 'acknowledged_after_resolve' THEN t.acknowledged ELSE t.n END AS total,
    c.level AS level, c.meaning AS meaning, s.examples AS examples
FROM total AS t
CROSS JOIN checks AS c
LEFT JOIN sampled AS s ON s.dq_check = c.dq_check AND s.source = t.source
