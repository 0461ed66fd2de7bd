/*
description = """How often incidents come back, per scope and window: another incident with the same deduplication key (fingerprint) and service, the same
record reopened as a later episode, or the same root cause of the same service, that begins within 30 days. Only incidents that were observed
for these 30 days and that have a key are asked; so the last 30 days have none. The table repeaters names the worst."""
published = true
not_null = ["scope", "scope_value", "as_of", "n_incidents", "n_not_observed", "n_without_key", "n", "recurred"]
unique = [["scope", "scope_value", "window_start"]]

[assert]
parts_of_the_whole = "n + n_without_key + n_not_observed = n_incidents AND recurred <= n"
no_data_is_null = "(n = 0) = (recurrence_pct IS NULL)"
limits_enclose = "recurrence_low_pct <= recurrence_pct AND recurrence_pct <= recurrence_high_pct"

[columns]
window_start = "first instant of the window; NULL = whole history. UTC"
window_end = "first instant after the window; NULL = whole history. UTC"
as_of = "clock of the run. UTC"
scope = "all, severity, service or team"
scope_value = "the member; `unknown` where an incident has no service or team"
n_incidents = "incidents of the scope and window"
n_not_observed = "those that began less than 30 days before as_of: whether they come back is not known yet"
n_without_key = "the others without a deduplication key and without a root cause: nothing tells whether they came back"
n = "incidents that are asked"
recurred = "those that came back within 30 days"
recurrence_pct = "100 * recurred / n"
recurrence_low_pct = "lower 95 % limit (Wilson)"
recurrence_high_pct = "upper 95 % limit (Wilson)"
*/
WITH cells AS (
    SELECT
        severity_id, service_id, team_id, window_id, count(*) AS n_incidents, count(CASE WHEN NOT is_observed THEN 1 END) AS n_not_observed,
        count(CASE WHEN is_observed AND NOT has_key THEN 1 END) AS n_without_key, count(CASE WHEN is_observed AND has_key THEN 1 END) AS n,
        count(CASE WHEN is_observed AND has_key AND recurs THEN 1 END) AS recurred
    FROM facts.learned
    GROUP BY ALL
),
counted AS (
    SELECT
        w.window_id, c.member_id, sum(c.n_incidents)::BIGINT AS n_incidents, sum(c.n_not_observed)::BIGINT AS n_not_observed,
        sum(c.n_without_key)::BIGINT AS n_without_key, sum(c.n)::BIGINT AS n, sum(c.recurred)::BIGINT AS recurred
    FROM (SELECT unnest([0, severity_id, service_id, team_id]) AS member_id, * FROM cells) AS c
    JOIN core.windows AS w ON w.name = 'whole' OR w.window_id = c.window_id
    GROUP BY ALL
)
SELECT
    make_timestamptz(epoch_us(w.window_start)) AS window_start,
    make_timestamptz(epoch_us(w.window_end)) AS window_end,
    make_timestamptz(epoch_us(w.as_of)) AS as_of,
    m.scope,
    m.scope_value,
    c.n_incidents,
    c.n_not_observed,
    c.n_without_key,
    c.n,
    c.recurred,
    100.0 * c.recurred / nullif(c.n, 0) AS recurrence_pct,
    100 * wilson_low(c.recurred, c.n) AS recurrence_low_pct,
    100 * wilson_high(c.recurred, c.n) AS recurrence_high_pct
FROM counted AS c
JOIN core.windows AS w ON w.window_id = c.window_id
JOIN core.scope_members AS m ON m.member_id = c.member_id
ORDER BY m.scope, m.scope_value, w.window_start NULLS FIRST
