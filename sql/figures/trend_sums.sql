/*
description = """Counts, exact sums and percentiles per variant and window of the trend, for all incidents and per severity. Windows
without incidents have no row. Incidents that began before the complete history of their source are left out."""
like = "figures.trend"
not_null = ["window_id", "calculation_type", "member_id", "incident_count"]
unique = [["window_id", "calculation_type", "member_id"]]

[columns]
member_id = "all or a severity, as in core.scope_members"
window_id = "window, as in core.trend_windows"
calculation_type = "="
incident_count = "="
analyzed_count = "="
open_count = "="
outlier_count = "="
invalid_count = "="
missing_count = "="
total_us = "sum of the durations"
outlier_us = "sum of the durations of outliers"
median = "="
p90 = "="
detection_n = "incidents with a valid duration of the phase; the outliers of the variant are left out of every phase"
detection_us = "sum of the durations of the phase"
acknowledgment_n = "as detection_n"
acknowledgment_us = "as detection_us"
investigation_n = "as detection_n, in the phase model in force"
investigation_us = "as detection_us, in the phase model in force"
mitigation_n = "as detection_n, in the phase model in force"
mitigation_us = "as detection_us, in the phase model in force"
*/
WITH windowed AS (
    -- Each incident is in one window of each interval and alignment. The variants are joined after that.
    SELECT
        w.window_id, d.incident_no, d.severity_id, d.detection_us, d.acknowledgment_us, d.investigation_us, d.mitigation_us
    FROM figures.phases AS d
    JOIN core.trend_windows AS w ON d.started_us >= w.start_us AND d.started_us < w.end_us
    WHERE NOT d.is_before_history
),
classified AS (
    SELECT w.*, p.calculation_type, p.population,
        CASE WHEN p.population = 'analysed' THEN p.observed_us END AS us, p.observed_us,
        p.population <> 'outlier' AS counts
    FROM windowed AS w
    JOIN facts.population AS p ON p.incident_no = w.incident_no
),
-- Counts and sums of all incidents are those of the severities added up. Only percentiles need every value again.
by_severity AS (
    SELECT
        severity_id, window_id, calculation_type,
        count(*) AS incident_count,
        count(us) AS analyzed_count,
        count(*) FILTER (WHERE population = 'open') AS open_count,
        count(*) FILTER (WHERE population = 'outlier') AS outlier_count,
        count(*) FILTER (WHERE population = 'invalid') AS invalid_count,
        count(*) FILTER (WHERE population IN ('missing_start', 'missing_end')) AS missing_count,
        sum(us) AS total_us,
        sum(CASE WHEN population = 'outlier' THEN observed_us END) AS outlier_us,
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
    FROM classified
    GROUP BY severity_id, window_id, calculation_type
),
of_all AS (
    SELECT window_id, calculation_type, percentile_minutes(us, 50) AS median, percentile_minutes(us, 90) AS p90
    FROM classified
    GROUP BY window_id, calculation_type
)
SELECT severity_id AS member_id, * EXCLUDE (severity_id) FROM by_severity
UNION ALL
SELECT
    0, s.window_id, s.calculation_type,
    sum(s.incident_count)::BIGINT, sum(s.analyzed_count)::BIGINT, sum(s.open_count)::BIGINT, sum(s.outlier_count)::BIGINT,
    sum(s.invalid_count)::BIGINT, sum(s.missing_count)::BIGINT, sum(s.total_us)::HUGEINT, sum(s.outlier_us)::HUGEINT, q.median, q.p90,
    sum(s.detection_n)::BIGINT, sum(s.detection_us)::HUGEINT,
    sum(s.acknowledgment_n)::BIGINT, sum(s.acknowledgment_us)::HUGEINT,
    sum(s.investigation_n)::BIGINT, sum(s.investigation_us)::HUGEINT,
    sum(s.mitigation_n)::BIGINT, sum(s.mitigation_us)::HUGEINT
FROM by_severity AS s
JOIN of_all AS q ON q.window_id = s.window_id AND q.calculation_type = s.calculation_type
GROUP BY s.window_id, s.calculation_type, q.median, q.p90
