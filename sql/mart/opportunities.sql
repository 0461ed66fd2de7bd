/*
description = """The largest opportunity per variant, scope and window (whole history, last 30 days): the phase inside the variant that took
the most minutes in total. A phase of the model in force is inside the variant when both of its stamps lie between those of the
variant. The figures count the analysed incidents of the variant. unmeasured_pct says how much of their time is in no phase: where
that is more than half, the phase says little about the whole. Without data the phase is NULL."""
published = true
like = "mart.mttr_stats"
not_null = ["calculation_type", "phase_model", "scope", "scope_value", "low_n"]
unique = [["calculation_type", "scope", "scope_value", "window_start"]]

[assert]
a_phase_has_data = "(phase IS NULL) = (n IS NULL) AND n > 0"
avoidable_is_a_part = "avoidable_minutes <= total_minutes"
shares_are_of_all_minutes = "share_pct + unmeasured_pct <= 100 + 1e-9 AND unmeasured_pct >= 0"

[columns]
calculation_type = "variant"
phase_model = "="
scope = "="
scope_value = "="
window_start = "="
window_end = "="
as_of = "="
phase = "phase with the largest total; of equal phases, the earlier one; NULL without data"
n = "analysed incidents with a valid duration of the phase"
total_minutes = "minutes spent in the phase in total"
mean_minutes = "exact sum / n"
share_pct = "share of the phase in all minutes of the variant, in percent; NULL when these are 0"
unmeasured_pct = "share of all minutes of the variant that no phase inside it measures: incidents without a stamp that bounds a phase, or with stamps out of order. NULL when all minutes are 0"
incidents_analyzed = "analysed incidents of the variant, with and without phases; NULL without one"
variant_minutes = "all minutes of the variant: the sum over its analysed incidents"
warning_minutes = "warning level of the phase; NULL for resolution and closure, which have none"
avoidable_minutes = "minutes above the warning level, over all incidents: the saving if no incident had exceeded it"
avoidable_incidents = "incidents at or above the warning level"
phase_by_mean = "phase with the largest mean. It can be another phase, because n differs between phases"
mean_minutes_by_mean = "mean of phase_by_mean"
n_by_mean = "incidents behind mean_minutes_by_mean"
low_n = "fewer than 5 incidents behind the phase"
*/
WITH members AS (
    SELECT v.calculation_type, m.member_id, m.scope, m.scope_value, w.name AS window_name
    FROM core.scope_members AS m
    CROSS JOIN config.variants AS v
    CROSS JOIN core.windows AS w
    WHERE w.name IN ('whole', 'current')
),
placed AS (
    SELECT
        *,
        row_number() OVER (one_report ORDER BY total_us DESC, place) AS place_by_total,
        row_number() OVER (one_report ORDER BY total_us::DOUBLE / n DESC, place) AS place_by_mean
    FROM figures.opportunity_totals
    WHERE n > 0
    WINDOW one_report AS (PARTITION BY calculation_type, member_id, window_name)
),
whole AS (
    SELECT DISTINCT calculation_type, member_id, window_name, analysed_n, variant_us, measured_us
    FROM figures.opportunity_totals
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
    100 * t.total_us::DOUBLE / nullif(t.variant_us, 0)::DOUBLE AS share_pct,
    100 * (a.variant_us - a.measured_us)::DOUBLE / nullif(a.variant_us, 0)::DOUBLE AS unmeasured_pct,
    a.analysed_n AS incidents_analyzed,
    a.variant_us::DOUBLE / 6e7 AS variant_minutes,
    t.warning_us / 6e7 AS warning_minutes,
    CASE WHEN t.warning_us IS NOT NULL THEN t.avoidable_us::DOUBLE / 6e7 END AS avoidable_minutes,
    CASE WHEN t.warning_us IS NOT NULL THEN t.n_at_warning END AS avoidable_incidents,
    b.phase AS phase_by_mean,
    b.total_us::DOUBLE / b.n / 6e7 AS mean_minutes_by_mean,
    b.n AS n_by_mean,
    coalesce(t.n, 0) < 5 AS low_n
FROM members AS m
JOIN core.windows AS w ON w.name = m.window_name
CROSS JOIN core.phase_model AS model
LEFT JOIN whole AS a ON a.calculation_type = m.calculation_type AND a.member_id = m.member_id AND a.window_name = m.window_name
LEFT JOIN placed AS t ON t.calculation_type = m.calculation_type AND t.member_id = m.member_id AND t.window_name = m.window_name
    AND t.place_by_total = 1
LEFT JOIN placed AS b ON b.calculation_type = m.calculation_type AND b.member_id = m.member_id AND b.window_name = m.window_name
    AND b.place_by_mean = 1
ORDER BY m.calculation_type, m.scope, m.scope_value, w.window_start NULLS FIRST
