/*
description = """History of Opsgenie incidents in the common shape, from their timelines. An acknowledgement counts when a person
gave it: the resolve makes the API acknowledge the responder alerts that are left, and the system acts under a user called
System. impactStartDate and impactEndDate are fields that people edit. updatedAt is no resolution instant; a resolved
incident whose timeline says nothing of it is resolved at impactEndDate, which the resolve sets."""
like = "staging.events"
yields = "events"
not_null = ["source", "external_id", "event_id", "event_type"]
unique = [["source", "external_id", "event_id"]]

[columns]
source = "the account, with _incident"
external_id = "Opsgenie id of the incident"
event_id = "id of the incident and the timeline entry, note or field"
event_type = "="
vendor_type = "type of the timeline entry, or the field"
happened_at = "="
actor = "="
actor_kind = "human or integration"
notes = "text of a note or timeline entry"
provenance = "api, field or derived"
is_routine = "="
landed_in = "="
*/
WITH entries AS (
    SELECT
        t.incident_id AS external_id, t.incident_id || '/timeline/' || t.entry_id AS event_id, t.entry_type AS vendor_type,
        t.created_at AS happened_at, t.actor_name AS actor,
        CASE WHEN t.actor_type = 'user' AND coalesce(lower(t.actor_name) <> 'system', true) THEN 'human'
            WHEN coalesce(t.actor_type, t.actor_name) IS NOT NULL THEN 'integration' END AS actor_kind,
        t.title AS notes, t.landed_in
    FROM raw.${source}_incident_timelines AS t
    JOIN raw.${source}_incidents AS i ON i.external_id = t.incident_id
),
told AS (
    SELECT
        *,
        CASE
            WHEN lower(vendor_type) = 'incidentresolved' THEN 'resolved'
            WHEN lower(vendor_type) = 'incidentclosed' THEN 'closed'
            WHEN lower(vendor_type) = 'incidentreopened' THEN 'reopened'
            WHEN regexp_matches(vendor_type, 'unack', 'i') AND actor_kind = 'human' THEN 'unacknowledged'
            WHEN regexp_matches(vendor_type, '(acked|acknowledged)$', 'i') AND actor_kind = 'human' THEN 'acknowledged'
            ELSE 'other'
        END AS event_type,
        'api' AS provenance
    FROM entries
),
ended AS (
    SELECT DISTINCT external_id FROM told WHERE event_type IN ('resolved', 'closed')
),
stamped AS (
    SELECT external_id, unnest([
        {'event_type': 'detected', 'vendor_type': 'createdAt', 'happened_at': created_at, 'provenance': 'api'},
        {'event_type': 'occurred', 'vendor_type': 'impactStartDate', 'happened_at': impact_start_at, 'provenance': 'field'},
        {'event_type': 'mitigated', 'vendor_type': 'impactEndDate', 'happened_at': impact_end_at, 'provenance': 'field'},
        {'event_type': 'resolved', 'vendor_type': 'impactEndDate', 'provenance': 'derived', 'happened_at':
            CASE WHEN status IN ('resolved', 'closed') AND external_id NOT IN (SELECT external_id FROM ended)
                THEN impact_end_at END}
    ]) AS s, landed_in
    FROM raw.${source}_incidents
),
-- What responders wrote: notes, and entries that somebody put into the timeline.
notes AS (
    SELECT
        n.incident_id AS external_id, n.incident_id || '/note/' || n.entry_id AS event_id, 'note' AS vendor_type,
        n.created_at AS happened_at, n.owner AS actor,
        CASE WHEN contains(n.owner, '@') THEN 'human' WHEN n.owner IS NOT NULL THEN 'integration' END AS actor_kind,
        n.note AS notes, n.landed_in
    FROM raw.${source}_incident_notes AS n
    JOIN raw.${source}_incidents AS i ON i.external_id = n.incident_id
),
everything AS (
    SELECT * FROM told
    UNION ALL BY NAME
    SELECT
        external_id, external_id || '/' || s.event_type AS event_id, s.event_type, s.vendor_type, s.happened_at, s.provenance,
        landed_in
    FROM stamped
    WHERE s.happened_at IS NOT NULL
    UNION ALL BY NAME SELECT *, 'note' AS event_type, 'api' AS provenance FROM notes
    UNION ALL BY NAME
    SELECT n.* REPLACE (n.event_id || '/' || mark.event_type AS event_id), mark.event_type, 'derived' AS provenance
    FROM (SELECT * FROM notes UNION ALL BY NAME SELECT * FROM entries) AS n
    JOIN config.marks AS mark ON mark.source = '${source}' AND starts_with_any(n.notes, mark.marks)
)
SELECT
    '${source}_incident' AS source, external_id, event_id, event_type, vendor_type, happened_at, actor, actor_kind, notes,
    provenance,
    CASE WHEN event_type = 'other' THEN opsgenie_incident_is_routine(vendor_type) END AS is_routine, landed_in
FROM everything
