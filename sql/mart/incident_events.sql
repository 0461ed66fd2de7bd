/*
description = "The history that the incidents are folded from, in order within each incident."
published = true
like = "core.timeline"
not_null = ["incident_id", "source", "external_id", "event_id", "event_type", "at"]
unique = [["source", "external_id", "event_id"]]

[columns]
incident_id = "incident, or episode of an incident, that the event belongs to"
source = "="
external_id = "vendor record that the event comes from"
event_id = "="
event_type = "occurred, detected, acknowledged, investigating, root_cause_found, mitigated, resolved, closed, reopened; the others (unacknowledged, snoozed, merged, severity_changed, note, paused, still_done, contradicted, other) set no stamp"
vendor_type = "="
at = "when it happened. UTC"
actor = "who did it: the pseudonym of a person, the name of an integration"
actor_kind = "="
notes = "="
provenance = "="
*/
SELECT
    coalesce(CASE WHEN run.correlates OR m.role <> 'duplicate' THEN m.incident_id END, s.record_id) AS incident_id,
    t.source,
    t.member_id AS external_id,
    t.event_id,
    t.event_type,
    t.vendor_type,
    make_timestamptz(epoch_us(t.happened_at)) AS "at",
    CASE WHEN is_machine(t.actor_kind) THEN t.actor ELSE p.shown END AS actor,
    t.actor_kind,
    t.notes,
    t.provenance
FROM core.timeline AS t
CROSS JOIN config.run AS run
JOIN core.standalone AS s ON s.source = t.source AND s.external_id = t.record_id AND s.episode = t.episode
-- A flap by itself is not told twice.
ANTI JOIN core.flaps AS f ON f.source = t.source AND f.external_id = t.record_id
LEFT JOIN core.members AS m ON m.record_id = s.record_id
LEFT JOIN core.people AS p ON p.written = t.actor
ORDER BY incident_id, t.happened_at, t.rank, t.member_id, t.event_id
