/*
description = """Every matched incident and its target: that of its service for its severity, else that of its severity. The outcome depends
on the time from detected to resolved, outliers included. An open incident older than its target has missed it. All comparisons are of
whole microseconds."""
view = true
like = "facts.matched"
not_null = ["incident_no", "severity_id", "service_id", "team_id", "started_us", "outcome"]

[assert]
known_outcome = "outcome IN ('within', 'at_risk', 'late', 'open_breached', 'pending', 'no_target', 'not_measured')"

[columns]
incident_no = "incident, as in facts.matched"
severity_id = "="
service_id = "="
team_id = "="
started_us = "="
target_minutes = "target of the incident; NULL without one"
target_us = "target_minutes in microseconds"
duration_us = "detected to resolved; NULL while open or when it cannot be measured"
actual_us = "the duration, or the age at as_of while open"
outcome = "within (at most at_risk_pct of the target used), at_risk (more, but in time), late, open_breached (open and older than the target), pending (open and in time), no_target or not_measured (a stamp is missing, or the resolve is before the detection)"
*/
WITH limits AS ( -- one row per severity and service that have an incident
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
