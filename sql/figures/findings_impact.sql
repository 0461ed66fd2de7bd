/*
description = """Data quality finding about when the impact began: far before the detection it is often a mistyped date, and the detection
phase and downtime count all of that time. Far is longer than the outlier limit."""
view = true
like = "figures.findings_words"
*/
-- Only sources that say when the impact began.
SELECT
    'impact_long_before_detection' AS dq_check, i.source,
    count(*) FILTER (WHERE is_far) AS n,
    count(*) AS total,
    'warn' AS level,
    'incidents whose impact began more than ' || printf('%g', outlier_hours) || ' h before they were detected: the detection phase and '
        || 'downtime count that time; check occurred_at at the source' AS meaning,
    (list(coalesce(i.key, i.external_id) ORDER BY i.detected_at DESC, i.external_id) FILTER (WHERE is_far))[1:5] AS examples
FROM (
    SELECT c.source, c.key, c.external_id, c.detected_at, run.outlier_hours,
        epoch_us(c.detected_at) - epoch_us(c.occurred_at) > round(run.outlier_hours * 3600000000)::BIGINT AS is_far
    FROM core.incidents AS c
    CROSS JOIN config.run AS run
    WHERE c.is_counted AND c.occurred_at IS NOT NULL AND c.detected_at IS NOT NULL
) AS i
GROUP BY i.source, outlier_hours
