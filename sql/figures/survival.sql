/*
description = """Kaplan-Meier estimates per variant, scope member and window. Per time t: d events among n at risk; the curve S is the
product of 1 - d/n, Greenwood's v the sum of d / (n (n - d)). Quantile q is the first t with S <= 1 - q; its 95 % limits are the
first t with S^exp(+-1.96 sqrt(v) / |ln S|) <= 1 - q. Nothing is estimated without an observation."""
python = "mttr_pipeline.metrics.survival:published"
depends = ["figures.observations", "core.windows"]
not_null = ["calculation_type", "window_name", "scope", "scope_value", "n", "n_events", "n_open"]
unique = [["calculation_type", "window_name", "scope", "scope_value"]]

[assert]
limits_are_ordered = "km_median_low <= km_median AND km_median <= km_median_high AND km_p90_low <= km_p90 AND km_p90 <= km_p90_high AND rmst_low <= rmst_minutes AND rmst_minutes <= rmst_high"

[columns]
calculation_type = "variant"
window_name = "whole, current or previous"
scope = "all, severity, service or team"
scope_value = "the member"
n = "incidents observed: n_events + n_open"
n_events = "those that were seen to recover"
n_open = "those censored: still open at as_of, or resolved by a timeout"
longest_minutes = "longest observation"
km_median = "median in minutes; NULL when the curve does not come down to it"
km_median_low = "lower 95 % limit (log-log); NULL when it does not exist"
km_median_high = "upper 95 % limit (log-log); NULL when it does not exist"
km_p90 = "90th percentile in minutes; NULL when not reached"
km_p90_low = "lower 95 % limit (log-log); NULL when it does not exist"
km_p90_high = "upper 95 % limit (log-log); NULL when it does not exist"
rmst_minutes = "area under the curve to 168 h: the mean with every duration capped there"
rmst_low = "lower 95 % limit, not below 0; NULL when the curve has no variance"
rmst_high = "upper 95 % limit, not above 168 h; NULL when the curve has no variance"
is_rmst_bound = "the longest observation is censored before 168 h: the curve is taken as flat from there, so rmst_minutes is an upper bound"
*/
SELECT
    c.calculation_type::VARCHAR AS calculation_type,
    c.window_name::VARCHAR AS window_name,
    m.scope,
    m.scope_value,
    c.n,
    c.n_events,
    c.n - c.n_events AS n_open,
    c.longest_minutes,
    c.km_median,
    c.km_median_low,
    c.km_median_high,
    c.km_p90,
    c.km_p90_low,
    c.km_p90_high,
    c.rmst_minutes,
    c.rmst_low,
    c.rmst_high,
    CASE WHEN c.n > 0 THEN c.is_rmst_bound END AS is_rmst_bound
FROM computed AS c
JOIN core.scope_members AS m ON m.member_id = c.member_id
