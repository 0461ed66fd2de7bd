/*
description = """Who was called to an incident, where the vendor keeps that on the record: users, teams, schedules and escalations."""
published = true
not_null = ["incident_id", "source", "external_id", "responder"]
unique = [["source", "external_id", "responder"]]

[columns]
incident_id = "incident that the record is counted under"
source = "source of the record"
external_id = "the vendor's immutable id of the record"
responder = "name, else the vendor's id"
kind = "user, team, schedule or escalation; NULL when nothing says it"
*/
SELECT l.incident_id, l.source, n.external_id, n.responder, min(n.kind) AS kind
FROM staging.responders AS n
JOIN core.incident_sources AS l ON l.source = n.source AND l.external_id = n.external_id
WHERE n.responder IS NOT NULL
GROUP BY ALL
ORDER BY l.source, n.external_id, n.responder
