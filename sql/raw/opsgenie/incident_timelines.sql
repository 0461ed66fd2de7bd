/*
description = """Timeline entries of Opsgenie incidents: where resolve, close and acknowledgement come from. Entries that the
resolve itself fires carry an actor of type api (seen in recorded answers of /v2/incident-timelines)."""
key = ["incident_id", "entry_id"]

[columns]
incident_id = "incident it belongs to"
entry_id = "id of the entry"
entry_type = "type, such as IncidentResolved or ResponderAlertAcked"
title = "text shown to people"
actor_name = "who did it"
actor_type = "user, api, ..."
created_at = "when it happened"
reject_reason = "why the record cannot be used"
landed_in = "landing file"
*/
SELECT
    parent_id AS incident_id,
    coalesce(
        text_or_null(record.id),
        content_id([record.type, record.eventTime, record.actor.name, record.actor.type, record.title.content])
    ) AS entry_id,
    text_or_null(record.type) AS entry_type,
    text_or_null(record.title.content) AS title,
    text_or_null(record.actor.name) AS actor_name,
    lower(text_or_null(record.actor.type)) AS actor_type,
    instant(record.eventTime, zone) AS created_at,
    CASE
        WHEN text_or_null(parent_id) IS NULL THEN 'no incident'
        ELSE instant_problem('eventTime', record.eventTime, instant(record.eventTime, zone))
    END AS reject_reason,
    landed_in
FROM landed({
    parent_id: 'VARCHAR',
    record: 'STRUCT(id VARCHAR, "type" VARCHAR, eventTime VARCHAR, actor STRUCT("name" VARCHAR, "type" VARCHAR),
        title STRUCT(content VARCHAR))'
})
CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
