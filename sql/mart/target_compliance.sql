/*
description = """How many incidents were resolved within their target: per severity, and per severity and service, over the whole
history and over the last 30 and 90 days. Each incident is compared with its own target, outliers included. An open incident that is
older than its target counts as a breach. One that is still in time is pending and outside the denominator."""
published = true
not_null = ["severity", "incidents_count", "within_target", "at_risk", "breached", "open_breached", "pending", "status", "low_n"]
unique = [["window_start", "severity", "service"]]

[assert]
counts_add_up = "incidents_count = within_target + breached AND at_risk <= within_target AND open_breached <= breached"
no_data_is_null = "(incidents_count = 0) = (compliance_pct IS NULL)"
limits_enclose = "compliance_low_pct <= compliance_pct AND compliance_pct <= compliance_high_pct"
known_status = "status IN ('healthy', 'warning', 'critical', 'no_data', 'no_target')"

[columns]
window_start = "first instant of started_at that counts; NULL = whole history. UTC"
window_end = "first instant after the window; NULL = whole history. UTC"
as_of = "clock of the run. It decides the age of open incidents. UTC"
calculation_type = "basic: from detected to resolved"
severity = "SEV1 to SEV4"
service = "service, `unknown` where an incident has none; NULL = the whole severity"
team = "team that owns the service; NULL for a whole severity and for services without an owner"
target_minutes = "target of the row. In the row of a whole severity, incidents of a service with its own target are compared with that"
actual_mean = "mean minutes of resolved incidents: exact sum / n"
actual_median = "median minutes of resolved incidents"
resolved_count = "incidents behind actual_mean and actual_median, also those without a target"
incidents_count = "incidents resolved + open_breached: the denominator"
within_target = "incidents resolved within their target"
at_risk = "those of them that took more than the configured share of the target (default 80 %)"
breached = "incidents resolved late + open_breached"
open_breached = "incidents still open and older than their target"
pending = "incidents still open and in time; in no other count"
not_measured = "incidents that lack a stamp, or whose resolve is before the detection; in no other count"
compliance_pct = "100 * within_target / incidents_count; NULL without incidents"
compliance_low_pct = "lower 95 % limit (Wilson)"
compliance_high_pct = "upper 95 % limit (Wilson)"
status = "healthy (at least 95 % within the target), warning (at least 80 %), critical, no_data or no_target"
low_n = "incidents_count is below 5: the status may be due to chance"
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
        make_timestamptz(epoch_us(w.window_start)) AS window_start,
        make_timestamptz(epoch_us(w.window_end)) AS window_end,
        make_timestamptz(epoch_us(run.as_of)) AS as_of,
        'basic' AS calculation_type,
        e.severity,
        e.service,
        s.team,
        coalesce(own.target_minutes, general.target_minutes) AS target_minutes,
        unnest(coalesce(c.m, nothing.m))
    FROM expected AS e
    CROSS JOIN core.target_windows AS w
    CROSS JOIN config.run AS run
    CROSS JOIN nothing
    LEFT JOIN named AS c ON c.window_name = w.name AND c.severity = e.severity AND c.service IS NOT DISTINCT FROM e.service
    LEFT JOIN core.targets AS own ON own.severity = e.severity AND own.service = e.service
    LEFT JOIN core.targets AS general ON general.severity = e.severity AND general.service IS NULL
    LEFT JOIN mart.services AS s ON s.service = e.service
)
SELECT * EXCLUDE (invalid)
    REPLACE (CASE WHEN target_minutes IS NULL AND incidents_count = 0 THEN 'no_target' ELSE status END AS status)
    RENAME (finished_count AS resolved_count)
FROM filled
ORDER BY window_start NULLS FIRST, severity, service NULLS FIRST
