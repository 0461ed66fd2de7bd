/*
description = """Where the time is lost: phases whose mean reaches the warning or the critical level, over the whole history,
for all incidents and per severity, service and team. bottlenecks_current has the same for the last 30 days. The figures count the
matched incidents without the outliers of the basic variant. A phase without data or below its warning level has no row. Critical
phases come first, then the highest means."""
published = true
like = "figures.bottlenecks"
not_null = ["phase", "level", "current_value", "threshold", "recommendation_id", "n", "affected_incidents", "scope", "scope_value", "phase_model"]
unique = [["scope", "scope_value", "phase"]]

[assert]
known_level = "level IN ('warning', 'critical')"
value_reaches_the_threshold = "current_value >= threshold * (1 - 1e-12)"
somebody_is_affected = "affected_incidents BETWEEN 1 AND n"
tail_driven_means_median_ok = "tail_driven = (level_by_median = 'ok')"

[columns]
phase = "="
level = "="
current_value = "="
threshold = "="
recommendation_id = "="
recommendation = "="
is_paged = "="
n = "="
affected_incidents = "="
affected_pct = "="
level_by_median = "="
tail_driven = "="
low_n = "="
scope = "="
scope_value = "="
phase_model = "="
median_minutes = "="
window_start = "="
window_end = "="
as_of = "="
calculation_type = "="
*/
SELECT * EXCLUDE (window_name, place, total_us, warning_us, situation)
FROM figures.bottlenecks
WHERE window_name = 'whole'
ORDER BY level, current_value DESC, scope, scope_value, place
