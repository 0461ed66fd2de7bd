/*
description = """The trend of every variant over the windows of core.trend_windows, for all incidents and per severity. A window
without incidents has a row of zero counts and NULLs."""
not_null = ["window_id", "calculation_type", "scope", "scope_value", "incident_count"]
unique = [["window_id", "calculation_type", "scope", "scope_value"]]

[columns]
window_id = "window"
calculation_type = "variant"
scope = "all or severity"
scope_value = "the member"
incident_count = "matched incidents that started in the window"
analyzed_count = "those with a usable duration"
open_count = "those not over yet"
outlier_count = "those longer than the outlier limit"
invalid_count = "those that end before they start"
missing_count = "those without the variant's start, or without its end although a later stamp exists"
total_us = "sum of the durations"
median = "their median in minutes"
p90 = "their 90th percentile in minutes"
detection_n = "incidents with a valid detection phase; outliers of the variant are left out of all phases"
detection_us = "their sum"
acknowledgment_n = "the same of acknowledgment"
acknowledgment_us = "their sum"
investigation_n = "the same of investigation, in the phase model in force"
investigation_us = "their sum"
mitigation_n = "the same of mitigation, in the phase model in force"
mitigation_us = "their sum"
*/
WITH placed AS (
    -- Each incident lies in one window of each interval and alignment; its variants are joined only then.
    SELECT
        w.window_id, d.incident_no, d.severity_id, d.detection_us, d.acknowledgment_us,
        CASE WHEN m.phase_model = 'lifecycle' THEN d.to_cause_us ELSE d.to_mitigated_us END AS investigation_us,
        CASE WHEN m.phase_model = 'lifecycle' THEN d.cause_to_mitigated_us ELSE d.mitigated_to_resolved_us END AS mitigation_us
    FROM figures.phases AS d
    JOIN core.trend_windows AS w ON d.started_us >= w.start_us AND d.started_us < w.end_us
    CROSS JOIN core.phase_model AS m
),
judged AS (
    SELECT w.*, p.calculation_type, p.population,
        CASE WHEN p.population = 'analysed' THEN p.observed_us END AS us,
        p.population <> 'outlier' AS counts
    FROM placed AS w
    JOIN facts.population AS p ON p.incident_no = w.incident_no
),
-- Counts and sums of all incidents are those of the severities added up; only the percentiles must see every value again.
by_severity AS (
    SELECT
        window_id, calculation_type, severity_id,
        count(*) AS incident_count,
        count(us) AS analyzed_count,
        count(*) FILTER (WHERE population = 'open') AS open_count,
        count(*) FILTER (WHERE population = 'outlier') AS outlier_count,
        count(*) FILTER (WHERE population = 'invalid') AS invalid_count,
        count(*) FILTER (WHERE population IN ('missing_start', 'missing_end')) AS missing_count,
        sum(us) AS total_us,
        percentile_minutes(us, 50) AS median,
        percentile_minutes(us, 90) AS p90,
        count(*) FILTER (WHERE counts AND detection_us >= 0) AS detection_n,
        sum(detection_us) FILTER (WHERE counts AND detection_us >= 0) AS detection_us,
        count(*) FILTER (WHERE counts AND acknowledgment_us >= 0) AS acknowledgment_n,
        sum(acknowledgment_us) FILTER (WHERE counts AND acknowledgment_us >= 0) AS acknowledgment_us,
        count(*) FILTER (WHERE counts AND investigation_us >= 0) AS investigation_n,
        sum(investigation_us) FILTER (WHERE counts AND investigation_us >= 0) AS investigation_us,
        count(*) FILTER (WHERE counts AND mitigation_us >= 0) AS mitigation_n,
        sum(mitigation_us) FILTER (WHERE counts AND mitigation_us >= 0) AS mitigation_us
    FROM judged
    GROUP BY window_id, calculation_type, severity_id
),
of_all AS (
    SELECT window_id, calculation_type, percentile_minutes(us, 50) AS median, percentile_minutes(us, 90) AS p90
    FROM judged
    GROUP BY window_id, calculation_type
),
measured AS (
    SELECT severity_id AS member_id, * EXCLUDE (severity_id) FROM by_severity
    UNION ALL
    SELECT
        0, s.window_id, s.calculation_type,
        sum(s.incident_count)::BIGINT, sum(s.analyzed_count)::BIGINT, sum(s.open_count)::BIGINT, sum(s.outlier_count)::BIGINT,
        sum(s.invalid_count)::BIGINT, sum(s.missing_count)::BIGINT, sum(s.total_us)::HUGEINT, q.median, q.p90,
        sum(s.detection_n)::BIGINT, sum(s.detection_us)::HUGEINT,
        sum(s.acknowledgment_n)::BIGINT, sum(s.acknowledgment_us)::HUGEINT,
        sum(s.investigation_n)::BIGINT, sum(s.investigation_us)::HUGEINT,
        sum(s.mitigation_n)::BIGINT, sum(s.mitigation_us)::HUGEINT
    FROM by_severity AS s
    JOIN of_all AS q ON q.window_id = s.window_id AND q.calculation_type = s.calculation_type
    GROUP BY s.window_id, s.calculation_type, q.median, q.p90
)
SELECT
    w.window_id,
    v.calculation_type,
    s.scope,
    s.scope_value,
    coalesce(m.incident_count, 0) AS incident_count,
    coalesce(m.analyzed_count, 0) AS analyzed_count,
    coalesce(m.open_count, 0) AS open_count,
    coalesce(m.outlier_count, 0) AS outlier_count,
    coalesce(m.invalid_count, 0) AS invalid_count,
    coalesce(m.missing_count, 0) AS missing_count,
    m.total_us,
    m.median,
    m.p90,
    coalesce(m.detection_n, 0) AS detection_n,
    m.detection_us,
    coalesce(m.acknowledgment_n, 0) AS acknowledgment_n,
    m.acknowledgment_us,
    coalesce(m.investigation_n, 0) AS investigation_n,
    m.investigation_us,
    coalesce(m.mitigation_n, 0) AS mitigation_n,
    m.mitigation_us
FROM core.trend_windows AS w
CROSS JOIN config.variants AS v
JOIN core.scope_members AS s ON s.scope IN ('all', 'severity')
LEFT JOIN measured AS m ON m.window_id = w.window_id AND m.calculation_type = v.calculation_type
    AND m.member_id = s.member_id
ORDER BY w.window_id, v.calculation_type, s.scope, s.scope_value
