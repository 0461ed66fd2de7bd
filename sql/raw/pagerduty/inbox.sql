/*
description = """Received webhook bodies of PagerDuty (v3), one row per event however often it was delivered. `data` is the incident
itself, or a note, status update, responder or the like that names it (PagerDuty developer documentation, Webhook payload)."""
like = "raw.${source}_incidents"
inbox = true
key = ["event_id"]

[columns]
event_id = "id of the event: the same in every delivery of it"
event_type = "such as incident.acknowledged; others are kept as sent"
happened_at = "occurred_at of the event"
agent_type = "kind of agent: user, service, ...; NULL where none is named"
agent_name = "name of the agent"
external_id = "id of the incident; NULL for events about something else, such as a service or a test ping"
is_snapshot = "whether the body shows the incident as it was after the event"
incident_number = "="
title = "title"
html_url = "="
status = "="
urgency = "="
priority_id = "id of the priority"
priority_name = "name of the priority"
service_id = "id of the service"
service_name = "name of the service"
team_id = "="
team_name = "name of that team"
incident_key = "dedup key"
created_at = "="
merged_into = "="
note = "text of a note or status update"
reject_reason = "why the body cannot be used"
landed_in = "landing file, then file and line of the inbox"
*/
WITH bodies AS (
    SELECT
        body -> '$.event' AS event, body -> '$.event.data' AS data, (body ->> '$.event.data.type') = 'incident' AS is_snapshot,
        unreadable, reason, zone, landed_in || ' (' || file || ':' || line || ')' AS landed_in
    FROM landed({file: 'VARCHAR', line: 'BIGINT', unreadable: 'VARCHAR', reason: 'VARCHAR', body: 'JSON'})
    CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
),
named AS (
    SELECT
        *,
        text_or_null(event ->> '$.id') AS event_id,
        lower(text_or_null(event ->> '$.event_type')) AS event_type,
        instant(event ->> '$.occurred_at', zone) AS happened_at,
        text_or_null(CASE WHEN is_snapshot THEN data ->> '$.id' ELSE data ->> '$.incident.id' END) AS external_id
    FROM bodies
)
SELECT
    event_id,
    event_type,
    happened_at,
    regexp_replace(event ->> '$.agent.type', '_reference$', '') AS agent_type,
    event ->> '$.agent.summary' AS agent_name,
    external_id,
    coalesce(is_snapshot, false) AS is_snapshot,
    data ->> '$.number' AS incident_number,
    coalesce(text_or_null(data ->> '$.title'), text_or_null(data ->> '$.summary')) AS title,
    data ->> '$.html_url' AS html_url,
    lower(data ->> '$.status') AS status,
    lower(data ->> '$.urgency') AS urgency,
    data ->> '$.priority.id' AS priority_id,
    data ->> '$.priority.summary' AS priority_name,
    data ->> '$.service.id' AS service_id,
    data ->> '$.service.summary' AS service_name,
    data ->> '$.teams[0].id' AS team_id,
    data ->> '$.teams[0].summary' AS team_name,
    text_or_null(data ->> '$.incident_key') AS incident_key,
    instant(data ->> '$.created_at', zone) AS created_at,
    CASE WHEN (data ->> '$.resolve_reason.type') = 'merge_resolve_reason' THEN data ->> '$.resolve_reason.incident.id' END
        AS merged_into,
    coalesce(text_or_null(data ->> '$.content'), text_or_null(data ->> '$.message')) AS note,
    CASE
        WHEN unreadable IS NOT NULL THEN unreadable_reason(reason, unreadable)
        WHEN event_id IS NULL THEN 'no event.id'
        WHEN event_type IS NULL THEN 'no event.event_type'
        WHEN starts_with(event_type, 'incident.') AND external_id IS NULL THEN 'no incident'
        ELSE instant_problem('occurred_at', event ->> '$.occurred_at', happened_at)
    END AS reject_reason,
    landed_in
FROM named
