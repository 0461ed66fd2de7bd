/*
description = """Is recovery getting faster or slower, and since when? Per variant and scope member, over the whole history and over the last
90 days. Direction: Theil-Sen slope through the logarithms of the weekly Kaplan-Meier medians, over full weeks with at least 6
incidents; it needs 8 such weeks. Shift: the strongest change point of the martingale residuals (1 for a recovery, less the
Nelson-Aalen hazard up to its time) of all incidents in the order in which they started; it needs 20 incidents and 10 recoveries. Open
incidents count as lasting at least until as_of. Faster and slower need q < 0.05."""
published = true
python = "mttr_pipeline.metrics.directions:compute"
depends = ["figures.observations", "figures.weeks", "figures.left_out"]
like = "mart.mttr_stats"
not_null = ["calculation_type", "phase_model", "scope", "scope_value", "n", "n_events", "n_open", "weeks", "weeks_used", "direction", "shift", "n_before_history", "low_n"]
unique = [["calculation_type", "scope", "scope_value", "window_start"]]

[assert]
direction_needs_q = "direction NOT IN ('faster', 'slower') OR mann_kendall_q < 0.05"
direction_needs_weeks = "direction = 'not enough data' OR weeks_used >= 8"
shift_needs_q = "shift NOT IN ('faster', 'slower') OR (shift_q < 0.05 AND shift_log_rank_p < 0.05)"
shift_needs_n = "shift = 'not enough data' OR (n >= 20 AND n_events >= 10)"
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
n_events = "those that recovered"
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
shift_at = "start of the first incident after the strongest change point; NULL when all durations are equal. UTC"
n_before = "incidents before it, open ones included"
before_median_minutes = "their Kaplan-Meier median; NULL when not reached, and unless shift_p is below 0.05"
after_median_minutes = "Kaplan-Meier median of the incidents from shift_at on; NULL when not reached, and unless shift_p is below 0.05"
shift_p = "p of no change: Kolmogorov's distribution of the largest |sum of the first k residuals| / sqrt(sum of all squares); 1 when all durations are equal"
shift_q = "p after Benjamini-Hochberg over the members of the scope"
shift_log_rank_p = "p of the log-rank test of the incidents from shift_at on against those before; NULL unless shift_p is below 0.05"
shift = "faster or slower since shift_at, no detectable shift, or not enough data. faster and slower need shift_q < 0.05, and the log-rank test with p < 0.05 in the same direction"
shift_reason = "what is missing; NULL when there is enough data"
n_before_history = "further incidents of the window that are left out: they began before the complete history of their source"
low_n = "fewer than 5 events"
*/
WITH left_out AS (
    SELECT l.calculation_type, l.member_id, spans.is_recent, count(*) AS n
    FROM figures.left_out AS l
    CROSS JOIN config.run AS run
    CROSS JOIN (SELECT unnest([false, true]) AS is_recent) AS spans
    WHERE NOT spans.is_recent
        OR (l.started_us >= epoch_us(run.as_of - INTERVAL 90 DAY) AND l.started_us < epoch_us(run.as_of))
    GROUP BY l.calculation_type, l.member_id, spans.is_recent
)
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
    c.shift_p,
    c.shift_q,
    c.shift_log_rank_p,
    CASE
        WHEN c.shift_p IS NULL THEN 'not enough data'
        WHEN c.shift_q < 0.05 AND c.shift_log_rank_p < 0.05 AND c.before_sum < 0 AND c.after_excess > 0 THEN 'faster'
        WHEN c.shift_q < 0.05 AND c.shift_log_rank_p < 0.05 AND c.before_sum > 0 AND c.after_excess < 0 THEN 'slower'
        ELSE 'no detectable shift'
    END AS shift,
    CASE
        WHEN c.shift_p IS NULL AND c.n < 20 THEN c.n || CASE c.n WHEN 1 THEN ' incident' ELSE ' incidents' END || '; 20 are needed'
        WHEN c.shift_p IS NULL
            THEN c.n_events || CASE c.n_events WHEN 1 THEN ' incident has' ELSE ' incidents have' END || ' recovered; 10 are needed'
    END AS shift_reason,
    coalesce(l.n, 0) AS n_before_history,
    c.n_events < 5 AS low_n
FROM computed AS c
JOIN core.scope_members AS m ON m.member_id = c.member_id
CROSS JOIN config.run AS run
CROSS JOIN core.phase_model AS model
LEFT JOIN left_out AS l ON l.calculation_type = c.calculation_type AND l.member_id = c.member_id AND l.is_recent = c.is_recent
ORDER BY c.calculation_type, m.scope, m.scope_value, c.is_recent
