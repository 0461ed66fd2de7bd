/*
description = """Data quality finding about the outlier rule: what it leaves out of means, percentiles and phases. It warns when that is more
than a tenth of the durations from detected to resolved, or more than half of their minutes."""
view = true
like = "figures.findings_words"
*/
WITH timed AS (
    SELECT i.source, round(run.outlier_hours * 3600000000)::BIGINT AS limit_us, run.outlier_hours,
        CASE WHEN i.resolved_at >= i.detected_at THEN epoch_us(i.resolved_at) - epoch_us(i.detected_at) END AS us
    FROM core.incidents AS i
    CROSS JOIN config.run AS run
    WHERE i.is_counted AND run.outliers_excluded
),
counted AS (
    SELECT source, outlier_hours, count(us) AS total, sum(us) AS all_us, count(CASE WHEN us > limit_us THEN 1 END) AS n,
        sum(CASE WHEN us > limit_us THEN us END) AS outlier_us
    FROM timed
    GROUP BY source, outlier_hours
),
weighed AS (
    SELECT *,
        -- 100.0 only when it is all of them.
        CASE WHEN n < total THEN least(100 * outlier_us::DOUBLE / all_us::DOUBLE, 99.9) ELSE 100 END AS pct
    FROM counted
    WHERE total > 0
)
SELECT
    'outliers_left_out' AS dq_check, source, n, total,
    CASE WHEN n * 10 > total OR outlier_us * 2 > all_us THEN 'warn' ELSE 'info' END AS level,
    'incidents longer than ' || printf('%g', outlier_hours) || ' h; means, percentiles and phases leave them out'
        || CASE WHEN n > 0 THEN ', with ' || printf('%.1f', pct) || ' % of all minutes' ELSE '' END
        || CASE WHEN level = 'warn' THEN '; if such incidents are usual, raise or switch off the limit in [outliers]' ELSE '' END
        AS meaning,
    NULL::VARCHAR[] AS examples
FROM weighed
