/*
description = """History of received Alertmanager alerts in the common shape: detected when it began to fire, resolved when it ended. Nobody
acknowledges an alert there, and it ends by itself."""
yields = "events"
not_null = ["source", "external_id", "event_id", "event_type", "happened_at"]
unique = [["source", "external_id", "event_id"]]

[columns]
source = "the account"
external_id = "fingerprint of the labels and the start of firing"
event_id = "id of the alert and the field"
event_type = "detected or resolved"
vendor_type = "the field"
happened_at = "when it happened"
actor_kind = "integration for the end"
provenance = "always api"
landed_in = "landing file, then file and line of the inbox"
*/
SELECT
    '${source}' AS source, external_id, external_id || '/' || vendor_type AS event_id, event_type, vendor_type, happened_at, actor_kind, 'api' AS provenance, landed_in
FROM (
    SELECT external_id, 'detected' AS event_type, 'startsAt' AS vendor_type, starts_at AS happened_at, NULL AS actor_kind, landed_in
    FROM raw.${source}_inbox
    UNION ALL
    SELECT external_id, 'resolved', 'endsAt', ends_at, 'integration', landed_in
    FROM raw.${source}_inbox
    WHERE ends_at IS NOT NULL
)
