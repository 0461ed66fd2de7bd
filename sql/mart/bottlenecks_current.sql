/*
description = """Where the time was lost in the last 30 days: the bottlenecks of that window, with the columns and the order of
bottlenecks."""
published = true
like = "mart.bottlenecks"
unique = [["scope", "scope_value", "phase"]]
*/
SELECT * EXCLUDE (window_name, place, total_us, warning_us, situation)
FROM figures.bottlenecks
WHERE window_name = 'current'
ORDER BY level, current_value DESC, scope, scope_value, place
