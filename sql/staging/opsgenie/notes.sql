/*
description = """Notes that responders wrote on Opsgenie alerts. A received note counts unless a pulled one was written within a minute of it."""
view = true

[columns]
external_id = "Opsgenie id of the alert"
event_id = "id of the alert and the note"
happened_at = "when it was written"
actor = "who wrote it"
actor_kind = "human or integration"
notes = "text"
landed_in = "landing file"
*/
SELECT
    n.alert_id AS external_id, n.alert_id || '/note/' || n.entry_id AS event_id, n.created_at AS happened_at,
    n.owner AS actor, CASE WHEN contains(n.owner, '@') THEN 'human' WHEN n.owner IS NOT NULL THEN 'integration' END AS actor_kind,
    n.note AS notes, n.landed_in
FROM (
    SELECT alert_id, entry_id, note, owner, created_at, landed_in FROM raw.${source}_alert_notes
    UNION ALL
    SELECT r.external_id, r.delivery_id, r.note, r.actor, r.happened_at, r.landed_in
    FROM staging.${source}_received AS r
    ANTI JOIN raw.${source}_alert_notes AS p
        ON p.alert_id = r.external_id AND within_a_minute(p.created_at, r.happened_at)
    WHERE r.note IS NOT NULL
) AS n
JOIN staging.${source}_alerts AS a ON a.external_id = n.alert_id
