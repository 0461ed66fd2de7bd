/*
description = """The histories of issues of error trackers that are records of incidents, one row per event: the begins and ends of their episodes, and
what people did. A note that starts with a mark of its source gives the stamp."""
like = "staging.events"
not_null = ["source", "external_id", "event_id", "event_type"]

[columns]
source = "="
external_id = "="
event_id = "="
event_type = "="
vendor_type = "what it is in error_events, or first seen"
happened_at = "="
actor_kind = "="
provenance = "="
is_routine = "="
landed_in = "="
*/
SELECT p.source, p.external_id, 'begin ' || p.episode AS event_id, CASE WHEN p.episode = 1 THEN 'detected' ELSE 'reopened' END AS event_type,
    p.began_by AS vendor_type, p.began_at AS happened_at, NULL AS actor_kind, 'api' AS provenance, false AS is_routine, r.landed_in
FROM core.error_episodes AS p
JOIN core.error_records AS r ON r.source = p.source AND r.external_id = p.external_id
UNION ALL
SELECT p.source, p.external_id, 'end ' || p.episode, 'resolved', 'resolved', p.resolved_at, p.resolved_by, p.resolved_provenance, false, r.landed_in
FROM core.error_episodes AS p
JOIN core.error_records AS r ON r.source = p.source AND r.external_id = p.external_id
WHERE p.resolved_at IS NOT NULL
UNION ALL
SELECT h.source, h.external_id, coalesce(h.event_id, content_id([h.event_type, epoch_us(h.happened_at)::VARCHAR, h.notes])),
    CASE
        WHEN h.event_type = 'acknowledged' THEN 'acknowledged'
        WHEN m.event_type IS NOT NULL THEN m.event_type
        WHEN h.event_type = 'archived' THEN 'paused'
        ELSE 'note'
    END,
    h.event_type, h.happened_at, h.actor_kind, CASE WHEN m.event_type IS NOT NULL THEN 'derived' ELSE h.provenance END, true, h.landed_in
FROM staging.error_events AS h
JOIN core.error_records AS r ON r.source = h.source AND r.external_id = h.external_id
LEFT JOIN config.marks AS m ON m.source = h.source AND h.event_type = 'note' AND starts_with_any(h.notes, m.marks)
WHERE h.event_type NOT IN ('regression', 'reopened', 'resolved')
