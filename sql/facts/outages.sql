/*
description = """How long users were down in each incident: from occurred_at, else started_at, to mitigated_at, else resolved_at, else
closed_at. An open incident without any of these is down until as_of. One that is over at an unknown time is left out: its outage
has no known length. An end before the start is invalid."""
like = "facts.matched"
not_null = ["service_id", "start_us", "end_us", "is_open"]

[columns]
service_id = "="
start_us = "start of the outage, in microseconds since 1970"
end_us = "end of the outage, or as_of, in microseconds since 1970"
is_open = "the outage has no end yet: down until as_of"
affected_users = "="
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
    AND NOT (i.is_over AND coalesce(i.mitigated_us, i.resolved_us, i.closed_us) IS NULL)
