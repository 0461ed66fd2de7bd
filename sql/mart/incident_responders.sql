/*
description = "Who was called to an incident, where the vendor keeps that on the record: users, teams, schedules and escalations."
published = true
like = "core.incident_sources"
not_null = ["incident_id", "source", "external_id", "responder"]
unique = [["source", "external_id", "responder"]]

[columns]
incident_id = "="
source = "="
external_id = "="
responder = "pseudonym of a person, else the name of the responder, else the vendor's id"
kind = "user, team, schedule or escalation; NULL when unknown"
*/
SELECT l.incident_id, l.source, n.external_id, CASE WHEN is_person(n.kind) THEN p.shown ELSE n.responder END AS responder,
    min(n.kind) AS kind
FROM staging.responders AS n
JOIN core.incident_sources AS l ON l.source = n.source AND l.external_id = n.external_id AND l.episode = 1
LEFT JOIN core.people AS p ON p.written = n.responder
WHERE n.responder IS NOT NULL
GROUP BY ALL
ORDER BY l.source, n.external_id, responder
