/*
description = """The biggest opportunity per variant, scope and window (whole history, last 30 days): the phase inside the variant
in which most minutes were spent in all. Inside are the phases of the model in force whose two stamps lie between the variant's
own. Counted are the matched incidents without the outliers of the variant. Without data the phase is NULL."""
published = true
not_null = ["calculation_type", "phase_model", "scope", "scope_value", "low_n"]
unique = [["calculation_type", "scope", "scope_value", "window_start"]]

[assert]
a_phase_has_data = "(phase IS NULL) = (n IS NULL) AND n > 0"
avoidable_is_a_part = "avoidable_minutes <= total_minutes"

[columns]
calculation_type = "variant"
phase_model = "phase model in force: lifecycle or coarse"
scope = "all, severity, service or team"
scope_value = "the member; unknown where an incident has no service or team"
window_start = "first instant of started_at that counts; NULL = whole history. UTC"
window_end = "first instant after it; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
phase = "the phase with the largest total; the earlier one of equal phases; NULL without data"
n = "incidents with a valid duration of it"
total_minutes = "minutes spent in it in all"
mean_minutes = "exact sum / n"
share_pct = "its part of the minutes of all phases inside the variant, in percent; NULL when they are all 0"
warning_minutes = "its warning level; NULL for resolution and closure, which have none"
avoidable_minutes = "minutes above the warning level, over all incidents: what would be saved if none had taken longer"
avoidable_incidents = "incidents at or above the warning level"
phase_by_mean = "the phase with the largest mean: the answer to another question, where phases differ in n"
mean_minutes_by_mean = "its mean"
n_by_mean = "incidents behind that mean"
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
        row_number() OVER (PARTITION BY t.calculation_type, t.scope, t.scope_value, t.window_name
            ORDER BY t.total_us DESC, t.place) AS place_by_total,
        row_number() OVER (PARTITION BY t.calculation_type, t.scope, t.scope_value, t.window_name
            ORDER BY t.total_us::DOUBLE / t.n DESC, t.place) AS place_by_mean,
        sum(t.total_us) OVER (PARTITION BY t.calculation_type, t.scope, t.scope_value, t.window_name) AS all_us
    FROM figures.phase_totals AS t
    JOIN config.variants AS v ON v.calculation_type = t.calculation_type
        AND t.start_place >= v.start_place AND t.end_place <= v.end_place
    WHERE t.n > 0
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
