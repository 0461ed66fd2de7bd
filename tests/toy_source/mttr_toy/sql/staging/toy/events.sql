/*
description = "The history of the tickets in the common shape. A ticket is detected when it is opened."
yields = "events"

[columns]
source = "the account"
external_id = "id of the ticket"
event_id = "id of the ticket, and the field or the id of the entry"
event_type = "event of the incident model; `other` sets no stamp"
vendor_type = "the action as sent, or the field"
happened_at = "when it happened"
actor = "who did it"
notes = "text of a comment"
provenance = "always api"
landed_in = "landing file"
*/
WITH entries AS (
    SELECT external_id, unnest(history) AS entry, landed_in FROM raw.${source}_tickets
)
SELECT
    '${source}' AS source,
    external_id,
    external_id || '/created' AS event_id,
    'detected' AS event_type,
    'created_at' AS vendor_type,
    created_at AS happened_at,
    NULL AS actor,
    NULL AS notes,
    'api' AS provenance,
    landed_in
FROM raw.${source}_tickets
UNION ALL
SELECT
    '${source}',
    external_id,
    external_id || '/' || coalesce(entry.id, concat(entry.action, entry.happened_at)),
    CASE entry.action
        WHEN 'taken' THEN 'acknowledged'
        WHEN 'fixed' THEN 'resolved'
        WHEN 'reopened' THEN 'reopened'
        WHEN 'commented' THEN 'note'
        ELSE 'other'
    END,
    entry.action,
    instant(entry.happened_at),
    entry.person,
    entry.comment,
    'api',
    landed_in
FROM entries
