/*
description = """What incidents cost: minutes in which a service had at least one open incident, over the whole history (from the first
outage of all), the last 30 and the last 90 days. Overlapping incidents count once. Users are down from occurred, else started_at, to
mitigated, else resolved, else closed, else as_of. The row of the scope all says when any service was down."""
published = true
not_null = ["scope", "scope_value", "as_of", "n", "n_open", "n_invalid", "downtime_minutes"]
unique = [["scope", "scope_value", "window_start"]]

[assert]
availability_is_a_share = "availability_pct BETWEEN 0 AND 100"
not_longer_than_the_window = "downtime_minutes <= window_minutes"

[columns]
scope = "all or service"
scope_value = "all, or the service; `unknown` where an incident has none"
window_start = "first instant of the window; NULL = whole history. UTC"
window_end = "first instant after the window; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
n = "outages that overlap the window, including those of no length that start in it"
n_open = "outages that are not over at as_of"
n_invalid = "incidents of the scope, over the whole history, that end before they start: not counted"
window_minutes = "length of the window from the start of the history on, which is the first outage of all"
downtime_minutes = "union of the outages inside the window"
availability_pct = "100 (1 - downtime / window)"
availability_target_pct = "configured availability target of a service; NULL when there is none, and for the scope all"
error_budget_minutes = "downtime that the target allows in the window"
error_budget_used_pct = "100 * downtime / error budget; above 100 the target is missed"
user_minutes = "sum over incidents of affected users times minutes down inside the window; NULL when no incident has affected users"
n_users_known = "outages behind user_minutes"
*/
WITH history AS (
    SELECT min(start_us) AS first_us FROM facts.outages WHERE end_us >= start_us
),
windows AS (
    -- A window counts only from the start of the history on, because nothing was observed before it.
    SELECT
        w.name,
        epoch_us(w.window_start) AS window_start_us,
        epoch_us(w.window_end) AS window_end_us,
        epoch_us(run.as_of) AS end_us,
        CASE WHEN history.first_us IS NOT NULL THEN greatest(epoch_us(w.window_start), history.first_us) END AS start_us
    FROM core.target_windows AS w
    CROSS JOIN config.run AS run
    CROSS JOIN history
),
members AS (
    SELECT 0 AS member_id, count(*) FILTER (WHERE end_us < start_us) AS n_invalid FROM facts.outages
    UNION ALL
    SELECT service_id, count(*) FILTER (WHERE end_us < start_us) FROM facts.outages GROUP BY service_id
),
down AS (
    SELECT s.member_id, w.name, sum(least(s.end_us, w.end_us) - greatest(s.start_us, w.start_us)) AS down_us
    FROM figures.downtime_spans AS s
    JOIN windows AS w ON s.start_us < w.end_us AND s.end_us > w.start_us
    GROUP BY s.member_id, w.name
),
by_service AS (
    SELECT
        o.service_id, w.name,
        count(*) AS n,
        count(*) FILTER (WHERE o.is_open) AS n_open,
        count(o.affected_users) AS n_users_known,
        sum(o.affected_users::HUGEINT * (least(o.end_us, w.end_us) - greatest(o.start_us, w.start_us))) AS user_us
    FROM facts.outages AS o
    JOIN windows AS w ON o.start_us < w.end_us AND (o.end_us > w.start_us OR o.start_us >= w.start_us)
    WHERE o.end_us >= o.start_us
    GROUP BY o.service_id, w.name
),
counted AS (
    SELECT service_id AS member_id, name, n, n_open, n_users_known, user_us FROM by_service
    UNION ALL
    SELECT 0, name, sum(n)::BIGINT, sum(n_open)::BIGINT, sum(n_users_known)::BIGINT, sum(user_us)
    FROM by_service GROUP BY name
),
measured AS (
    SELECT
        member.scope, member.scope_value, m.n_invalid, w.window_start_us, w.window_end_us,
        run.as_of,
        coalesce(c.n, 0) AS n,
        coalesce(c.n_open, 0) AS n_open,
        coalesce(c.n_users_known, 0) AS n_users_known,
        c.user_us,
        nullif(w.end_us - w.start_us, 0) AS window_us,
        coalesce(d.down_us, 0)::BIGINT AS down_us,
        CASE WHEN member.scope = 'service' THEN run.availability_target_pct END AS target_pct
    FROM members AS m
    JOIN core.scope_members AS member ON member.member_id = m.member_id
    CROSS JOIN windows AS w
    CROSS JOIN config.run AS run
    LEFT JOIN counted AS c ON c.member_id = m.member_id AND c.name = w.name
    LEFT JOIN down AS d ON d.member_id = m.member_id AND d.name = w.name
)
SELECT
    scope,
    scope_value,
    make_timestamptz(window_start_us) AS window_start,
    make_timestamptz(window_end_us) AS window_end,
    make_timestamptz(epoch_us(as_of)) AS as_of,
    n,
    n_open,
    n_invalid,
    window_us / 6e7 AS window_minutes,
    down_us / 6e7 AS downtime_minutes,
    100 * ((window_us - down_us)::DOUBLE / window_us) AS availability_pct,
    target_pct AS availability_target_pct,
    window_us / 6e7 * (100 - target_pct) / 100 AS error_budget_minutes,
    100 * (down_us / (window_us * (100 - target_pct) / 100)) AS error_budget_used_pct,
    CASE WHEN n_users_known > 0 THEN user_us::DOUBLE / 6e7 END AS user_minutes,
    n_users_known
FROM measured
ORDER BY scope, scope_value, window_start_us NULLS FIRST
