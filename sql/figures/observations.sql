/*
description = """The observations that survival statistics use: every incident that can be observed under a variant, as numbers. Outliers
are included. Open incidents and resolves by a timeout are censored. An incident that began before the complete history of its source
is left out: those that ended before it are missing, so it would make the past look slow."""
view = true
like = "facts.population"
not_null = ["calculation_type", "incident_no", "severity_id", "service_id", "team_id", "started_us", "observed_us", "is_event"]

[assert]
not_negative = "observed_us >= 0"

[columns]
calculation_type = "="
incident_no = "="
severity_id = "="
service_id = "="
team_id = "="
started_us = "="
observed_us = "length of the observation in microseconds: the duration, the time until the timeout, or the time until as_of while open"
is_event = "whether the observation ended in a recovery; otherwise it is censored"
*/
SELECT calculation_type, incident_no, severity_id, service_id, team_id, started_us, coalesce(timeout_us, observed_us) AS observed_us,
    is_event
FROM facts.population
WHERE is_event IS NOT NULL
