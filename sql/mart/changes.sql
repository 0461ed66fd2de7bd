/*
description = """Did recovery change? The last 30 days against the 30 before, per variant and scope member. `faster` and `slower` are
said only when q < 0.05; durations that are not known to have changed are `no detectable change`, which is not the same as equal:
smallest_detectable_ratio says how large a change would have to be to show."""
published = true
python = "mttr_pipeline.metrics.changes:compute"
depends = ["figures.observations"]
not_null = ["calculation_type", "phase_model", "scope", "scope_value", "n", "n_events", "n_open", "previous_n", "previous_n_events", "previous_n_open", "verdict", "is_mixed", "low_n"]
unique = [["calculation_type", "scope", "scope_value"]]

[assert]
verdict_needs_q = "verdict NOT IN ('faster', 'slower') OR q < 0.05"
verdict_needs_n = "verdict = 'not enough data' OR (n >= 6 AND previous_n >= 6)"
q_is_not_below_p = "q >= log_rank_p"
limits_are_ordered = "ratio_low <= ratio AND ratio <= ratio_high"

[columns]
calculation_type = "variant"
phase_model = "phase model in force: lifecycle or coarse"
scope = "all, severity, service or team"
scope_value = "the member; `unknown` where an incident has no service or team"
window_start = "first instant of the current window. UTC"
window_end = "first instant after it. UTC"
previous_start = "first instant of the window before; it ends where the current one starts. UTC"
as_of = "clock of the run. UTC"
n = "incidents observed in the current window, outliers included: n_events + n_open"
n_events = "those seen to recover"
n_open = "those censored: open until as_of, or resolved by a timeout"
previous_n = "incidents observed in the window before"
previous_n_events = "those seen to recover"
previous_n_open = "those censored"
km_median = "Kaplan-Meier median of the current window in minutes; NULL when not reached"
previous_km_median = "that of the window before"
method = "how the ratio is estimated: hodges_lehmann where nothing is censored, else rmst_ratio; NULL without a ratio"
horizon_minutes = "rmst_ratio: both means are taken up to here, 168 h or as far as both curves are known; NULL otherwise"
ratio = "current / previous duration; below 1 is faster. hodges_lehmann: exp of the median of all differences of ln durations, of which those below one second count as one second; beyond 4 million pairs a seeded sample of them"
ratio_low = "lower 95 % limit; NULL when it does not exist"
ratio_high = "upper 95 % limit; NULL when it does not exist"
log_rank_p = "p of the log-rank test over both windows; NULL when there is nothing to compare"
q = "p after Benjamini-Hochberg over the members of the scope with at least 6 observations in both windows"
smallest_detectable_ratio = "factor that a log-rank test at 5 % finds with 80 % power: exp((1.96 + 0.84) sqrt(1 / n_events + 1 / previous_n_events))"
verdict = "faster, slower, no detectable change, or not enough data (fewer than 6 in a window, or none recovered in both); faster and slower need q < 0.05 and are the direction of the log-rank test: more, or fewer, of the current incidents recovered than expected"
is_mixed = "faster or slower, but the ratio points the other way: most incidents and the longest ones moved in opposite directions"
low_n = "fewer than 5 events in either window"
*/
SELECT
    c.calculation_type::VARCHAR AS calculation_type,
    model.phase_model,
    m.scope,
    m.scope_value,
    make_timestamptz(epoch_us(now.window_start)) AS window_start,
    make_timestamptz(epoch_us(now.window_end)) AS window_end,
    make_timestamptz(epoch_us(before.window_start)) AS previous_start,
    make_timestamptz(epoch_us(now.as_of)) AS as_of,
    c.n,
    c.n_events,
    c.n - c.n_events AS n_open,
    c.previous_n,
    c.previous_n_events,
    c.previous_n - c.previous_n_events AS previous_n_open,
    c.km_median,
    c.previous_km_median,
    CASE WHEN c.ratio IS NULL THEN NULL WHEN c.is_censored THEN 'rmst_ratio' ELSE 'hodges_lehmann' END AS method,
    c.horizon_minutes,
    c.ratio,
    c.ratio_low,
    c.ratio_high,
    c.log_rank_p,
    c.q,
    c.smallest_detectable_ratio,
    CASE
        WHEN NOT c.is_enough THEN 'not enough data'
        WHEN c.q < 0.05 AND c.excess > 0 THEN 'faster'
        WHEN c.q < 0.05 AND c.excess < 0 THEN 'slower'
        ELSE 'no detectable change'
    END AS verdict,
    coalesce(c.is_enough AND c.q < 0.05 AND (c.ratio - 1) * c.excess > 0, false) AS is_mixed,
    least(c.n_events, c.previous_n_events) < 5 AS low_n
FROM computed AS c
JOIN core.scope_members AS m ON m.member_id = c.member_id
JOIN core.windows AS now ON now.name = 'current'
JOIN core.windows AS before ON before.name = 'previous'
CROSS JOIN core.phase_model AS model
ORDER BY c.calculation_type, m.scope, m.scope_value
