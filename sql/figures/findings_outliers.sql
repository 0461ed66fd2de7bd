/*
description = """Data quality finding about the outlier rule: what it leaves out of means, percentiles and phases. It warns when that is more
than a tenth of the durations from detected to resolved, or more than half of their minutes."""
view = true
like = "figures.findings_words"
*/
WITH counted AS (
    SELECT source, count(us) AS total, sum(us) AS all_us, count(CASE WHEN us > limit_us THEN 1 END) AS n,
        sum(CASE WHEN us > limit_us THEN us END) AS outlier_us
    FROM (
        SELECT source, CASE WHEN resolved_at >= detected_at THEN epoch_us(resolved_at) - epoch_us(detected_at) END AS us
        FROM core.incidents
        WHERE is_counted
    )
    CROSS JOIN (SELECT round(outlier_hours * 3600000000)::BIGINT AS limit_us FROM config.run WHERE outliers_excluded)
    GROUP BY source
),
weighed AS (
    SELECT *,
        -- 100.0 only when it is all of them.
        CASE WHEN n < total THEN least(100 * outlier_us::DOUBLE / all_us::DOUBLE, 99.9) ELSE 100 END AS pct
    FROM counted
    CROSS JOIN (SELECT outlier_hours FROM config.run)
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
