/*
description = """How many incidents were resolved within their target: the counts of mart.target_compliance, before the test of the
misses."""
like = "mart.target_compliance"
not_null = ["row_no", "window_name", "severity", "incidents_count", "breached", "status", "low_n"]
unique = [["row_no"], ["window_name", "severity", "service"]]

[columns]
row_no = "number of the row, in the order of mart.target_compliance"
window_name = "window, as in core.target_windows"
severity = "="
service = "="
target_minutes = "="
actual_mean = "="
actual_median = "="
resolved_count = "="
incidents_count = "="
within_target = "="
at_risk = "="
breached = "="
open_breached = "="
pending = "="
not_measured = "="
compliance_pct = "="
compliance_low_pct = "="
compliance_high_pct = "="
status = "="
low_n = "="
*/
WITH windowed AS (
    SELECT o.severity_id, o.service_id, o.duration_us, o.outcome, w.name AS window_name
    FROM figures.target_outcomes AS o
    JOIN core.target_windows AS w
        ON w.window_start IS NULL OR (o.started_us >= epoch_us(w.window_start) AND o.started_us < epoch_us(w.window_end))
),
scoped AS (
    SELECT window_name, severity_id, NULL AS service_id, duration_us, outcome FROM windowed
    UNION ALL
    SELECT window_name, severity_id, service_id, duration_us, outcome FROM windowed
),
measured AS (
    SELECT window_name, severity_id, service_id, compliance_of(outcome, duration_us) AS m
    FROM scoped
    GROUP BY window_name, severity_id, service_id
),
nothing AS (
    SELECT compliance_of(outcome, duration_us) AS m FROM figures.target_outcomes WHERE false
),
named AS (
    SELECT c.window_name, c.m, severity.scope_value AS severity, service.scope_value AS service
    FROM measured AS c
    JOIN core.scope_members AS severity ON severity.member_id = c.severity_id
    LEFT JOIN core.scope_members AS service ON service.member_id = c.service_id
),
-- A severity or service with a target or an incident has a row in every window. Its status is no_data in a window without incidents.
expected AS (
    SELECT severity, service FROM core.targets
    UNION
    SELECT severity, service FROM named
),
filled AS (
    SELECT
        row_number() OVER (ORDER BY w.window_start NULLS FIRST, e.severity, e.service NULLS FIRST) AS row_no,
        w.name AS window_name,
        e.severity,
        e.service,
        coalesce(own.target_minutes, general.target_minutes) AS target_minutes,
        unnest(coalesce(c.m, nothing.m))
    FROM expected AS e
    CROSS JOIN core.target_windows AS w
    CROSS JOIN nothing
    LEFT JOIN named AS c ON c.window_name = w.name AND c.severity = e.severity AND c.service IS NOT DISTINCT FROM e.service
    LEFT JOIN core.targets AS own ON own.severity = e.severity AND own.service = e.service
    LEFT JOIN core.targets AS general ON general.severity = e.severity AND general.service IS NULL
)
SELECT * EXCLUDE (invalid)
    REPLACE (CASE WHEN target_minutes IS NULL AND incidents_count = 0 THEN 'no_target' ELSE status END AS status)
    RENAME (finished_count AS resolved_count)
FROM filled
ORDER BY row_no
