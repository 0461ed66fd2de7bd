/*
description = """How long users were down in each incident: from the instant it occurred, else started_at (detected, else its first
stamp), to the instant it was mitigated, else resolved, else closed; up to as_of while there is none of them. An end before the
start is invalid."""
not_null = ["service_id", "start_us", "end_us", "is_open"]

[columns]
service_id = "member_id of its service"
start_us = "microseconds since 1970 at which users went down"
end_us = "microseconds since 1970 at which they had service again, or as_of"
is_open = "no end is known: down until as_of"
affected_users = "users affected, NULL when unknown"
*/
WITH run AS (
    SELECT epoch_us(as_of) AS as_of_us FROM config.run
)
SELECT
    i.service_id,
    coalesce(i.occurred_us, i.started_us) AS start_us,
    coalesce(i.mitigated_us, i.resolved_us, i.closed_us, run.as_of_us) AS end_us,
    coalesce(i.mitigated_us, i.resolved_us, i.closed_us) IS NULL AS is_open,
    i.affected_users
FROM facts.matched AS i
JOIN run ON coalesce(i.occurred_us, i.started_us) < run.as_of_us
