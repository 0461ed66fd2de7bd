/*
description = """History of received Alertmanager alerts in the common shape: detected when it began to fire, resolved when it ended. Nobody
acknowledges an alert there, and it ends by itself."""
not_null = ["source", "external_id", "event_id", "event_type", "happened_at"]
unique = [["source", "external_id", "event_id"]]

[columns]
source = "always alertmanager"
external_id = "fingerprint of the labels and the start of firing"
event_id = "id of the alert and the field"
event_type = "detected or resolved"
vendor_type = "the field"
happened_at = "when it happened"
actor = "none in this source"
actor_kind = "integration for the end"
notes = "none in this source"
provenance = "always api"
severity_from = "none in this source"
severity_to = "none in this source"
landed_in = "landing file, then file and line of the inbox"
*/
SELECT
    'alertmanager' AS source, external_id, external_id || '/' || vendor_type AS event_id, event_type, vendor_type, happened_at,
    NULL::VARCHAR AS actor, actor_kind, NULL::VARCHAR AS notes, 'api' AS provenance, NULL::VARCHAR AS severity_from,
    NULL::VARCHAR AS severity_to, landed_in
FROM (
    SELECT external_id, 'detected' AS event_type, 'startsAt' AS vendor_type, starts_at AS happened_at, NULL AS actor_kind, landed_in
    FROM raw.inbox_alertmanager
    UNION ALL
    SELECT external_id, 'resolved', 'endsAt', ends_at, 'integration', landed_in
    FROM raw.inbox_alertmanager
    WHERE ends_at IS NOT NULL
)
