/*
description = """History of custom records in the common shape: their stamps as fields, and their timelines. An entry that says
the same as another one is the same event."""
like = "staging.events"
yields = "events"
not_null = ["source", "external_id", "event_id", "event_type"]
unique = [["source", "external_id", "event_id"]]

[columns]
source = "the account"
external_id = "the record's own id"
event_id = "the record's id and the field, or what the timeline entry says"
event_type = "="
vendor_type = "the word in the record"
happened_at = "="
actor = "="
notes = "text of a timeline entry"
provenance = "field, api (timeline) or derived (a note)"
landed_in = "landing file, then file and line of the import"
*/
WITH fields AS (
    SELECT external_id, landed_in, unnest([
        {'vendor_type': 'occurred_at', 'happened_at': occurred_at},
        {'vendor_type': 'detected_at', 'happened_at': detected_at},
        {'vendor_type': 'acknowledged_at', 'happened_at': acknowledged_at},
        {'vendor_type': 'investigating_at', 'happened_at': investigating_at},
        {'vendor_type': 'root_cause_found_at', 'happened_at': root_cause_found_at},
        {'vendor_type': 'mitigated_at', 'happened_at': mitigated_at},
        {'vendor_type': 'resolved_at', 'happened_at': resolved_at},
        {'vendor_type': 'closed_at', 'happened_at': closed_at}
    ]) AS stamp
    FROM raw.${source}_records
),
entries AS (
    SELECT DISTINCT
        external_id, external_id || '/' || content_id([entry.event_type, epoch_us(entry.happened_at)::VARCHAR, entry.actor, entry.notes]) AS event_id, entry.event_type AS vendor_type,
        entry.happened_at, entry.actor, entry.notes, landed_in
    FROM (SELECT external_id, landed_in, unnest(timeline) AS entry FROM raw.${source}_records)
),
everything AS (
    SELECT
        external_id, external_id || '/field/' || stamp.vendor_type AS event_id,
        replace(stamp.vendor_type, '_at', '') AS event_type, stamp.vendor_type, stamp.happened_at, 'field' AS provenance,
        landed_in
    FROM fields
    WHERE stamp.happened_at IS NOT NULL
    UNION ALL BY NAME
    SELECT
        external_id, event_id,
        CASE WHEN vendor_type IN (
            'occurred', 'detected', 'acknowledged', 'investigating', 'root_cause_found', 'mitigated', 'resolved', 'closed',
            'reopened', 'unacknowledged', 'snoozed', 'merged', 'severity_changed', 'note', 'paused'
        ) THEN vendor_type ELSE 'other' END AS event_type,
        vendor_type, happened_at, actor, notes, 'api' AS provenance, landed_in
    FROM entries
    UNION ALL BY NAME
    SELECT
        e.external_id, e.event_id || '/' || mark.event_type AS event_id, mark.event_type, e.vendor_type, e.happened_at, e.actor,
        e.notes, 'derived' AS provenance, e.landed_in
    FROM entries AS e
    JOIN config.marks AS mark ON mark.source = '${source}' AND starts_with_any(e.notes, mark.marks) AND e.vendor_type <> mark.event_type
)
SELECT
    '${source}' AS source, external_id, event_id, event_type, vendor_type, happened_at, actor, notes,
    provenance, landed_in
FROM everything
