/*
description = """What a JSM Operations alert and its log say happened. acknowledged and resolved are log entries; where the log has none
they are ackTime and closeTime. A closed alert without either is over at an unknown time: updatedAt moves with every later edit.
An owner in the log is a person unless it is the system, an integration or a team, and an entry without an owner says of nobody; an auto-close policy says so in the text of its entry."""
view = true

[columns]
external_id = "id of the alert"
event_id = "id of the alert and the log entry or field"
event_type = "event of the incident model; `other` sets no stamp"
vendor_type = "text of the log entry, or the field"
happened_at = "when it happened"
actor = "who did it"
actor_kind = "human, integration or timeout; NULL when nothing says it"
priorities = "priorities that the entry names, in its order"
provenance = "always api"
landed_in = "landing file"
*/
WITH alerts AS (
    SELECT a.*, t.name AS team FROM raw.${source}_alerts AS a LEFT JOIN raw.${source}_teams AS t ON t.external_id = a.team_id
),
entries AS (
    SELECT
        l.alert_id AS external_id, l.alert_id || '/log/' || l.entry_id AS event_id,
        alert_log_event(l.entry_type, l.log) AS event_type,
        coalesce(l.log, l.entry_type) AS vendor_type,
        l.created_at AS happened_at,
        l.owner AS actor,
        CASE
            WHEN regexp_matches(l.log, 'auto[- ]?close', 'i') THEN 'timeout'
            WHEN lower(l.owner) IN ('system', 'api', 'automation')
                OR lower(l.owner) IN (lower(a.integration_name), lower(a.team))
                OR regexp_matches(l.log, 'via (api|email|integration)\b', 'i') THEN 'integration'
            WHEN l.owner IS NOT NULL THEN 'human'
        END AS actor_kind,
        regexp_extract_all(upper(l.log), '\bP[1-5]\b') AS priorities,
        'api' AS provenance,
        l.landed_in
    FROM raw.${source}_alert_logs AS l
    JOIN alerts AS a ON a.external_id = l.alert_id
),
logged AS (
    SELECT external_id, bool_or(event_type = 'acknowledged') AS has_ack, bool_or(event_type = 'resolved') AS has_close
    FROM entries
    GROUP BY external_id
),
reported AS (
    SELECT external_id, external_id || '/' || event_type AS event_id, event_type, vendor_type, happened_at, provenance, landed_in
    FROM (
        SELECT external_id, 'detected' AS event_type, 'createdAt' AS vendor_type, created_at AS happened_at,
            'api' AS provenance, landed_in
        FROM alerts
        UNION ALL
        SELECT a.external_id, 'acknowledged', 'ackTime', a.acknowledged_at, 'api', a.landed_in
        FROM alerts AS a
        LEFT JOIN logged AS l ON l.external_id = a.external_id
        WHERE NOT coalesce(l.has_ack, false)
        UNION ALL
        SELECT a.external_id, 'resolved', 'closeTime', a.ended_at, 'api', a.landed_in
        FROM alerts AS a
        LEFT JOIN logged AS l ON l.external_id = a.external_id
        WHERE NOT coalesce(l.has_close, false)
    )
    WHERE happened_at IS NOT NULL
)
SELECT external_id, event_id, event_type, vendor_type, happened_at, actor, actor_kind, priorities, provenance, landed_in
FROM (SELECT * FROM entries UNION ALL BY NAME SELECT * FROM reported)
