/*
description = """The largest opportunity per variant, scope and window (whole history, last 30 days): the phase inside the variant that took
the most minutes in total. A phase of the model in force is inside the variant when both of its stamps lie between those of the
variant. The figures count the matched incidents without the outliers of the variant. Without data the phase is NULL."""
published = true
like = "mart.mttr_stats"
not_null = ["calculation_type", "phase_model", "scope", "scope_value", "low_n"]
unique = [["calculation_type", "scope", "scope_value", "window_start"]]

[assert]
a_phase_has_data = "(phase IS NULL) = (n IS NULL) AND n > 0"
avoidable_is_a_part = "avoidable_minutes <= total_minutes"

[columns]
calculation_type = "variant"
phase_model = "="
scope = "="
scope_value = "="
window_start = "="
window_end = "="
as_of = "="
phase = "phase with the largest total; of equal phases, the earlier one; NULL without data"
n = "incidents with a valid duration of the phase"
total_minutes = "minutes spent in the phase in total"
mean_minutes = "exact sum / n"
share_pct = "share of the phase in the minutes of all phases inside the variant, in percent; NULL when all phases take 0 minutes"
warning_minutes = "warning level of the phase; NULL for resolution and closure, which have none"
avoidable_minutes = "minutes above the warning level, over all incidents: the saving if no incident had exceeded it"
avoidable_incidents = "incidents at or above the warning level"
phase_by_mean = "phase with the largest mean. It can be another phase, because n differs between phases"
mean_minutes_by_mean = "mean of phase_by_mean"
n_by_mean = "incidents behind mean_minutes_by_mean"
low_n = "fewer than 5 incidents behind the phase"
*/
WITH members AS (
    SELECT v.calculation_type, m.scope, m.scope_value, w.name AS window_name
    FROM core.scope_members AS m
    CROSS JOIN config.variants AS v
    CROSS JOIN core.windows AS w
    WHERE w.name IN ('whole', 'current')
),
inside AS (
    SELECT
        t.*,
        row_number() OVER (one_report ORDER BY t.total_us DESC, t.place) AS place_by_total,
        row_number() OVER (one_report ORDER BY t.total_us::DOUBLE / t.n DESC, t.place) AS place_by_mean,
        sum(t.total_us) OVER one_report AS all_us
    FROM figures.phase_totals AS t
    JOIN config.variants AS v ON v.calculation_type = t.calculation_type
        AND t.start_place >= v.start_place AND t.end_place <= v.end_place
    WHERE t.n > 0
    WINDOW one_report AS (PARTITION BY t.calculation_type, t.scope, t.scope_value, t.window_name)
)
SELECT
    m.calculation_type,
    model.phase_model,
    m.scope,
    m.scope_value,
    make_timestamptz(epoch_us(w.window_start)) AS window_start,
    make_timestamptz(epoch_us(w.window_end)) AS window_end,
    make_timestamptz(epoch_us(w.as_of)) AS as_of,
    t.phase,
    t.n,
    t.total_us::DOUBLE / 6e7 AS total_minutes,
    t.total_us::DOUBLE / t.n / 6e7 AS mean_minutes,
    100 * t.total_us::DOUBLE / nullif(t.all_us, 0)::DOUBLE AS share_pct,
    t.warning_us / 6e7 AS warning_minutes,
    t.avoidable_us::DOUBLE / 6e7 AS avoidable_minutes,
    CASE WHEN t.warning_us IS NOT NULL THEN t.n_at_warning END AS avoidable_incidents,
    a.phase AS phase_by_mean,
    a.total_us::DOUBLE / a.n / 6e7 AS mean_minutes_by_mean,
    a.n AS n_by_mean,
    coalesce(t.n, 0) < 5 AS low_n
FROM members AS m
JOIN core.windows AS w ON w.name = m.window_name
CROSS JOIN core.phase_model AS model
LEFT JOIN inside AS t ON t.calculation_type = m.calculation_type AND t.scope = m.scope AND t.scope_value = m.scope_value
    AND t.window_name = m.window_name AND t.place_by_total = 1
LEFT JOIN inside AS a ON a.calculation_type = m.calculation_type AND a.scope = m.scope AND a.scope_value = m.scope_value
    AND a.window_name = m.window_name AND a.place_by_mean = 1
ORDER BY m.calculation_type, m.scope, m.scope_value, w.window_start NULLS FIRST
