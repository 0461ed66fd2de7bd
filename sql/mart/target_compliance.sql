/*
description = """How many incidents were over within their target: per severity, and per severity and service, over the whole
history and over the last 30 and 90 days. Each incident is held against its own target; outliers are never left out. An open
incident older than its target counts as a breach, one still in time is pending and outside the denominator."""
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
window_end = "first instant after it; NULL = whole history. UTC"
as_of = "clock of the run: the age of open incidents ends here. UTC"
calculation_type = "basic: from detected to resolved"
severity = "SEV1..SEV4"
service = "service, unknown when there is none; NULL = the whole severity"
team = "team that owns the service; NULL for a whole severity and where nobody does"
target_minutes = "target of the row; in the row of a whole severity, services with a target of their own are held against theirs"
actual_mean = "mean minutes of those resolved: exact sum / n"
actual_median = "median minutes of those resolved"
resolved_count = "incidents behind actual_mean and actual_median"
incidents_count = "resolved + open_breached: the denominator"
within_target = "resolved in time"
at_risk = "of those, the ones that took more than the configured share of the target (default 80 %)"
breached = "resolved late + open_breached"
open_breached = "still open and older than the target"
pending = "still open and in time; in no other count"
not_measured = "a stamp is missing, or resolved lies before detected; in no other count"
compliance_pct = "100 * within_target / incidents_count; NULL without incidents"
compliance_low_pct = "lower Wilson limit, 95 %"
compliance_high_pct = "upper Wilson limit, 95 %"
status = "healthy (at least 95 % within), warning (at least 80 %), critical, no_data or no_target"
low_n = "incidents_count is below 5: chance may be all there is to the status"
*/
WITH placed AS (
    SELECT o.severity_id, o.service_id, o.duration_us, o.outcome, w.name AS window_name
    FROM figures.target_outcomes AS o
    JOIN core.target_windows AS w
        ON w.window_start IS NULL OR (o.started_us >= epoch_us(w.window_start) AND o.started_us < epoch_us(w.window_end))
),
scoped AS (
    SELECT window_name, severity_id, NULL AS service_id, duration_us, outcome FROM placed
    UNION ALL
    SELECT window_name, severity_id, service_id, duration_us, outcome FROM placed
),
counted AS (
    SELECT
        window_name,
        severity_id,
        service_id,
        count(*) FILTER (WHERE outcome IN ('within', 'at_risk')) AS within_target,
        count(*) FILTER (WHERE outcome = 'at_risk') AS at_risk,
        count(*) FILTER (WHERE outcome = 'late') AS late,
        count(*) FILTER (WHERE outcome = 'open_breached') AS open_breached,
        count(*) FILTER (WHERE outcome = 'pending') AS pending,
        count(*) FILTER (WHERE outcome = 'not_measured') AS not_measured,
        -- Of incidents without a target the durations are known too.
        count(duration_us) AS resolved_count,
        sum(duration_us) AS resolved_us,
        quantile_cont(duration_us, 0.5) AS median_us
    FROM scoped
    GROUP BY window_name, severity_id, service_id
),
named AS (
    SELECT c.*, severity.scope_value AS severity, service.scope_value AS service
    FROM counted AS c
    JOIN core.scope_members AS severity ON severity.member_id = c.severity_id
    LEFT JOIN core.scope_members AS service ON service.member_id = c.service_id
),
-- Rows exist for whatever has a target or an incident, in every window: nothing in it says no_data instead of being absent.
wanted AS (
    SELECT severity, service FROM core.targets
    UNION
    SELECT severity, service FROM named
),
filled AS (
    SELECT
        w.name AS window_name, w.window_start, w.window_end, wanted.severity, wanted.service,
        coalesce(own.target_minutes, general.target_minutes) AS target_minutes,
        coalesce(c.within_target, 0) AS k,
        coalesce(c.within_target + c.late + c.open_breached, 0) AS n,
        coalesce(c.at_risk, 0) AS at_risk,
        coalesce(c.late, 0) AS late,
        coalesce(c.open_breached, 0) AS open_breached,
        coalesce(c.pending, 0) AS pending,
        coalesce(c.not_measured, 0) AS not_measured,
        coalesce(c.resolved_count, 0) AS resolved_count,
        c.resolved_us,
        c.median_us
    FROM wanted
    CROSS JOIN core.target_windows AS w
    LEFT JOIN named AS c ON c.window_name = w.name AND c.severity = wanted.severity
        AND c.service IS NOT DISTINCT FROM wanted.service
    LEFT JOIN core.targets AS own ON own.severity = wanted.severity AND own.service = wanted.service
    LEFT JOIN core.targets AS general ON general.severity = wanted.severity AND general.service IS NULL
)
SELECT
    make_timestamptz(epoch_us(f.window_start)) AS window_start,
    make_timestamptz(epoch_us(f.window_end)) AS window_end,
    make_timestamptz(epoch_us(run.as_of)) AS as_of,
    'basic' AS calculation_type,
    f.severity,
    f.service,
    s.team,
    f.target_minutes,
    f.resolved_us::DOUBLE / (nullif(f.resolved_count, 0) * 6e7) AS actual_mean,
    f.median_us / 6e7 AS actual_median,
    f.resolved_count,
    f.n AS incidents_count,
    f.k AS within_target,
    f.at_risk,
    f.late + f.open_breached AS breached,
    f.open_breached,
    f.pending,
    f.not_measured,
    100.0 * f.k / nullif(f.n, 0) AS compliance_pct,
    100 * wilson_low(f.k, f.n) AS compliance_low_pct,
    100 * wilson_high(f.k, f.n) AS compliance_high_pct,
    CASE WHEN f.target_minutes IS NULL AND f.n = 0 THEN 'no_target' ELSE compliance_status(f.k, f.n) END AS status,
    f.n < 5 AS low_n
FROM filled AS f
CROSS JOIN config.run AS run
LEFT JOIN mart.services AS s ON s.service = f.service
ORDER BY f.window_start NULLS FIRST, f.severity, f.service NULLS FIRST
