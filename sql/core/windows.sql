/*
description = """The windows that every figure is given for: the whole history, and the summary's two periods of 30 days, the
last one ending at as_of. Half-open."""
not_null = ["name"]
unique = [["name"]]

[columns]
name = "whole, current or previous"
window_start = "first instant, NULL for the whole history"
window_end = "first instant after it, NULL for the whole history"
as_of = "clock of the run"
*/
SELECT w.name, w.window_start, w.window_end, run.as_of
FROM config.run AS run,
LATERAL (
    SELECT 'whole' AS name, NULL::TIMESTAMP AS window_start, NULL::TIMESTAMP AS window_end
    UNION ALL SELECT 'current', run.as_of - INTERVAL 30 DAY, run.as_of
    UNION ALL SELECT 'previous', run.as_of - INTERVAL 60 DAY, run.as_of - INTERVAL 30 DAY
) AS w
