/*
description = """How many incidents each scope member had, in the whole history and in the summary's two windows. The history begins
with the first incident of all, also for a member that came later."""
not_null = ["member_id", "n", "n_current", "n_previous"]
unique = [["member_id"]]

[columns]
member_id = "member of scope_members"
n = "incidents up to as_of"
n_current = "of the last 30 days"
n_previous = "of the 30 days before"
observed_us = "microseconds from the first incident of all to as_of; NULL without one"
current_us = "microseconds of the current window that the history covers"
previous_us = "microseconds of the window before that the history covers"
*/
WITH bounds AS (
    SELECT epoch_us(c.window_start) AS current_us, epoch_us(p.window_start) AS previous_us, epoch_us(c.as_of) AS as_of_us
    FROM core.windows AS c
    JOIN core.windows AS p ON p.name = 'previous'
    WHERE c.name = 'current'
),
placed AS (
    SELECT i.severity_id, i.service_id, i.team_id, i.started_us,
        i.started_us >= b.current_us AS is_current,
        i.started_us >= b.previous_us AND i.started_us < b.current_us AS is_previous
    FROM facts.matched AS i
    CROSS JOIN bounds AS b
    WHERE i.started_us < b.as_of_us
),
counted AS (
    SELECT 0 AS member_id, count(*) AS n, count(*) FILTER (WHERE is_current) AS n_current,
        count(*) FILTER (WHERE is_previous) AS n_previous
    FROM placed
    UNION ALL
    SELECT severity_id, count(*), count(*) FILTER (WHERE is_current), count(*) FILTER (WHERE is_previous)
    FROM placed GROUP BY severity_id
    UNION ALL
    SELECT service_id, count(*), count(*) FILTER (WHERE is_current), count(*) FILTER (WHERE is_previous)
    FROM placed GROUP BY service_id
    UNION ALL
    SELECT team_id, count(*), count(*) FILTER (WHERE is_current), count(*) FILTER (WHERE is_previous)
    FROM placed GROUP BY team_id
)
SELECT
    c.member_id::BIGINT AS member_id,
    c.n,
    c.n_current,
    c.n_previous,
    b.as_of_us - first.started_us AS observed_us,
    -- A window that begins before the history was not observed from its start: few incidents there would not mean a low rate.
    b.as_of_us - greatest(b.current_us, first.started_us) AS current_us,
    greatest(b.current_us - greatest(b.previous_us, first.started_us), 0) AS previous_us
FROM counted AS c
CROSS JOIN bounds AS b
CROSS JOIN (SELECT min(started_us) AS started_us FROM placed) AS first
ORDER BY c.member_id
