/*
description = """Data quality as a traffic light, per source and for all sources together. Red: the newest pull of a source failed, or a
finding that distorts figures affects at least a tenth of the rows it could affect. Amber: some finding warns. The light of all
sources is that of the worst one."""
published = true
not_null = ["source", "light", "warnings", "findings", "incidents", "headline"]
unique = [["source"]]

[assert]
known_light = "light IN ('green', 'amber', 'red', 'no_data')"
green_means_no_warning = "(light = 'green') <= (warnings = 0)"

[columns]
source = "source, configuration, or all"
light = "green, amber, red, or no_data: no source has an incident"
warnings = "number of findings that warn"
findings = "the findings that warn, as `finding: n of total`; in the row of all sources the source comes first"
incidents = "incidents of the source, without duplicates and non-incidents"
headline = "the light as a sentence, with the most important warning"
as_of = "clock of the run. UTC"
*/
WITH warned AS (
    SELECT
        *,
        -- Findings that are not in this list concern names, not incidents, so they stay amber whatever their share is.
        dq_check = 'last_pull_failed' OR (n * 10 >= total AND dq_check IN ('severity_by_default', 'record_without_stamp',
            'negative_duration', 'quarantined', 'future_stamp', 'stamp_before_2000', 'vendor_count_difference')) AS is_red
    FROM mart.data_quality
    WHERE status = 'warn'
),
counted AS (
    SELECT source, count(*) AS incidents
    FROM core.incidents
    WHERE duplicate_of IS NULL AND kind = 'incident'
    GROUP BY source
),
judged AS (
    SELECT
        s.source,
        count(w.dq_check) AS warnings,
        coalesce(bool_or(w.is_red), false) AS is_red,
        coalesce(list(w.dq_check || ': ' || w.n || ' of ' || w.total ORDER BY w.is_red DESC, w.dq_check)
            FILTER (WHERE w.dq_check IS NOT NULL), []) AS findings,
        first(w.n || ' of ' || w.total || ': ' || w.meaning ORDER BY w.is_red DESC, w.dq_check) AS worst
    FROM (SELECT DISTINCT source FROM mart.data_quality) AS s
    LEFT JOIN warned AS w ON w.source = s.source
    GROUP BY s.source
    UNION ALL
    SELECT
        'all', count(dq_check), coalesce(bool_or(is_red), false),
        coalesce(list(source || ' ' || dq_check || ': ' || n || ' of ' || total ORDER BY is_red DESC, source, dq_check)
            FILTER (WHERE dq_check IS NOT NULL), []),
        first(source || ', ' || n || ' of ' || total || ': ' || meaning ORDER BY is_red DESC, source, dq_check)
    FROM warned
),
lit AS (
    SELECT
        j.source, j.warnings, j.findings, j.worst,
        CASE WHEN j.source = 'all' THEN (SELECT coalesce(sum(incidents), 0)::BIGINT FROM counted)
            ELSE coalesce(c.incidents, 0) END AS incidents,
        CASE WHEN j.is_red THEN 'red' WHEN j.warnings > 0 THEN 'amber' ELSE 'green' END AS light
    FROM judged AS j
    LEFT JOIN counted AS c ON c.source = j.source
)
SELECT
    l.source,
    CASE WHEN l.source = 'all' AND l.incidents = 0 AND l.light = 'green' THEN 'no_data' ELSE l.light END AS light,
    l.warnings,
    l.findings,
    l.incidents,
    CASE
        WHEN l.source = 'all' AND l.incidents = 0 AND l.light = 'green' THEN 'There are no incidents.'
        WHEN l.light = 'green' THEN 'No data quality issues.'
        ELSE CASE l.light WHEN 'amber' THEN 'Usable' ELSE 'Not reliable' END
            || CASE l.warnings WHEN 1 THEN ', with 1 warning: ' ELSE ', with ' || l.warnings || ' warnings; the most important: ' END
            || l.worst || '.'
    END AS headline,
    make_timestamptz(epoch_us(run.as_of)) AS as_of
FROM lit AS l
CROSS JOIN config.run AS run
ORDER BY CASE WHEN l.source = 'all' THEN 0 ELSE 1 END, l.source
