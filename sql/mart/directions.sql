/*
description = """Is recovery getting faster or slower, and since when? Per variant and scope member, over the whole history and over the last
90 days. Direction: Theil-Sen slope through the logarithms of the weekly Kaplan-Meier medians, over full weeks with at least 6
incidents; it needs 8 such weeks. Shift: Pettitt's test on the durations of recovered incidents in the order in which they started; it
needs 20 of them. Faster and slower need q < 0.05."""
published = true
python = "mttr_pipeline.metrics.directions:compute"
depends = ["figures.observations", "figures.weeks"]
like = "mart.mttr_stats"
not_null = ["calculation_type", "phase_model", "scope", "scope_value", "n", "n_events", "n_open", "weeks", "weeks_used", "direction", "shift", "low_n"]
unique = [["calculation_type", "scope", "scope_value", "window_start"]]

[assert]
direction_needs_q = "direction NOT IN ('faster', 'slower') OR mann_kendall_q < 0.05"
direction_needs_weeks = "direction = 'not enough data' OR weeks_used >= 8"
shift_needs_q = "shift NOT IN ('faster', 'slower') OR pettitt_q < 0.05"
shift_needs_n = "shift = 'not enough data' OR n_events >= 20"
a_reason_when_there_is_too_little = "(direction = 'not enough data') = (direction_reason IS NOT NULL) AND (shift = 'not enough data') = (shift_reason IS NOT NULL)"

[columns]
calculation_type = "variant"
phase_model = "="
scope = "="
scope_value = "="
window_start = "="
window_end = "="
as_of = "="
n = "incidents observed in the window, outliers included: n_events + n_open"
n_events = "those that recovered; the n of the shift"
n_open = "those that are censored: open at as_of, or resolved by a timeout"
weeks = "full calendar weeks in the window, Monday to Monday in the reporting time zone"
weeks_used = "those with at least 6 incidents and a median; the n of the direction"
slope_per_week = "Theil-Sen slope of ln(weekly median) per week; below 0 is faster. Medians below one second count as one second"
slope_low = "lower 95 % limit; NULL when it does not exist"
slope_high = "upper 95 % limit; NULL when it does not exist"
change_pct_per_week = "the slope as a change of the median in percent per week"
mann_kendall_p = "p of the Mann-Kendall test for a trend of the weekly medians; 1 when they are all equal"
mann_kendall_q = "p after Benjamini-Hochberg over the members of the scope"
direction = "faster, slower, no detectable direction, or not enough data"
direction_reason = "what is missing; NULL when there is enough data"
shift_at = "start of the first incident after the strongest shift; NULL when all durations are equal. UTC"
n_before = "recovered incidents before the shift"
before_median_minutes = "median of their durations"
after_median_minutes = "median of the durations from the shift on"
pettitt_p = "p of Pettitt's test: 2 exp(-6 K^2 / (n^3 + n^2)), at most 1"
pettitt_q = "p after Benjamini-Hochberg over the members of the scope"
shift = "faster or slower since shift_at, no detectable shift, or not enough data"
shift_reason = "what is missing; NULL when there is enough data"
low_n = "fewer than 5 events"
*/
SELECT
    c.calculation_type::VARCHAR AS calculation_type,
    model.phase_model,
    m.scope,
    m.scope_value,
    CASE WHEN c.is_recent THEN make_timestamptz(epoch_us(run.as_of - INTERVAL 90 DAY)) END AS window_start,
    CASE WHEN c.is_recent THEN make_timestamptz(epoch_us(run.as_of)) END AS window_end,
    make_timestamptz(epoch_us(run.as_of)) AS as_of,
    c.n,
    c.n_events,
    c.n - c.n_events AS n_open,
    c.weeks,
    c.weeks_used,
    c.slope AS slope_per_week,
    c.slope_low,
    c.slope_high,
    100 * (exp(c.slope) - 1) AS change_pct_per_week,
    c.mann_kendall_p,
    c.mann_kendall_q,
    CASE
        WHEN c.mann_kendall_p IS NULL THEN 'not enough data'
        WHEN c.mann_kendall_q < 0.05 AND c.slope < 0 THEN 'faster'
        WHEN c.mann_kendall_q < 0.05 AND c.slope > 0 THEN 'slower'
        ELSE 'no detectable direction'
    END AS direction,
    CASE
        WHEN c.mann_kendall_p IS NULL THEN c.weeks_used || ' of ' || c.weeks || ' full weeks have 6 incidents and a median; 8 are needed'
    END AS direction_reason,
    make_timestamptz(c.shift_us::BIGINT) AS shift_at,
    c.n_before::BIGINT AS n_before,
    c.before_median AS before_median_minutes,
    c.after_median AS after_median_minutes,
    c.pettitt_p,
    c.pettitt_q,
    CASE
        WHEN c.pettitt_p IS NULL THEN 'not enough data'
        WHEN c.pettitt_q < 0.05 AND c.after_median < c.before_median THEN 'faster'
        WHEN c.pettitt_q < 0.05 AND c.after_median > c.before_median THEN 'slower'
        ELSE 'no detectable shift'
    END AS shift,
    CASE
        WHEN c.pettitt_p IS NULL THEN c.n_events || ' incidents have recovered; 20 are needed'
    END AS shift_reason,
    c.n_events < 5 AS low_n
FROM computed AS c
JOIN core.scope_members AS m ON m.member_id = c.member_id
CROSS JOIN config.run AS run
CROSS JOIN core.phase_model AS model
ORDER BY c.calculation_type, m.scope, m.scope_value, c.is_recent
