/*
description = """Kaplan-Meier estimates per variant, window and scope member, for the windows of the summary and those of the trend. At each time t, d of the n observations at risk are
events. The curve S is the product of 1 - d/n, Greenwood's variance v the sum of d / (n (n - d)). Quantile q is the first t with
S <= 1 - q. Its log-log 95 % limits are the first t with S^exp(+-1.96 sqrt(v) / |ln S|) <= 1 - q. Outliers are included. Without
an observation there are counts of zero and no estimates."""
python = "mttr_pipeline.metrics.estimates:compute"
depends = ["figures.observations", "core.windows", "core.trend_windows"]
not_null = ["calculation_type", "window_id", "scope", "scope_value", "n_events", "n_open", "low_n"]
unique = [["calculation_type", "window_id", "scope", "scope_value"]]

[assert]
limits_are_ordered = "km_median_low <= km_median AND km_median <= km_median_high AND km_median <= km_p90 AND km_p90_low <= km_p90 AND km_p90 <= km_p90_high AND rmst_low <= rmst_minutes AND rmst_minutes <= rmst_high"
no_observation_no_estimate = "(n_events + n_open = 0) = (longest_minutes IS NULL)"

[columns]
calculation_type = "variant"
window_id = "window, as in core.windows or core.trend_windows"
scope = "all, severity, service or team; all or severity in the windows of the trend"
scope_value = "the member; `unknown` where an incident has no service or team"
km_median = "typical recovery: Kaplan-Meier median in minutes, the first time by which half have recovered. Open incidents count as lasting at least until as_of. NULL when not reached"
km_median_low = "lower 95 % limit (log-log); NULL when it does not exist"
km_median_high = "upper 95 % limit (log-log); NULL when it does not exist"
km_median_text = "the median as text; `> 812 min` when it is not reached within the longest observation"
km_p90 = "bad day: Kaplan-Meier 90th percentile in minutes; NULL when not reached. To be shown from 10 events"
km_p90_low = "lower 95 % limit (log-log); NULL when it does not exist"
km_p90_high = "upper 95 % limit (log-log); NULL when it does not exist"
rmst_minutes = "capped mean: restricted mean survival time, the area under the Kaplan-Meier curve to 168 h, in minutes"
rmst_low = "lower 95 % limit (Greenwood); NULL when the curve has no variance. To be shown from 100 events"
rmst_high = "upper 95 % limit (Greenwood); NULL when the curve has no variance. To be shown from 100 events"
is_rmst_bound = "the longest observation is censored before 168 h: the curve is taken as flat from there, so rmst_minutes is an upper bound"
longest_minutes = "longest observation: until a recovery, until as_of for an open incident, or until a timeout"
n_events = "incidents that recovered, outliers included"
n_open = "incidents that are censored: open at as_of, or resolved by a timeout"
low_n = "fewer than 5 events"
*/
SELECT
    e.calculation_type::VARCHAR AS calculation_type,
    e.window_id,
    m.scope,
    m.scope_value,
    e.km_median,
    e.km_median_low,
    e.km_median_high,
    recovery_text(e.km_median, e.longest_minutes) AS km_median_text,
    e.km_p90,
    e.km_p90_low,
    e.km_p90_high,
    e.rmst_minutes,
    e.rmst_low,
    e.rmst_high,
    CASE WHEN e.n_events + e.n_open > 0 THEN e.is_rmst_bound END AS is_rmst_bound,
    e.longest_minutes,
    e.n_events,
    e.n_open,
    e.low_n
FROM computed AS e
JOIN core.scope_members AS m ON m.member_id = e.member_id
