/*
description = """The calculation, one row per variant, scope and window. Each incident is exactly one of analysed or an
exclusion, so the counts add up; no data is NULL, never 0. The macros mttr and mttr_by give the same figures. The honest statistics
from km_median on count open incidents as lasting at least until as_of and keep outliers; their n is n_events + n_open."""
published = true
not_null = ["calculation_type", "phase_model", "scope", "scope_value", "as_of", "incidents_matched", "n_events", "n_open", "low_n"]
unique = [["calculation_type", "scope", "scope_value", "window_start"]]

[assert]
counts_add_up = "incidents_matched = incidents_analyzed + incidents_excluded AND incidents_excluded = excluded_missing_start + excluded_missing_end + excluded_open + excluded_invalid + excluded_outlier"
no_data_is_null = "(incidents_analyzed = 0) = (mean_minutes IS NULL)"
ordered = "min_minutes <= median_minutes AND median_minutes <= p90_minutes AND p90_minutes <= p95_minutes AND p95_minutes <= p99_minutes AND p99_minutes <= max_minutes"

[columns]
calculation_type = "basic (detected to resolved), service_restore (detected to mitigated), full_recovery (detected to closed) or a configured variant"
phase_model = "phase model in force: lifecycle or coarse"
scope = "all, severity, service or team"
scope_value = "the member; `unknown` where an incident has no service or team"
window_start = "first instant of started_at that counts; NULL = whole history. UTC"
window_end = "first instant after it; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
incidents_matched = "incidents in scope and window, without duplicates and non-incidents"
incidents_analyzed = "those with a usable duration; the n of every statistic"
incidents_excluded = "matched - analyzed"
excluded_missing_start = "start stamp missing"
excluded_missing_end = "end stamp missing although a later one exists"
excluded_open = "not over yet: no stamp at or after the end exists"
excluded_invalid = "end before start"
excluded_outlier = "longer than the outlier limit (default 168 h)"
mean_minutes = "exact sum / n"
median_minutes = "50th percentile, linear at (n-1)p"
p90_minutes = "90th percentile"
p95_minutes = "95th percentile"
p99_minutes = "99th percentile"
min_minutes = "shortest"
max_minutes = "longest"
std_dev_minutes = "sample standard deviation; NULL for n = 1"
outlier_minutes_share = "minutes of the left-out outliers / minutes of analysed and outliers, 0 to 1"
km_median = "typical recovery: Kaplan-Meier median, the first time at which half have recovered; NULL when not reached"
km_median_low = "lower 95 % limit (log-log); NULL when it does not exist"
km_median_high = "upper 95 % limit (log-log); NULL when it does not exist"
km_median_text = "the median in words; `> 812 min` when it is not reached within the longest observation"
km_p90 = "bad day: Kaplan-Meier 90th percentile; NULL when not reached"
km_p90_low = "lower 95 % limit (log-log); NULL when it does not exist"
km_p90_high = "upper 95 % limit (log-log); NULL when it does not exist"
rmst_minutes = "capped mean: area under the Kaplan-Meier curve to 168 h"
rmst_low = "lower 95 % limit (Greenwood); NULL when the curve has no variance. To be shown from 100 events"
rmst_high = "upper 95 % limit (Greenwood); NULL when the curve has no variance. To be shown from 100 events"
is_rmst_bound = "the longest observation is censored before 168 h; the curve is taken as flat from there, rmst_minutes is an upper bound"
longest_minutes = "longest observation: of a recovery, of an open incident until as_of, or until a timeout"
n_events = "incidents seen to recover, outliers included"
n_open = "incidents censored: open until as_of, or resolved by a timeout"
low_n = "fewer than 5 events"
*/
WITH placed AS NOT MATERIALIZED (
    SELECT 'whole' AS window_name, calculation_type, severity_id, service_id, team_id, population, observed_us
    FROM facts.population
    UNION ALL
    SELECT w.name, p.calculation_type, p.severity_id, p.service_id, p.team_id, p.population, p.observed_us
    FROM facts.population AS p
    JOIN core.windows AS w ON p.started_us >= epoch_us(w.window_start) AND p.started_us < epoch_us(w.window_end)
),
measured AS (
    SELECT calculation_type, 0 AS member_id, window_name, mttr_measures(population, observed_us) AS m
    FROM placed GROUP BY calculation_type, window_name
    UNION ALL
    SELECT calculation_type, severity_id, window_name, mttr_measures(population, observed_us)
    FROM placed GROUP BY calculation_type, severity_id, window_name
    UNION ALL
    SELECT calculation_type, service_id, window_name, mttr_measures(population, observed_us)
    FROM placed GROUP BY calculation_type, service_id, window_name
    UNION ALL
    SELECT calculation_type, team_id, window_name, mttr_measures(population, observed_us)
    FROM placed GROUP BY calculation_type, team_id, window_name
),
-- A member to which nothing happened in a window has a row all the same, of zero counts and NULLs.
nothing AS (
    SELECT mttr_measures(population, observed_us) AS m FROM facts.population WHERE false
)
SELECT
    v.calculation_type,
    model.phase_model,
    member.scope,
    member.scope_value,
    make_timestamptz(epoch_us(w.window_start)) AS window_start,
    make_timestamptz(epoch_us(w.window_end)) AS window_end,
    make_timestamptz(epoch_us(w.as_of)) AS as_of,
    unnest(coalesce(measured.m, nothing.m)),
    s.km_median,
    s.km_median_low,
    s.km_median_high,
    recovery_text(s.km_median, s.longest_minutes) AS km_median_text,
    s.km_p90,
    s.km_p90_low,
    s.km_p90_high,
    s.rmst_minutes,
    s.rmst_low,
    s.rmst_high,
    s.is_rmst_bound,
    s.longest_minutes,
    coalesce(s.n_events, 0) AS n_events,
    coalesce(s.n_open, 0) AS n_open,
    coalesce(s.n_events, 0) < 5 AS low_n
FROM core.scope_members AS member
CROSS JOIN core.windows AS w
CROSS JOIN config.variants AS v
CROSS JOIN nothing
LEFT JOIN measured ON measured.member_id = member.member_id AND measured.window_name = w.name
    AND measured.calculation_type = v.calculation_type
LEFT JOIN figures.survival AS s ON s.calculation_type = v.calculation_type AND s.window_name = w.name
    AND s.scope = member.scope AND s.scope_value = member.scope_value
CROSS JOIN core.phase_model AS model
ORDER BY v.calculation_type, member.scope, member.scope_value, w.window_start NULLS FIRST
