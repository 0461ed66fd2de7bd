/*
description = """Received PagerDuty events that count: those after the instant up to which the pulls know everything. Up to there the
pulls are right, whatever was received; where nothing was ever pulled, every event counts."""
like = "raw.${source}_inbox"
not_null = ["event_id", "external_id", "entry_type", "happened_at"]
unique = [["event_id"]]

[columns]
event_id = "id of the event"
external_id = "PagerDuty id of the incident"
entry_type = "what a log entry about it is called, such as acknowledge; other types as the event names them"
happened_at = "when it happened"
agent_type = "kind of agent: user, service, ..."
agent_name = "="
is_snapshot = "whether the body shows the incident as it was after the event; a stamp in the future shows nothing"
incident_number = "="
title = "="
html_url = "="
status = "status after the event"
urgency = "="
priority_id = "="
priority_name = "="
service_id = "="
service_name = "="
team_id = "="
team_name = "="
incident_key = "="
created_at = "="
merged_into = "="
note = "="
landed_in = "="
*/
SELECT
    r.event_id,
    r.external_id,
    CASE r.event_type
        WHEN 'incident.triggered' THEN 'trigger'
        WHEN 'incident.acknowledged' THEN 'acknowledge'
        WHEN 'incident.unacknowledged' THEN 'unacknowledge'
        WHEN 'incident.resolved' THEN 'resolve'
        WHEN 'incident.reopened' THEN 'reopen'
        WHEN 'incident.escalated' THEN 'escalate'
        WHEN 'incident.delegated' THEN 'delegate'
        WHEN 'incident.reassigned' THEN 'assign'
        WHEN 'incident.annotated' THEN 'annotate'
        WHEN 'incident.status_update_published' THEN 'status_update'
        WHEN 'incident.priority_updated' THEN 'priority_change'
        WHEN 'incident.service_updated' THEN 'service_change'
        ELSE regexp_replace(r.event_type, '^incident\.', '')
    END AS entry_type,
    r.happened_at,
    r.agent_type,
    r.agent_name,
    r.is_snapshot AND r.happened_at <= run.as_of + INTERVAL 5 MINUTE AS is_snapshot,
    r.incident_number, r.title, r.html_url, r.status, r.urgency, r.priority_id, r.priority_name, r.service_id, r.service_name,
    r.team_id, r.team_name, r.incident_key, r.created_at, r.merged_into, r.note, r.landed_in
FROM raw.${source}_inbox AS r
CROSS JOIN config.run AS run
CROSS JOIN (SELECT max(data_as_of) AS known_until FROM ops.attempts WHERE source = '${source}') AS pulled
WHERE r.external_id IS NOT NULL AND coalesce(r.happened_at > pulled.known_until, true)
