/*
description = "Notes that responders wrote on JSM Operations alerts."
view = true

[columns]
external_id = "id of the alert"
event_id = "id of the alert and the note"
happened_at = "when it was written"
actor = "who wrote it"
actor_kind = "human or integration"
notes = "text"
landed_in = "landing file"
*/
SELECT
    n.alert_id AS external_id, n.alert_id || '/note/' || n.entry_id AS event_id, n.created_at AS happened_at,
    n.owner AS actor,
    CASE WHEN n.owner IS NULL OR lower(n.owner) IN ('system', 'api', lower(a.integration_name)) THEN 'integration'
        ELSE 'human' END AS actor_kind,
    n.note AS notes, n.landed_in
FROM raw.${source}_alert_notes AS n
JOIN raw.${source}_alerts AS a ON a.external_id = n.alert_id
