/*
description = """CDEvents, one row per event: an event that is delivered twice has the same id and source (CDEvents specification,
Context). Events of all types are kept."""
inbox = true
key = ["external_id"]

[columns]
external_id = "source and id of the event, which together are unique"
subject = "what it is about, such as service"
predicate = "what happened to it, such as deployed"
happened_at = "when it happened"
subject_id = "id of the subject"
environment = "id of the environment"
artifact = "package URL of what is deployed"
reject_reason = "why the event cannot be used"
landed_in = "landing file, then file and line of the inbox"
*/
WITH events AS (
    SELECT
        body, unreadable, reason, zone,
        landed_in || ' (' || file || ':' || line || ')' AS landed_in,
        text_or_null(json_text(body -> '$.context.id')) AS id,
        text_or_null(json_text(body -> '$.context.source')) AS event_source,
        string_split(lower(body ->> '$.context.type'), '.') AS parts,
        body ->> '$.context.timestamp' AS stamp,
        instant(body ->> '$.context.timestamp', zone) AS happened_at
    FROM landed({file: 'VARCHAR', line: 'BIGINT', unreadable: 'VARCHAR', reason: 'VARCHAR', body: 'JSON'})
    CROSS JOIN (SELECT time_zone AS zone FROM config.sources WHERE source = '${source}')
)
SELECT
    event_source || '#' || id AS external_id,
    parts[3] AS subject,
    parts[4] AS predicate,
    happened_at,
    json_text(body -> '$.subject.id') AS subject_id,
    coalesce(json_text(body -> '$.subject.content.environment.id'), json_text(body -> '$.subject.content.environment.name'))
        AS environment,
    json_text(body -> '$.subject.content.artifactId') AS artifact,
    CASE
        WHEN unreadable IS NOT NULL THEN unreadable_reason(reason, unreadable)
        WHEN id IS NULL THEN 'no context.id'
        WHEN event_source IS NULL THEN 'no context.source'
        ELSE instant_problem('context.timestamp', stamp, happened_at)
    END AS reject_reason,
    landed_in
FROM events
