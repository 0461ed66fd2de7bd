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
*/
WITH weights AS (
    SELECT severity.member_id AS severity_id, service.member_id AS service_id, w.service IS NULL AS is_general, w.weight
    FROM core.downtime_weights AS w
    JOIN core.scope_members AS severity ON severity.scope = 'severity' AND severity.scope_value = w.severity
    LEFT JOIN core.scope_members AS service ON service.scope = 'service' AND service.scope_value = w.service
),
ends AS (
    SELECT
        i.incident_no, i.severity_id, i.service_id, i.is_noise, i.affected_users,
        coalesce(i.occurred_us, i.started_us) AS start_us,
        coalesce(i.mitigated_us, i.resolved_us, i.closed_us) AS known_us,
        i.is_abandoned AND known_us IS NULL AS is_abandoned,
        known_us IS NULL AND NOT i.is_abandoned AND NOT i.is_over AS is_open,
        i.last_event_us
    FROM facts.matched AS i
)
SELECT
    e.incident_no,
    e.service_id,
    e.start_us,
    coalesce(e.known_us, CASE WHEN e.is_open THEN run.as_of_us ELSE greatest(e.last_event_us, e.start_us) END) AS end_us,
    e.is_open,
    e.is_abandoned,
    CASE WHEN e.is_noise AND NOT run.count_noise THEN 0 ELSE coalesce(own.weight, general.weight) END::USMALLINT AS weight,
    e.affected_users
FROM ends AS e
JOIN (SELECT epoch_us(as_of) AS as_of_us, count_noise FROM config.run) AS run ON e.start_us < run.as_of_us
JOIN weights AS general ON general.severity_id = e.severity_id AND general.is_general
LEFT JOIN weights AS own ON own.severity_id = e.severity_id AND own.service_id = e.service_id AND NOT own.is_general
