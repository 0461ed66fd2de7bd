/*
description = """How the figures moved over the last 90 days, by day, week and month. Calendar windows start at midnight of the reporting
time zone: every day, on Mondays, on the first of the month. Rolling windows end at as_of. Windows are half-open on started_at; the
first and the last are cut off by the 90 days. A window without incidents has zero counts and NULLs."""
published = true
like = "figures.trend"
unique = [["interval", "alignment", "calculation_type", "window_start"]]
*/
SELECT *
FROM figures.trend
WHERE scope = 'all'
ORDER BY calculation_type, alignment, "interval", window_start
