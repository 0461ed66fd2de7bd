/*
description = """Who was called to an incident, where the vendor keeps that on the record: the Responders of Jira Service Management
incidents, and the users, teams, schedules and escalations that a JSM Operations alert was routed to."""
not_null = ["incident_id", "source", "external_id", "responder"]
unique = [["source", "external_id", "responder"]]

[columns]
incident_id = "incident that the record is counted under"
source = "jira or jsm"
external_id = "the vendor's immutable id of the record"
responder = "name, else the vendor's id"
kind = "user, team, schedule or escalation; NULL when nothing says it"
*/
WITH named AS (
    SELECT 'jira' AS source, external_id, responder, kind FROM staging.jira_responders
    UNION ALL
    SELECT 'jsm', a.external_id, coalesce(t.name, text_or_null(a.r.id)), lower(a.r.type)
    FROM (SELECT external_id, unnest(responders) AS r FROM raw.jsm_alerts) AS a
    LEFT JOIN raw.jsm_teams AS t ON t.external_id = a.r.id
)
SELECT l.incident_id, l.source, n.external_id, n.responder, min(n.kind) AS kind
FROM named AS n
JOIN mart.incident_sources AS l ON l.source = n.source AND l.external_id = n.external_id
WHERE n.responder IS NOT NULL
GROUP BY ALL
ORDER BY l.source, n.external_id, n.responder
