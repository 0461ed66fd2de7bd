/*
description = """Every matched incident against its own target: that of its service for its severity, else that of its severity.
Judged on the time from detected to resolved, outliers included; an open incident older than its target has missed it. All
comparisons are of whole microseconds."""
not_null = ["incident_id", "severity", "service", "team", "started_us", "outcome"]
unique = [["incident_id"]]

[assert]
known_outcome = "outcome IN ('within', 'at_risk', 'late', 'open_breached', 'pending', 'no_target', 'not_measured')"

[columns]
incident_id = "incident"
severity = "SEV1..SEV4"
service = "service, unknown when there is none"
team = "team, unknown when there is none"
started_us = "microseconds since 1970 of the instant that decides the window"
target_minutes = "target of the incident; NULL when it has none"
target_us = "the same, exact"
duration_us = "detected to resolved; NULL while open or when it cannot be measured"
actual_us = "the duration, or the age at as_of while open"
outcome = "within (at most at_risk_pct of the target used), at_risk (more, but in time), late, open_breached (open and older than the target), pending (open, still in time), no_target or not_measured (a stamp is missing or resolved lies before detected)"
*/
SELECT
    p.incident_id,
    p.severity,
    p.service,
    p.team,
    p.started_us,
    coalesce(own.target_minutes, general.target_minutes) AS target_minutes,
    coalesce(own.target_us, general.target_us) AS target_us,
    p.duration_us,
    coalesce(p.duration_us, CASE WHEN p.population = 'open' THEN p.observed_us END) AS actual_us,
    CASE
        WHEN p.population NOT IN ('analysed', 'outlier', 'open') THEN 'not_measured'
        WHEN coalesce(own.target_us, general.target_us) IS NULL THEN 'no_target'
        WHEN p.population = 'open' AND p.observed_us > coalesce(own.target_us, general.target_us) THEN 'open_breached'
        WHEN p.population = 'open' THEN 'pending'
        WHEN p.duration_us > coalesce(own.target_us, general.target_us) THEN 'late'
        WHEN p.duration_us > coalesce(own.at_risk_us, general.at_risk_us) THEN 'at_risk'
        ELSE 'within'
    END AS outcome
FROM core.population AS p
LEFT JOIN core.targets AS own ON own.severity = p.severity AND own.service = p.service
LEFT JOIN core.targets AS general ON general.severity = p.severity AND general.service IS NULL
WHERE p.calculation_type = 'basic'
