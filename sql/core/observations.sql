/*
description = """What survival statistics see: every incident that could be observed under a variant, in numbers only. Outliers
are in, open incidents and resolves by a timeout are censored."""
not_null = ["calculation_type", "severity_id", "service_id", "team_id", "started_us", "observed_us", "is_event"]

[assert]
not_negative = "observed_us >= 0"

[columns]
calculation_type = "variant"
severity_id = "member_id of its severity in scope_members"
service_id = "member_id of its service"
team_id = "member_id of its team"
started_us = "microseconds since 1970 of the instant that decides the window"
observed_us = "microseconds it was observed: the duration, or until as_of while open"
is_event = "whether the observation ended in a recovery; otherwise it is censored"
*/
SELECT
    p.calculation_type,
    severity.member_id AS severity_id,
    service.member_id AS service_id,
    team.member_id AS team_id,
    p.started_us,
    p.observed_us,
    p.is_event
FROM core.population AS p
JOIN core.scope_members AS severity ON severity.scope = 'severity' AND severity.scope_value = p.severity
JOIN core.scope_members AS service ON service.scope = 'service' AND service.scope_value = p.service
JOIN core.scope_members AS team ON team.scope = 'team' AND team.scope_value = p.team
WHERE p.observed_us IS NOT NULL
