/*
description = """Did recovery times change? The last 30 days against the 30 days before, per variant and scope member. A verdict of faster or
slower needs q < 0.05. `no detectable change` does not mean that nothing changed: smallest_detectable_ratio says how large a change
must be to be detected."""
published = true
python = "mttr_pipeline.metrics.changes:compute"
depends = ["figures.observations", "figures.abandoned", "figures.left_out", "core.windows"]
like = "mart.mttr_stats"
not_null = ["calculation_type", "phase_model", "scope", "scope_value", "n", "n_events", "n_open", "previous_n", "previous_n_events", "previous_n_open", "verdict", "is_mixed", "n_abandoned", "previous_n_abandoned", "verdict_without_abandoned", "hangs_on_abandoned", "n_before_history", "previous_n_before_history", "low_n"]
unique = [["calculation_type", "scope", "scope_value"]]

[assert]
verdict_needs_q = "verdict NOT IN ('faster', 'slower') OR q < 0.05"
without_abandoned_needs_q = "verdict_without_abandoned NOT IN ('faster', 'slower') OR q_without_abandoned < 0.05"
nothing_abandoned_nothing_hangs = "n_abandoned + previous_n_abandoned > 0 OR NOT hangs_on_abandoned"
verdict_needs_n = "verdict = 'not enough data' OR (n >= 6 AND previous_n >= 6)"
q_is_not_below_p = "q >= log_rank_p"
limits_are_ordered = "ratio_low <= ratio AND ratio <= ratio_high"

[columns]
calculation_type = "variant"
phase_model = "="
scope = "="
scope_value = "="
window_start = "first instant of the current period. UTC"
window_end = "first instant after the current period. UTC"
previous_start = "first instant of the previous period, which ends where the current one starts. UTC"
as_of = "="
n = "incidents observed in the current period, outliers included: n_events + n_open"
n_events = "those that recovered"
n_open = "those that are censored: open at as_of, or resolved by a timeout"
previous_n = "incidents observed in the previous period"
previous_n_events = "those that recovered"
previous_n_open = "those that are censored"
km_median = "Kaplan-Meier median of the current period in minutes; NULL when not reached"
km_median_low = "lower 95 % limit (log-log); NULL when it does not exist"
km_median_high = "upper 95 % limit (log-log); NULL when it does not exist"
previous_km_median = "Kaplan-Meier median of the previous period in minutes; NULL when not reached"
previous_km_median_low = "lower 95 % limit of it; NULL when it does not exist"
previous_km_median_high = "upper 95 % limit of it; NULL when it does not exist"
method = "how the ratio is estimated: hodges_lehmann where no incident is censored, else rmst_ratio; NULL without a ratio"
horizon_minutes = "of rmst_ratio: both restricted means count durations up to here, which is 168 h or the time up to which both curves are known; NULL otherwise"
ratio = "current / previous duration; below 1 is faster. hodges_lehmann: exp of the median of all differences of ln durations. Durations below one second count as one second. Beyond 4 million pairs it is the median of a seeded sample of them"
ratio_low = "lower 95 % limit; NULL when it does not exist"
ratio_high = "upper 95 % limit; NULL when it does not exist"
log_rank_p = "p of the log-rank test over both periods; NULL when there is nothing to compare"
q = "p after Benjamini-Hochberg over the members of the scope with at least 6 observations in both periods"
smallest_detectable_ratio = "factor that a log-rank test at 5 % detects with 80 % power: exp((1.96 + 0.84) sqrt(1 / n_events + 1 / previous_n_events))"
verdict = "faster, slower, no detectable change, or not enough data (fewer than 6 in a period, or no recovery in either). faster and slower need q < 0.05 and follow the direction of the log-rank test: more, or fewer, current incidents recovered than expected"
is_mixed = "the verdict is faster or slower, but the ratio has the other direction: most incidents and the longest ones changed in opposite directions"
n_abandoned = "those of n_open that are abandoned: open, and nothing happened for lifecycle.abandoned_days (default 7)"
previous_n_abandoned = "those of previous_n_open that are abandoned"
q_without_abandoned = "q of the same test without the abandoned incidents"
verdict_without_abandoned = "the verdict without the abandoned incidents"
hangs_on_abandoned = "the member has abandoned incidents, and without them the verdict is another one"
n_before_history = "further incidents of the current period that are left out: they began before the complete history of their source"
previous_n_before_history = "further incidents of the previous period that are left out for the same reason"
low_n = "fewer than 5 events in either period"
*/
WITH judged AS (
    SELECT *,
        CASE
            WHEN NOT is_enough THEN 'not enough data'
            WHEN q < 0.05 AND excess > 0 THEN 'faster'
            WHEN q < 0.05 AND excess < 0 THEN 'slower'
            ELSE 'no detectable change'
        END AS verdict,
        CASE
            WHEN NOT is_enough_without THEN 'not enough data'
            WHEN q_without < 0.05 AND excess_without > 0 THEN 'faster'
            WHEN q_without < 0.05 AND excess_without < 0 THEN 'slower'
            ELSE 'no detectable change'
        END AS verdict_without
    FROM computed
),
left_out AS (
    SELECT
        l.calculation_type,
        l.member_id,
        count(*) FILTER (WHERE w.name = 'current') AS n,
        count(*) FILTER (WHERE w.name = 'previous') AS previous_n
    FROM figures.left_out AS l
    JOIN core.windows AS w ON l.started_us >= epoch_us(w.window_start) AND l.started_us < epoch_us(w.window_end)
    GROUP BY l.calculation_type, l.member_id
)
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
    c.km_median_low,
    c.km_median_high,
    c.previous_km_median,
    c.previous_km_median_low,
    c.previous_km_median_high,
    CASE WHEN c.ratio IS NULL THEN NULL WHEN c.is_censored THEN 'rmst_ratio' ELSE 'hodges_lehmann' END AS method,
    c.horizon_minutes,
    c.ratio,
    c.ratio_low,
    c.ratio_high,
    c.log_rank_p,
    c.q,
    c.smallest_detectable_ratio,
    c.verdict,
    coalesce(c.is_enough AND c.q < 0.05 AND (c.ratio - 1) * c.excess > 0, false) AS is_mixed,
    c.n_abandoned,
    c.previous_n_abandoned,
    c.q_without AS q_without_abandoned,
    c.verdict_without AS verdict_without_abandoned,
    -- Where others have abandoned incidents q differs too, by its correction for the number of tests.
    c.verdict <> c.verdict_without AND c.n_abandoned + c.previous_n_abandoned > 0 AS hangs_on_abandoned,
    coalesce(l.n, 0) AS n_before_history,
    coalesce(l.previous_n, 0) AS previous_n_before_history,
    least(c.n_events, c.previous_n_events) < 5 AS low_n
FROM judged AS c
JOIN core.scope_members AS m ON m.member_id = c.member_id
JOIN core.windows AS now ON now.name = 'current'
JOIN core.windows AS before ON before.name = 'previous'
LEFT JOIN left_out AS l ON l.calculation_type = c.calculation_type AND l.member_id = c.member_id
CROSS JOIN core.phase_model AS model
ORDER BY c.calculation_type, m.scope, m.scope_value
