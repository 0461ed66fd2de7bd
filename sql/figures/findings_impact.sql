/*
description = """Data quality finding about when the impact began: far before the detection it is often a mistyped date, and the detection
phase and downtime count all of that time. Far is longer than the outlier limit."""
view = true
like = "figures.findings_words"
*/
-- Only sources that say when the impact began. Names are read only of the newest five: core.incidents stands in the order of its start.
WITH counted AS (
    SELECT source, count(us) AS total, count(CASE WHEN us > limit_us THEN 1 END) AS n, max(CASE WHEN us > limit_us THEN incident_no END, 5) AS newest
    FROM (SELECT source, rowid AS incident_no, epoch_us(detected_at) - epoch_us(occurred_at) AS us FROM core.incidents WHERE is_counted)
    CROSS JOIN (SELECT round(outlier_hours * 3600000000)::BIGINT AS limit_us FROM config.run)
    GROUP BY source
),
sampled AS (
    SELECT c.source, list(coalesce(i.key, i.external_id) ORDER BY i.rowid DESC) AS examples
    FROM (SELECT source, unnest(newest) AS incident_no FROM counted) AS c
    JOIN core.incidents AS i ON i.rowid = c.incident_no
    GROUP BY c.source
)
SELECT
    'impact_long_before_detection' AS dq_check, c.source, c.n, c.total, 'warn' AS level,
    'incidents whose impact began more than ' || printf('%g', run.outlier_hours) || ' h before they were detected: the detection phase and '
        || 'downtime count that time; check occurred_at at the source' AS meaning,
    s.examples
FROM counted AS c
CROSS JOIN config.run AS run
LEFT JOIN sampled AS s ON s.source = c.source
WHERE c.total > 0
