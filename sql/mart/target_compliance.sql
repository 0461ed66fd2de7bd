/*
description = """How many incidents were resolved within their target: per severity, and per severity and service, over the whole
history and over the last 30 and 90 days. Each incident is compared with its own target, outliers included. An open incident that is
older than its target counts as a breach. One that is still in time is pending and outside the denominator. A target is missed where
chance is an unlikely cause of its breaches; the status alone says nothing about chance."""
published = true
python = "mttr_pipeline.metrics.targets:of_severities"
depends = ["figures.target_counts"]
not_null = ["severity", "incidents_count", "within_target", "at_risk", "breached", "open_breached", "pending", "status", "low_n", "is_missed"]
unique = [["window_start", "severity", "service"]]

[assert]
counts_add_up = "incidents_count = within_target + breached AND at_risk <= within_target AND open_breached <= breached"
no_data_is_null = "(incidents_count = 0) = (compliance_pct IS NULL)"
limits_enclose = "compliance_low_pct <= compliance_pct AND compliance_pct <= compliance_high_pct"
a_miss_needs_q_and_n = "is_missed = coalesce(miss_q < 0.05 AND incidents_count >= 6, false)"
q_is_not_below_p = "miss_q >= miss_p"
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
low_n = "incidents_count is below 6: too few for the test of is_missed, so the status may be due to chance"
miss_p = "exact one-sided p of the binomial test of breached of incidents_count against the goal of 95 %: the probability of as many misses or more if each incident misses its target with a probability of 5 %. NULL without incidents"
miss_q = "miss_p after Benjamini-Hochberg over the rows that stand together: those of one window for whole severities, or of one window for services, with at least 6 incidents. NULL below 6"
is_missed = "the target is missed more often than the goal allows: at least 6 incidents and miss_q below 0.05"
*/
SELECT
    make_timestamptz(epoch_us(w.window_start)) AS window_start,
    make_timestamptz(epoch_us(w.window_end)) AS window_end,
    make_timestamptz(epoch_us(run.as_of)) AS as_of,
    'basic' AS calculation_type,
    c.severity,
    c.service,
    s.team,
    c.* EXCLUDE (row_no, window_name, severity, service),
    t.p AS miss_p,
    t.q AS miss_q,
    t.is_missed
FROM figures.target_counts AS c
JOIN computed AS t ON t.row_no = c.row_no
JOIN core.target_windows AS w ON w.name = c.window_name
CROSS JOIN config.run AS run
LEFT JOIN mart.services AS s ON s.service = c.service
ORDER BY c.row_no
