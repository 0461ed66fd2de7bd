/*
description = """Data quality findings about what was learned from incidents: post-mortems and actions that are about no known incident, incidents of
which nobody says who noticed them, and pages of tools that tell of no notification."""
view = true
like = "figures.findings_words"
*/
WITH told AS (
    SELECT source, kind, external_id, min(coalesce(key, external_id)) AS name FROM staging.follow_ups GROUP BY source, kind, external_id
),
follow_ups AS (
    SELECT t.source, count(*) AS total, count(CASE WHEN f.external_id IS NULL THEN 1 END) AS n,
        (list(t.name ORDER BY t.name) FILTER (f.external_id IS NULL))[1:5] AS examples
    FROM told AS t
    LEFT JOIN (SELECT DISTINCT source, kind, external_id FROM core.follow_ups) AS f USING (source, kind, external_id)
    GROUP BY t.source
),
detections AS (
    SELECT i.source, count(*) AS total, count(CASE WHEN l.detected_by = 'unknown' THEN 1 END) AS n
    FROM facts.learned AS l JOIN core.incidents AS i ON i.rowid = l.incident_no
    GROUP BY i.source
),
pages AS (
    SELECT source, count(*) AS total, count(CASE WHEN NOT by_notification THEN 1 END) AS n FROM core.pages GROUP BY source
)
SELECT 'follow_up_of_no_incident' AS dq_check, source, n, total, 'warn' AS level,
    'post-mortems and actions that are about no counted incident: no link ties them to one, or its record is not read' AS meaning, examples
FROM follow_ups
UNION ALL
SELECT 'detection_unknown', source, n, total, 'share',
    'incidents of which nothing says who or what noticed them: map a field to detected_by, or words in [sources.<name>.detection]', NULL
FROM detections
UNION ALL
SELECT 'pages_without_notifications', source, n, total, 'share',
    'pages of a source that tells of no notification: each record counts as one, at its detection', NULL
FROM pages
