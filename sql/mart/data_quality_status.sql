/*
description = """Data quality as a traffic light, per source and for all sources together. A light is red for two reasons: the newest pull of
a source failed, or a finding that changes overall figures affects at least a tenth of the rows it could affect, those of this source
for its own light, those of all sources together for the light of all. The findings that change overall figures are
record_without_stamp, quarantined and vendor_count_difference (incidents are missing), negative_duration, future_stamp and
stamp_before_2000 (durations are missing). Every other finding that warns is amber, whatever its share: a missing severity changes
only the figures per severity, outliers are counted beside every mean, a refused webhook is nobody's incident, and words and settings
are names."""
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
headline = "the light as a sentence, with the most important warning: what makes it red, else what affects the most rows"
as_of = "clock of the run. UTC"
*/
WITH weighed AS (
    SELECT
        *,
        dq_check IN ('record_without_stamp', 'quarantined', 'vendor_count_difference', 'negative_duration', 'future_stamp',
            'stamp_before_2000') AS is_overall,
        sum(n) OVER one_check AS all_n,
        sum(total) OVER one_check AS all_total,
        format('{:,}', n) || ' of ' || format('{:,}', total) || ': ' || meaning AS told
    FROM mart.data_quality
    WINDOW one_check AS (PARTITION BY dq_check)
),
warned AS (
    SELECT
        *,
        dq_check = 'last_pull_failed' OR (is_overall AND n * 10 >= total) AS is_red,
        dq_check = 'last_pull_failed' OR (is_overall AND all_n * 10 >= all_total) AS is_red_of_all
    FROM weighed
    WHERE status = 'warn'
),
counted AS (
    SELECT source, count(*) AS incidents
    FROM core.incidents
    WHERE is_counted
    GROUP BY source
),
judged AS (
    SELECT
        s.source,
        count(w.dq_check) AS warnings,
        coalesce(bool_or(w.is_red), false) AS is_red,
        coalesce(list(w.dq_check || ': ' || w.n || ' of ' || w.total ORDER BY w.is_red DESC, w.dq_check)
            FILTER (WHERE w.dq_check IS NOT NULL), []) AS findings,
        first(w.told ORDER BY w.is_red DESC, w.n DESC, w.dq_check) AS worst
    FROM (SELECT DISTINCT source FROM mart.data_quality) AS s
    LEFT JOIN warned AS w ON w.source = s.source
    GROUP BY s.source
    UNION ALL
    SELECT
        'all', count(dq_check), coalesce(bool_or(is_red_of_all), false),
        coalesce(list(source || ' ' || dq_check || ': ' || n || ' of ' || total
            ORDER BY is_red_of_all DESC, is_red DESC, source, dq_check) FILTER (WHERE dq_check IS NOT NULL), []),
        first(source || ', ' || told ORDER BY is_red_of_all DESC, is_red DESC, all_n DESC, n DESC, source, dq_check)
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
