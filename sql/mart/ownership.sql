/*
description = """How many incidents have an owner, per scope and window: a service, a team, both; and how long it took until somebody was given the
incident. A window without an incident has no row. The table unowned_incidents lists those without."""
published = true
not_null = ["scope", "scope_value", "as_of", "n", "n_service", "n_team", "n_both", "n_assigned"]
unique = [["scope", "scope_value", "window_start"]]

[assert]
parts_of_the_whole = "n_both <= least(n_service, n_team) AND greatest(n_service, n_team) <= n AND n_assigned <= n"
limits_enclose = "both_low_pct <= both_pct AND both_pct <= both_high_pct"
no_data_is_null = "(n_assigned = 0) = (assignment_median_minutes IS NULL)"
never_negative = "assignment_median_minutes >= 0"

[columns]
window_start = "first instant of the window; NULL = whole history. UTC"
window_end = "first instant after the window; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
scope = "all, severity, service or team"
scope_value = "the member; `unknown` where an incident has no service or team"
n = "incidents"
n_service = "those with a service"
service_pct = "100 * n_service / n"
n_team = "those with a team"
team_pct = "100 * n_team / n"
n_both = "those with both"
both_pct = "100 * n_both / n"
both_low_pct = "lower 95 % limit (Wilson)"
both_high_pct = "upper 95 % limit (Wilson)"
assignment_median_minutes = "median minutes from detected_at to the first assignment in the history of a record; those without an assignment are left out"
n_assigned = "incidents behind it"
*/
WITH cells AS (
    SELECT
        severity_id, service_id, team_id, window_id, count(*) AS n, count(CASE WHEN has_service THEN 1 END) AS n_service,
        count(CASE WHEN has_team THEN 1 END) AS n_team, count(CASE WHEN has_service AND has_team THEN 1 END) AS n_both
    FROM facts.learned
    GROUP BY ALL
),
counted AS (
    SELECT w.window_id, c.member_id, sum(c.n)::BIGINT AS n, sum(c.n_service)::BIGINT AS n_service, sum(c.n_team)::BIGINT AS n_team,
        sum(c.n_both)::BIGINT AS n_both
    FROM (SELECT unnest([0, severity_id, service_id, team_id]) AS member_id, * FROM cells) AS c
    JOIN core.windows AS w ON w.name = 'whole' OR w.window_id = c.window_id
    GROUP BY ALL
),
assigned AS (
    SELECT w.window_id, a.member_id, quantile_cont(a.assignment_us, 0.5) / 6e7 AS median, count(*) AS n
    FROM (
        SELECT unnest([0, severity_id, service_id, team_id]) AS member_id, window_id, assignment_us FROM facts.learned WHERE assignment_us IS NOT NULL
    ) AS a
    JOIN core.windows AS w ON w.name = 'whole' OR w.window_id = a.window_id
    GROUP BY ALL
)
SELECT
    make_timestamptz(epoch_us(w.window_start)) AS window_start,
    make_timestamptz(epoch_us(w.window_end)) AS window_end,
    make_timestamptz(epoch_us(w.as_of)) AS as_of,
    m.scope,
    m.scope_value,
    c.n,
    c.n_service,
    100.0 * c.n_service / c.n AS service_pct,
    c.n_team,
    100.0 * c.n_team / c.n AS team_pct,
    c.n_both,
    100.0 * c.n_both / c.n AS both_pct,
    100 * wilson_low(c.n_both, c.n) AS both_low_pct,
    100 * wilson_high(c.n_both, c.n) AS both_high_pct,
    a.median AS assignment_median_minutes,
    coalesce(a.n, 0) AS n_assigned
FROM counted AS c
JOIN core.windows AS w ON w.window_id = c.window_id
JOIN core.scope_members AS m ON m.member_id = c.member_id
LEFT JOIN assigned AS a ON a.window_id = c.window_id AND a.member_id = c.member_id
ORDER BY m.scope, m.scope_value, w.window_start NULLS FIRST
