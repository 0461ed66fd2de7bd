/*
description = """How often do incidents happen? Incidents per scope member in the last 30 days against the 30 days before, and the mean time
between incidents. Every incident counts at the instant it started, open ones included; duplicates and non-incidents do not count."""
published = true
python = "mttr_pipeline.metrics.frequency:compute"
depends = ["figures.incident_counts", "core.scope_members"]
like = "mart.changes"
not_null = ["scope", "scope_value", "n", "n_current", "n_previous", "verdict", "low_n"]
unique = [["scope", "scope_value"]]

[assert]
verdict_needs_q = "verdict NOT IN ('more often', 'less often') OR q < 0.05"
limits_are_ordered = "mtbf_low_minutes <= mtbf_minutes AND mtbf_minutes <= mtbf_high_minutes AND rate_ratio_low <= rate_ratio AND rate_ratio <= rate_ratio_high"

[columns]
scope = "="
scope_value = "="
window_start = "="
window_end = "="
previous_start = "="
as_of = "="
n = "incidents of the whole history"
n_current = "incidents of the current period"
n_previous = "incidents of the previous period"
current_minutes = "minutes of the current period that the history covers; the history starts with the first incident of all"
previous_minutes = "minutes of the previous period that the history covers; 0 when there is nothing to compare with"
rate_ratio = "incidents per covered minute, current / previous; NULL without an incident in the previous period"
rate_ratio_low = "lower 95 % limit (Clopper-Pearson, given n_current + n_previous)"
rate_ratio_high = "upper 95 % limit; NULL without an incident in the previous period"
p = "exact two-sided p of equal rates, given n_current + n_previous: twice the smaller binomial tail. The expected share is that of the covered minutes, which is 1/2 unless the history is younger than both periods. NULL when there is nothing to compare with"
q = "p after Benjamini-Hochberg over the members of the scope with at least 6 incidents in both periods together"
verdict = "more often, less often, no detectable change, or not enough data (fewer than 6 in both periods together, or a history that does not reach into the previous period)"
mtbf_minutes = "mean time between incidents over the whole history: minutes from the first incident of all to as_of / n"
mtbf_low_minutes = "lower 95 % limit (Garwood)"
mtbf_high_minutes = "upper 95 % limit (Garwood)"
mtbf_current_minutes = "mean time between incidents in the current period: its covered minutes / n_current; NULL without an incident"
mtbf_current_low_minutes = "lower 95 % limit (Garwood); exists without an incident too"
mtbf_current_high_minutes = "upper 95 % limit (Garwood); NULL without an incident"
low_n = "fewer than 5 incidents in the current period"
*/
SELECT
    m.scope,
    m.scope_value,
    make_timestamptz(epoch_us(now.window_start)) AS window_start,
    make_timestamptz(epoch_us(now.window_end)) AS window_end,
    make_timestamptz(epoch_us(before.window_start)) AS previous_start,
    make_timestamptz(epoch_us(now.as_of)) AS as_of,
    c.n,
    c.n_current,
    c.n_previous,
    c.current_us / 6e7 AS current_minutes,
    c.previous_us / 6e7 AS previous_minutes,
    f.ratio AS rate_ratio,
    f.ratio_low AS rate_ratio_low,
    f.ratio_high AS rate_ratio_high,
    f.p,
    f.q,
    CASE
        WHEN f.q IS NULL THEN 'not enough data'
        WHEN f.q < 0.05 AND c.n_current::HUGEINT * c.previous_us > c.n_previous::HUGEINT * c.current_us THEN 'more often'
        WHEN f.q < 0.05 THEN 'less often'
        ELSE 'no detectable change'
    END AS verdict,
    f.whole_mean AS mtbf_minutes,
    f.whole_low AS mtbf_low_minutes,
    f.whole_high AS mtbf_high_minutes,
    f.recent_mean AS mtbf_current_minutes,
    f.recent_low AS mtbf_current_low_minutes,
    f.recent_high AS mtbf_current_high_minutes,
    c.n_current < 5 AS low_n
FROM figures.incident_counts AS c
JOIN computed AS f ON f.member_id = c.member_id
JOIN core.scope_members AS m ON m.member_id = c.member_id
JOIN core.windows AS now ON now.name = 'current'
JOIN core.windows AS before ON before.name = 'previous'
ORDER BY m.scope, m.scope_value
