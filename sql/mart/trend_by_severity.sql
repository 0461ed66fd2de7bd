/*
description = "The trend of each severity, with the columns and windows of trend."
published = true
like = "figures.trend"
unique = [["interval", "alignment", "calculation_type", "scope_value", "window_start"]]
*/
SELECT *
FROM figures.trend
WHERE scope = 'severity'
ORDER BY calculation_type, alignment, "interval", window_start, scope_value
