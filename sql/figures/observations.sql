/*
description = """What survival statistics see: every incident that could be observed under a variant, in numbers only. Outliers
are in, open incidents and resolves by a timeout are censored."""
view = true
not_null = ["calculation_type", "severity_id", "service_id", "team_id", "started_us", "observed_us", "is_event"]

[assert]
not_negative = "observed_us >= 0"

[columns]
calculation_type = "variant"
severity_id = "member_id of its severity in scope_members"
service_id = "member_id of its service"
team_id = "member_id of its team"
started_us = "microseconds since 1970 of the instant that decides the window"
observed_us = "microseconds it was observed: the duration, until the timeout, or until as_of while open"
is_event = "whether the observation ended in a recovery; otherwise it is censored"
*/
SELECT calculation_type, severity_id, service_id, team_id, started_us, coalesce(timeout_us, observed_us) AS observed_us, is_event
FROM facts.population
WHERE observed_us IS NOT NULL
