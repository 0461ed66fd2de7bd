/*
description = """What an Opsgenie alert and its log say happened. acknowledged and resolved are log entries; where the log has none
they are createdAt plus the report's milliseconds. A closed alert without either is over at an unknown time: updatedAt moves with
every later edit. A user's name is an address, so an owner with an @ is a person; an auto-close policy says so in the text of its
entry, and an entry without an owner says of nobody. A received
action counts as a log entry, unless a pulled one says the same within a minute."""
view = true

[columns]
external_id = "Opsgenie id of the alert"
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
WITH entries AS (
    SELECT
        l.alert_id AS external_id, l.alert_id || '/log/' || l.entry_id AS event_id,
        alert_log_event(l.entry_type, l.log) AS event_type,
        coalesce(l.log, l.entry_type) AS vendor_type,
        l.created_at AS happened_at,
        l.owner AS actor,
        CASE
            WHEN contains(l.owner, '@') THEN 'human'
            WHEN regexp_matches(l.log, 'auto[- ]?close', 'i') THEN 'timeout'
            WHEN l.owner IS NOT NULL THEN 'integration'
        END AS actor_kind,
        regexp_extract_all(upper(l.log), '\bP[1-5]\b') AS priorities,
        'api' AS provenance,
        l.landed_in
    FROM raw.${source}_alert_logs AS l
    JOIN staging.${source}_alerts AS a ON a.external_id = l.alert_id
),
-- A note comes as a note of its own, below.
received AS (
    SELECT
        r.external_id, r.external_id || '/received/' || r.delivery_id AS event_id, r.event_type, r.action AS vendor_type,
        r.happened_at, r.actor,
        CASE WHEN contains(r.actor, '@') THEN 'human' WHEN r.actor IS NOT NULL THEN 'integration' END AS actor_kind,
        list_filter([r.old_priority, r.priority], lambda p: p IS NOT NULL) AS priorities, 'api' AS provenance, r.landed_in
    FROM staging.${source}_received AS r
    ANTI JOIN entries AS e
        ON e.external_id = r.external_id AND e.event_type = r.event_type AND within_a_minute(e.happened_at, r.happened_at)
    WHERE r.action <> 'addnote'
),
history AS (
    SELECT *, false AS is_received FROM entries
    UNION ALL BY NAME
    SELECT *, true AS is_received FROM received
),
logged AS (
    SELECT external_id, bool_or(event_type = 'acknowledged' AND NOT is_received) AS has_ack,
        bool_or(event_type = 'resolved') AS has_close
    FROM history
    GROUP BY external_id
),
reported AS (
    SELECT
        a.external_id, a.external_id || '/' || event_type AS event_id, r.event_type, r.vendor_type, r.happened_at, r.actor,
        CASE WHEN contains(r.actor, '@') THEN 'human' WHEN r.actor IS NOT NULL THEN 'integration' END AS actor_kind,
        r.provenance, a.landed_in
    FROM (
        SELECT
            external_id, 'detected' AS event_type, 'createdAt' AS vendor_type, created_at AS happened_at,
            NULL AS actor, 'api' AS provenance
        FROM staging.${source}_alerts
        UNION ALL
        SELECT
            a.external_id, 'acknowledged', 'report.ackTime', TRY(a.created_at + to_milliseconds(a.ack_ms)),
            a.acknowledged_by, 'api'
        FROM staging.${source}_alerts AS a
        LEFT JOIN logged AS l ON l.external_id = a.external_id
        WHERE NOT coalesce(l.has_ack, false)
        UNION ALL
        SELECT
            a.external_id, 'resolved', 'report.closeTime', TRY(a.created_at + to_milliseconds(a.close_ms)), a.closed_by, 'api'
        FROM staging.${source}_alerts AS a
        LEFT JOIN logged AS l ON l.external_id = a.external_id
        WHERE NOT coalesce(l.has_close, false)
    ) AS r
    JOIN staging.${source}_alerts AS a ON a.external_id = r.external_id
    WHERE r.happened_at IS NOT NULL
)
SELECT external_id, event_id, event_type, vendor_type, happened_at, actor, actor_kind, priorities, provenance, landed_in
FROM (SELECT * FROM history UNION ALL BY NAME SELECT * FROM reported)
