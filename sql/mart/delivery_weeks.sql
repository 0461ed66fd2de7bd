/*
description = """Production deploys that ran, per calendar week of the last 90 days, at their finish, from the week of the first known one on. The newest
weeks may still change: an incident that is yet to come, or a rollback, makes a deploy a failed one."""
published = true
like = "mart.delivery"
not_null = ["window_start", "window_end", "is_partial", "deploys", "failed_deploys"]
unique = [["window_start"]]

[assert]
parts_of_the_whole = "failed_deploys <= deploys AND other_deploys = deploys - failed_deploys"

[columns]
window_start = "first instant of the week, a Monday in the reporting time zone. UTC"
window_end = "first instant after the week. UTC"
is_partial = "whether deploys of only a part of it are known: the 90 days, or the known deploys, begin or end in it"
deploys = "="
failed_deploys = "="
other_deploys = "deploys - failed_deploys"
*/
SELECT
    make_timestamptz(w.start_us) AS window_start,
    make_timestamptz(w.end_us) AS window_end,
    w.is_partial OR w.start_us < began.us AS is_partial,
    count(d.deploy_no) AS deploys,
    count(CASE WHEN d.has_failed THEN 1 END) AS failed_deploys,
    count(CASE WHEN NOT d.has_failed THEN 1 END) AS other_deploys
FROM core.trend_windows AS w
JOIN (SELECT min(finished_us) AS us FROM facts.deployed) AS began ON began.us < w.end_us
LEFT JOIN facts.deployed AS d ON d.finished_us >= w.start_us AND d.finished_us < w.end_us
WHERE w.interval = 'week' AND w.alignment = 'calendar'
GROUP BY w.start_us, w.end_us, w.is_partial, began.us
ORDER BY w.start_us
