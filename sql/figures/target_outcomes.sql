/*
description = """Every matched incident against its own target: that of its service for its severity, else that of its severity.
Judged on the time from detected to resolved, outliers included; an open incident older than its target has missed it. All
comparisons are of whole microseconds."""
view = true
not_null = ["incident_no", "severity_id", "service_id", "team_id", "started_us", "outcome"]

[assert]
known_outcome = "outcome IN ('within', 'at_risk', 'late', 'open_breached', 'pending', 'no_target', 'not_measured')"

[columns]
incident_no = "incident, as in matched"
severity_id = "member_id of its severity in scope_members"
service_id = "member_id of its service"
team_id = "member_id of its team"
started_us = "microseconds since 1970 of the instant that decides the window"
target_minutes = "target of the incident; NULL when it has none"
target_us = "the same, exact"
duration_us = "detected to resolved; NULL while open or when it cannot be measured"
actual_us = "the duration, or the age at as_of while open"
outcome = "within (at most at_risk_pct of the target used), at_risk (more, but in time), late, open_breached (open and older than the target), pending (open, still in time), no_target or not_measured (a stamp is missing or resolved lies before detected)"
*/
WITH limits AS ( -- of every severity and service that are there
    SELECT
        severity.member_id AS severity_id,
        service.member_id AS service_id,
        coalesce(own.target_minutes, general.target_minutes) AS target_minutes,
        coalesce(own.target_us, general.target_us) AS target_us,
        coalesce(own.at_risk_us, general.at_risk_us) AS at_risk_us
    FROM core.scope_members AS severity
    JOIN core.scope_members AS service ON service.scope = 'service'
    LEFT JOIN core.targets AS own ON own.severity = severity.scope_value AND own.service = service.scope_value
    LEFT JOIN core.targets AS general ON general.severity = severity.scope_value AND general.service IS NULL
    WHERE severity.scope = 'severity'
)
SELECT
    p.incident_no,
    p.severity_id,
    p.service_id,
    p.team_id,
    p.started_us,
    t.target_minutes,
    t.target_us,
    CASE WHEN p.population <> 'open' THEN p.observed_us END AS duration_us,
    p.observed_us AS actual_us,
    CASE
        WHEN p.population NOT IN ('analysed', 'outlier', 'open') THEN 'not_measured'
        WHEN t.target_us IS NULL THEN 'no_target'
        WHEN p.population = 'open' AND p.observed_us > t.target_us THEN 'open_breached'
        WHEN p.population = 'open' THEN 'pending'
        WHEN p.observed_us > t.target_us THEN 'late'
        WHEN p.observed_us > t.at_risk_us THEN 'at_risk'
        ELSE 'within'
    END AS outcome
FROM facts.population AS p
JOIN limits AS t ON t.severity_id = p.severity_id AND t.service_id = p.service_id
WHERE p.calculation_type = 'basic'
