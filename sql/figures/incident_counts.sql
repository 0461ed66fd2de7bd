/*
description = """How many incidents each scope member had, over the whole history and in the two periods of the summary. The history
starts with the first incident of all, also for a member whose own first incident is later. Incidents that began before the complete
history of their source are left out: of those times, not all incidents are known."""
not_null = ["member_id", "n", "n_current", "n_previous"]
unique = [["member_id"]]

[columns]
member_id = "member, as in core.scope_members"
n = "incidents up to as_of"
n_current = "incidents of the last 30 days"
n_previous = "incidents of the 30 days before"
observed_us = "microseconds from the first incident of all to as_of; NULL without an incident"
current_us = "microseconds of the current period that the history covers"
previous_us = "microseconds of the previous period that the history covers"
*/
WITH bounds AS (
    SELECT epoch_us(c.window_start) AS current_us, epoch_us(p.window_start) AS previous_us, epoch_us(c.as_of) AS as_of_us
    FROM core.windows AS c
    JOIN core.windows AS p ON p.name = 'previous'
    WHERE c.name = 'current'
),
by_group AS (
    SELECT
        i.severity_id, i.service_id, i.team_id,
        min(i.started_us) AS first_us,
        count(*) AS n,
        count(*) FILTER (WHERE i.started_us >= b.current_us) AS n_current,
        count(*) FILTER (WHERE i.started_us >= b.previous_us AND i.started_us < b.current_us) AS n_previous
    FROM facts.matched AS i
    CROSS JOIN bounds AS b
    WHERE i.started_us < b.as_of_us AND NOT i.is_before_history
    GROUP BY i.severity_id, i.service_id, i.team_id
),
by_member AS (
    SELECT 0 AS member_id, 0 AS n, 0 AS n_current, 0 AS n_previous -- the scope all has a row without incidents too
    UNION ALL
    SELECT unnest([0, severity_id, service_id, team_id]), n, n_current, n_previous FROM by_group
)
SELECT
    c.member_id,
    sum(c.n)::BIGINT AS n,
    sum(c.n_current)::BIGINT AS n_current,
    sum(c.n_previous)::BIGINT AS n_previous,
    b.as_of_us - history.first_us AS observed_us,
    -- A period counts only from the start of the history on: before it, a low count would not mean a low rate.
    b.as_of_us - greatest(b.current_us, history.first_us) AS current_us,
    greatest(b.current_us - greatest(b.previous_us, history.first_us), 0) AS previous_us
FROM by_member AS c
CROSS JOIN bounds AS b
CROSS JOIN (SELECT min(first_us) AS first_us FROM by_group) AS history
GROUP BY c.member_id, b.as_of_us, b.current_us, b.previous_us, history.first_us
ORDER BY c.member_id
