/*
description = "The windows that compliance and downtime are given for: the whole history, and the last 30 and 90 days before as_of. Half-open."
not_null = ["name"]
unique = [["name"]]

[columns]
name = "whole, last30 or last90"
window_start = "first instant of the window; NULL = whole history"
window_end = "first instant after the window; NULL = whole history"
*/
SELECT w.name, w.window_start, w.window_end
FROM config.run AS run,
LATERAL (
    SELECT 'whole' AS name, NULL::TIMESTAMP AS window_start, NULL::TIMESTAMP AS window_end
    UNION ALL SELECT 'last30', run.as_of - INTERVAL 30 DAY, run.as_of
    UNION ALL SELECT 'last90', run.as_of - INTERVAL 90 DAY, run.as_of
) AS w
