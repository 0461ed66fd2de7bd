/*
description = """How long users were down in each incident: from the instant it occurred, else started_at (detected, else its first
stamp), to the instant it was mitigated, else resolved, else closed; up to as_of while there is none of them. An end before the
start is invalid."""
not_null = ["service", "start_us", "end_us", "is_open"]

[columns]
service = "service, unknown when there is none"
start_us = "microseconds since 1970 at which users went down"
end_us = "microseconds since 1970 at which they had service again, or as_of"
is_open = "no end is known: down until as_of"
affected_users = "users affected, NULL when unknown"
*/
SELECT
    coalesce(i.service, 'unknown') AS service,
    epoch_us(coalesce(i.occurred_at, i.started_at)) AS start_us,
    coalesce(epoch_us(coalesce(i.mitigated_at, i.resolved_at, i.closed_at)), epoch_us(run.as_of)) AS end_us,
    coalesce(i.mitigated_at, i.resolved_at, i.closed_at) IS NULL AS is_open,
    i.affected_users
FROM mart.incidents AS i
CROSS JOIN config.run AS run
WHERE i.duplicate_of IS NULL AND i.kind = 'incident' AND epoch_us(coalesce(i.occurred_at, i.started_at)) < epoch_us(run.as_of)
