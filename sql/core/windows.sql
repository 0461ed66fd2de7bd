/*
description = """The windows of the summary: the whole history, and two periods of 30 days, of which the current one ends at as_of.
Windows are half-open: the start belongs to a window, the end does not."""
not_null = ["window_id", "name", "as_of"]
unique = [["window_id"], ["name"]]

[columns]
window_id = "number of the window; core.trend_windows has no window of the same number"
name = "whole, current or previous"
window_start = "first instant of the window; NULL = whole history"
window_end = "first instant after the window; NULL = whole history"
as_of = "clock of the run"
*/
SELECT w.window_id, w.name, w.window_start, w.window_end, run.as_of
FROM config.run AS run,
LATERAL (
    SELECT 0::BIGINT AS window_id, 'whole' AS name, NULL::TIMESTAMP AS window_start, NULL::TIMESTAMP AS window_end
    UNION ALL SELECT -1, 'current', run.as_of - INTERVAL 30 DAY, run.as_of
    UNION ALL SELECT -2, 'previous', run.as_of - INTERVAL 60 DAY, run.as_of - INTERVAL 30 DAY
) AS w
