/*
description = """The calculation: one row per variant, scope and window. Each matched incident is either analysed or excluded for one
reason, so the counts add up. No data is NULL, never 0. The macros mttr and mttr_by give the same figures. The statistics from
km_median on count open incidents as lasting at least until as_of and include outliers; their n is n_events + n_open."""
published = true
like = "figures.survival"
not_null = ["calculation_type", "phase_model", "scope", "scope_value", "as_of", "incidents_matched", "n_events", "n_open", "low_n", "n_before_history"]
unique = [["calculation_type", "scope", "scope_value", "window_start"]]

[assert]
counts_add_up = "incidents_matched = incidents_analyzed + incidents_excluded AND incidents_excluded = excluded_missing_start + excluded_missing_end + excluded_open + excluded_invalid + excluded_outlier"
no_data_is_null = "(incidents_analyzed = 0) = (mean_minutes IS NULL)"
ordered = "min_minutes <= median_minutes AND median_minutes <= p90_minutes AND p90_minutes <= p95_minutes AND p95_minutes <= p99_minutes AND p99_minutes <= max_minutes"

[columns]
calculation_type = "basic (detected to resolved), service_restore (detected to mitigated), full_recovery (detected to closed) or a configured variant"
phase_model = "phase model in force: lifecycle or coarse"
scope = "all, severity, service or team"
scope_value = "="
window_start = "first instant of started_at that counts; NULL = whole history. UTC"
window_end = "first instant after the window; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
incidents_matched = "incidents in scope and window, without duplicates and non-incidents"
incidents_analyzed = "those with a duration that statistics use: the n of mean, percentiles, least, most and standard deviation"
incidents_excluded = "matched - analyzed"
excluded_missing_start = "start stamp missing"
excluded_missing_end = "end stamp missing although a later stamp exists"
excluded_open = "still open: no stamp at or after the end of the variant"
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
outlier_minutes_share = "minutes of the excluded outliers / minutes of analysed incidents and outliers, 0 to 1"
km_median = "="
km_median_low = "="
km_median_high = "="
km_median_text = "="
km_p90 = "="
km_p90_low = "="
km_p90_high = "="
rmst_minutes = "="
rmst_low = "="
rmst_high = "="
is_rmst_bound = "="
longest_minutes = "="
n_events = "="
n_open = "="
low_n = "="
n_before_history = "incidents that the statistics from km_median on leave out: they began before the complete history of their source. The other figures count them"
*/
WITH windowed AS NOT MATERIALIZED (
    SELECT w.window_id, p.calculation_type, p.severity_id, p.service_id, p.team_id, p.population, p.observed_us
    FROM facts.population AS p
    JOIN core.windows AS w ON w.name = 'whole'
    UNION ALL
    SELECT w.window_id, p.calculation_type, p.severity_id, p.service_id, p.team_id, p.population, p.observed_us
    FROM facts.population AS p
    JOIN core.windows AS w ON p.started_us >= epoch_us(w.window_start) AND p.started_us < epoch_us(w.window_end)
),
measured AS (
    SELECT calculation_type, 0 AS member_id, window_id, mttr_measures(population, observed_us) AS m
    FROM windowed GROUP BY calculation_type, window_id
    UNION ALL
    SELECT calculation_type, severity_id, window_id, mttr_measures(population, observed_us)
    FROM windowed GROUP BY calculation_type, severity_id, window_id
    UNION ALL
    SELECT calculation_type, service_id, window_id, mttr_measures(population, observed_us)
    FROM windowed GROUP BY calculation_type, service_id, window_id
    UNION ALL
    SELECT calculation_type, team_id, window_id, mttr_measures(population, observed_us)
    FROM windowed GROUP BY calculation_type, team_id, window_id
),
-- A member without incidents in a window has a row of zero counts and NULLs.
left_out AS (
    SELECT l.calculation_type, l.member_id, w.window_id, count(*) AS n
    FROM figures.left_out AS l
    JOIN core.windows AS w ON w.name = 'whole' OR (l.started_us >= epoch_us(w.window_start) AND l.started_us < epoch_us(w.window_end))
    GROUP BY l.calculation_type, l.member_id, w.window_id
),
nothing AS (
    SELECT mttr_measures(population, observed_us) AS m FROM facts.population WHERE false
)
SELECT
    s.calculation_type,
    model.phase_model,
    s.scope,
    s.scope_value,
    make_timestamptz(epoch_us(w.window_start)) AS window_start,
    make_timestamptz(epoch_us(w.window_end)) AS window_end,
    make_timestamptz(epoch_us(w.as_of)) AS as_of,
    unnest(coalesce(measured.m, nothing.m)),
    s.* EXCLUDE (calculation_type, window_id, scope, scope_value),
    coalesce(left_out.n, 0) AS n_before_history
FROM core.windows AS w
JOIN figures.survival AS s ON s.window_id = w.window_id
JOIN core.scope_members AS member ON member.scope = s.scope AND member.scope_value = s.scope_value
LEFT JOIN measured ON measured.member_id = member.member_id AND measured.window_id = w.window_id
    AND measured.calculation_type = s.calculation_type
LEFT JOIN left_out ON left_out.member_id = member.member_id AND left_out.window_id = w.window_id
    AND left_out.calculation_type = s.calculation_type
CROSS JOIN nothing
CROSS JOIN core.phase_model AS model
ORDER BY s.calculation_type, s.scope, s.scope_value, w.window_start NULLS FIRST
