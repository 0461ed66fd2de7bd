/*
description = """Every event of every source once, with its place among events of the same instant, and the reason why it is
set aside before the fold, if it is. The fold (timeline, episodes) knows nothing but these rows."""
not_null = ["source", "external_id", "event_id", "event_type", "rank"]
unique = [["source", "external_id", "event_id"]]

[columns]
source = "source of the record"
external_id = "record it belongs to"
event_id = "the vendor's id of the event, or one derived from what it says"
event_type = "event of the incident model; other, note, paused and the like set no stamp"
vendor_type = "the vendor's word for it"
happened_at = "UTC"
rank = "order among events of one instant: occurred 0 .. reopened 8, 9 for those that set no stamp; -1 for a reopen that is only inferred from what was done at that instant"
actor = "who did it"
actor_kind = "human, integration or timeout"
notes = "text of a note"
provenance = "api, changelog, field or derived"
severity_from = "severity before a change"
severity_to = "severity after a change"
is_routine = "of type `other`, and known to say nothing about the life of an incident"
is_copied = "whether an integration copied it from another tool"
set_aside = "why the fold does not see it: `after as_of` (more than 5 minutes after the clock of the run, yet not after the newest landed data: the report is about the past), future (more than 5 minutes after both), before 2000, or no record; NULL when the fold sees it"
landed_in = "landing file"
*/
-- Few keys occur twice, and only their rows have to be put in order.
WITH given AS NOT MATERIALIZED (
    FROM staging.events UNION ALL BY NAME FROM core.error_record_events
),
repeated AS (
    SELECT source, external_id, event_id FROM given GROUP BY ALL HAVING count(*) > 1
),
once AS (
    SELECT e.* FROM given AS e ANTI JOIN repeated AS r USING (source, external_id, event_id)
),
numbered AS (
    SELECT e.*, row_number() OVER (
        PARTITION BY source, external_id, event_id ORDER BY happened_at, event_type, landed_in) AS repeat_number
    FROM given AS e SEMI JOIN repeated AS r USING (source, external_id, event_id)
),
events AS (
    SELECT * FROM once UNION ALL SELECT * EXCLUDE (repeat_number) FROM numbered WHERE repeat_number = 1
)
SELECT
    e.source,
    e.external_id,
    e.event_id,
    e.event_type,
    e.vendor_type,
    e.happened_at,
    CASE
        WHEN e.event_type = 'reopened' AND e.provenance = 'derived' THEN -1
        ELSE coalesce(list_position(['occurred', 'detected', 'acknowledged', 'investigating', 'root_cause_found', 'mitigated',
            'resolved', 'closed', 'reopened'], e.event_type) - 1, 9)
    END AS rank,
    e.actor,
    e.actor_kind,
    e.notes,
    e.provenance,
    e.severity_from,
    e.severity_to,
    coalesce(e.is_routine, false) AS is_routine,
    coalesce(e.is_copied, false) AS is_copied,
    CASE
        WHEN r.external_id IS NULL THEN 'no record'
        WHEN e.happened_at IS NULL OR e.happened_at < TIMESTAMP '2000-01-01' THEN 'before 2000'
        WHEN e.happened_at > greatest(run.as_of, coalesce(newest.landed_at, run.as_of)) + INTERVAL 5 MINUTE THEN 'future'
        WHEN e.happened_at > run.as_of + INTERVAL 5 MINUTE THEN 'after as_of'
    END AS set_aside,
    e.landed_in
FROM events AS e
CROSS JOIN config.run AS run
CROSS JOIN (SELECT max(coalesce(finished_at, started_at)) AS landed_at FROM ops.attempts) AS newest
LEFT JOIN core.vendor_records AS r ON r.source = e.source AND r.external_id = e.external_id
