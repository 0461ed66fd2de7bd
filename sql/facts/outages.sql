/*
description = """How long users were down in each incident: from occurred_at, else started_at, to mitigated_at, else resolved_at, else
closed_at. An open incident without any of these is down until as_of. An abandoned one, and one that is over at an unknown time, is down
until its last event. An end before the start is invalid."""
like = "facts.matched"
not_null = ["incident_no", "service_id", "start_us", "end_us", "is_open", "is_abandoned", "weight"]
unique = [["incident_no"]]

[columns]
incident_no = "="
service_id = "="
start_us = "start of the outage, in microseconds since 1970"
end_us = "end of the outage, or as_of, in microseconds since 1970"
is_open = "the outage has no end yet: down until as_of"
is_abandoned = "the incident is abandoned and nothing says when users had service again"
weight = "thousandths of the service that are down; 0 for noise, unless the configuration counts it"
affected_users = "="
revenue_impact = "="
*/
WITH weights AS (
    SELECT severity.member_id AS severity_id, service.member_id AS service_id, coalesce(own.weight, general.weight) AS weight
    FROM core.downtime_weights AS general
    JOIN core.scope_members AS severity ON severity.scope = 'severity' AND severity.scope_value = general.severity
    JOIN core.scope_members AS service ON service.scope = 'service'
    LEFT JOIN core.downtime_weights AS own ON own.severity = general.severity AND own.service = service.scope_value
    WHERE general.service IS NULL
),
run AS (
    SELECT epoch_us(as_of) AS as_of_us, count_noise FROM config.run
)
SELECT
    i.incident_no,
    i.service_id,
    coalesce(i.occurred_us, i.started_us) AS start_us,
    coalesce(i.mitigated_us, i.resolved_us, i.closed_us, CASE
        WHEN i.is_abandoned OR i.is_over THEN greatest(i.last_event_us, i.occurred_us, i.started_us)
        ELSE run.as_of_us END) AS end_us,
    i.last_event_us IS NOT NULL AND NOT i.is_abandoned AND NOT i.is_over AS is_open,
    i.last_event_us IS NOT NULL AND i.is_abandoned AS is_abandoned,
    CASE WHEN i.is_noise AND NOT run.count_noise THEN 0 ELSE w.weight END::USMALLINT AS weight,
    i.affected_users,
    i.revenue_impact
FROM facts.matched AS i
JOIN run ON coalesce(i.occurred_us, i.started_us) < run.as_of_us
JOIN weights AS w ON w.severity_id = i.severity_id AND w.service_id = i.service_id
