/*
description = """Kaplan-Meier estimates in the windows of the trend, for all incidents and per severity: as in figures.survival."""
python = "mttr_pipeline.metrics.trend:published"
depends = ["figures.observations", "core.trend_windows"]
not_null = ["window_id", "calculation_type", "scope", "scope_value", "n_events", "n_open"]
unique = [["window_id", "calculation_type", "scope", "scope_value"]]

[assert]
limits_are_ordered = "km_median_low <= km_median AND km_median <= km_median_high AND km_median <= km_p90 AND km_p90_low <= km_p90 AND km_p90 <= km_p90_high AND rmst_low <= rmst_minutes AND rmst_minutes <= rmst_high"

[columns]
window_id = "window"
calculation_type = "variant"
scope = "all or severity"
scope_value = "the member"
n_events = "incidents seen to recover"
n_open = "those censored: still open at as_of, or resolved by a timeout"
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
longest_minutes = "longest observation"
*/
SELECT
    c.window_id,
    c.calculation_type::VARCHAR AS calculation_type,
    m.scope,
    m.scope_value,
    c.n_events,
    c.n - c.n_events AS n_open,
    c.km_median,
    c.km_median_low,
    c.km_median_high,
    c.km_p90,
    c.km_p90_low,
    c.km_p90_high,
    c.rmst_minutes,
    c.rmst_low,
    c.rmst_high,
    c.is_rmst_bound,
    c.longest_minutes
FROM computed AS c
JOIN core.scope_members AS m ON m.member_id = c.member_id
