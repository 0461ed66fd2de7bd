/*
description = """Where the time is lost: phases whose mean reaches their warning or critical level, over the whole history,
overall and per severity, service and team; bottlenecks_current has the same for the last 30 days. Counted are the matched
incidents without the outliers of the basic variant. A phase without data or below its warning level has no row. Critical first,
then the highest value."""
published = true
not_null = ["phase", "level", "current_value", "threshold", "recommendation_id", "n", "affected_incidents", "scope", "scope_value", "phase_model"]
unique = [["scope", "scope_value", "phase"]]

[assert]
known_level = "level IN ('warning', 'critical')"
value_reaches_the_threshold = "current_value >= threshold * (1 - 1e-12)"
somebody_is_affected = "affected_incidents BETWEEN 1 AND n"
tail_driven_means_median_ok = "tail_driven = (level_by_median = 'ok')"

[columns]
phase = "detection, acknowledgment, investigation or mitigation"
level = "warning or critical, by the mean"
current_value = "mean minutes of the phase"
threshold = "minutes of the level reached: the service's or severity's own where one is configured"
recommendation_id = "R-DET-W, R-DET-C, R-ACK-W, R-ACK-C, R-INV-W, R-INV-C, R-MIT-W or R-MIT-C"
recommendation = "what to do"
n = "incidents behind current_value"
affected_incidents = "those in which the phase took at least the threshold"
affected_pct = "100 * affected_incidents / n"
level_by_median = "ok, warning or critical, by the median"
tail_driven = "the median is below the warning level: a few long incidents make the mean, not the usual one"
low_n = "fewer than 5 incidents: chance may be all there is to it"
scope = "all, severity, service or team"
scope_value = "the member; unknown where an incident has no service or team"
phase_model = "phase model in force: lifecycle or coarse"
median_minutes = "median minutes of the phase"
window_start = "first instant of started_at that counts; NULL = whole history. UTC"
window_end = "first instant after it; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
calculation_type = "basic: the variant whose outliers are left out"
*/
SELECT
    b.phase,
    b.level,
    b.current_value,
    b.threshold,
    b.recommendation_id,
    b.recommendation,
    b.n,
    b.affected_incidents,
    b.affected_pct,
    b.level_by_median,
    b.tail_driven,
    b.low_n,
    b.scope,
    b.scope_value,
    b.phase_model,
    b.median_minutes,
    make_timestamptz(epoch_us(w.window_start)) AS window_start,
    make_timestamptz(epoch_us(w.window_end)) AS window_end,
    make_timestamptz(epoch_us(w.as_of)) AS as_of,
    'basic' AS calculation_type
FROM figures.bottlenecks AS b
JOIN core.windows AS w ON w.name = b.window_name
WHERE b.window_name = 'whole'
ORDER BY b.level, b.current_value DESC, b.scope, b.scope_value, b.place
