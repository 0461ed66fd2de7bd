/*
description = """PagerDuty history in the common shape. detected is created_at: a trigger log entry up to a minute earlier
does not move it. acknowledged and resolved are log entries; resolved_at stands in where the resolve entry is missing. A
reopen is taken from an entry that says so, else from activity after a resolve (PUT on a resolved incident reopens it since
2025-09; its log-entry type is not documented), else from an open status after the last resolve. Activity after the last resolve of
an incident that is resolved at the vendor is no reopen: a grouped alert is logged late. A received event counts as a
log entry, unless a pulled entry says the same within a minute."""
like = "staging.events"
yields = "events"
not_null = ["source", "external_id", "event_id", "event_type"]

[columns]
source = "the account"
external_id = "PagerDuty id of the incident"
event_id = "id of the log entry, or the incident's id and the field it was derived from"
event_type = "event of the incident model; `contradicted` (activity that would be a reopen, were the incident not resolved at the vendor) sets no stamp"
vendor_type = "the vendor's word for it"
happened_at = "="
actor = "who did it; of a notification who was notified"
actor_kind = "="
notes = "="
provenance = "api, field or derived"
severity_from = "severity before a change of priority"
severity_to = "="
is_routine = "="
landed_in = "="
*/
WITH history AS (
    SELECT external_id, incident_id, entry_type, created_at, agent_type, agent_name, channel_type, note, old_priority,
        new_priority, notified, landed_in
    FROM raw.${source}_log_entries
    UNION ALL
    SELECT r.event_id, r.external_id, r.entry_type, r.happened_at, r.agent_type, r.agent_name, NULL, r.note, NULL,
        CASE WHEN r.entry_type = 'priority_change' THEN r.priority_name END, NULL, r.landed_in
    FROM staging.${source}_received AS r
    ANTI JOIN raw.${source}_log_entries AS p
        ON p.incident_id = r.external_id AND p.entry_type = r.entry_type AND within_a_minute(p.created_at, r.happened_at)
),
entries AS (
    SELECT
        e.*,
        CASE e.entry_type
            WHEN 'acknowledge' THEN 'acknowledged'
            WHEN 'unacknowledge' THEN 'unacknowledged'
            WHEN 'resolve' THEN 'resolved'
            WHEN 'reopen' THEN 'reopened'
            WHEN 'snooze' THEN 'snoozed'
            WHEN 'merge' THEN 'merged'
            WHEN 'annotate' THEN 'note'
            WHEN 'status_update' THEN 'note'
            WHEN 'priority_change' THEN 'severity_changed'
            WHEN 'urgency_change' THEN 'severity_changed'
            WHEN 'notify' THEN 'notified'
            WHEN 'assign' THEN 'assigned'
            WHEN 'reassign' THEN 'assigned'
            WHEN 'delegate' THEN 'assigned'
            WHEN 'escalate' THEN 'assigned'
            ELSE 'other'
        END AS event_type,
        CASE
            WHEN e.channel_type = 'timeout' THEN 'timeout'
            WHEN e.agent_type = 'user' THEN 'human'
            WHEN e.agent_type IS NOT NULL THEN 'integration'
        END AS actor_kind
    FROM history AS e
),
last_resolve AS (
    SELECT incident_id, max(created_at) AS happened_at
    FROM entries
    WHERE event_type = 'resolved'
    GROUP BY incident_id
),
first_resolve AS (
    SELECT incident_id, min(created_at) AS happened_at
    FROM entries
    WHERE event_type = 'resolved'
    GROUP BY incident_id
),
told AS (
    SELECT
        incident_id AS external_id, external_id AS event_id, event_type, entry_type AS vendor_type, created_at AS happened_at,
        coalesce(notified, agent_name) AS actor, CASE WHEN notified IS NOT NULL THEN 'human' ELSE actor_kind END AS actor_kind,
        note AS notes, 'api' AS provenance, old.severity AS severity_from, new.severity AS severity_to, landed_in
    FROM entries
    LEFT JOIN config.severities AS old ON old.source = '${source}' AND old.word = normalized(entries.old_priority)
    LEFT JOIN config.severities AS new ON new.source = '${source}' AND new.word = normalized(entries.new_priority)
),
noted AS (
    SELECT
        e.incident_id AS external_id, e.external_id || '/' || mark.event_type AS event_id, mark.event_type,
        e.entry_type AS vendor_type, e.created_at AS happened_at, e.agent_name AS actor, e.actor_kind, e.note AS notes,
        'derived' AS provenance, e.landed_in
    FROM entries AS e
    JOIN config.marks AS mark ON mark.source = '${source}' AND starts_with_any(e.note, mark.marks)
    WHERE e.event_type = 'note'
),
created AS (
    SELECT
        external_id, external_id || '/created' AS event_id, 'detected' AS event_type, 'created_at' AS vendor_type,
        created_at AS happened_at, 'api' AS provenance, landed_in
    FROM staging.${source}_incidents
),
-- The resolve entry may not have been read yet, or never was written: the incident's own resolved_at fills in.
resolved AS (
    SELECT
        i.external_id, i.external_id || '/resolved' AS event_id, 'resolved' AS event_type,
        CASE WHEN i.resolved_at IS NOT NULL THEN 'resolved_at' ELSE 'last_status_change_at' END AS vendor_type,
        coalesce(i.resolved_at, i.last_status_change_at) AS happened_at,
        CASE WHEN i.last_status_change_by_type LIKE 'user%' THEN 'human'
            WHEN i.last_status_change_by_type IS NOT NULL THEN 'integration' END AS actor_kind,
        CASE WHEN i.resolved_at IS NOT NULL THEN 'api' ELSE 'derived' END AS provenance, i.landed_in
    FROM staging.${source}_incidents AS i
    LEFT JOIN last_resolve AS l ON l.incident_id = i.external_id
    WHERE i.status = 'resolved'
        AND coalesce(i.resolved_at, i.last_status_change_at) IS NOT NULL
        AND (l.happened_at IS NULL OR i.resolved_at > l.happened_at + INTERVAL 60 SECOND)
),
-- When an incident that is resolved at the vendor was resolved last, by its log or by itself.
settled AS (
    SELECT i.external_id, greatest(l.happened_at, i.resolved_at, CASE WHEN l.happened_at IS NULL THEN i.last_status_change_at END) AS happened_at
    FROM staging.${source}_incidents AS i
    LEFT JOIN last_resolve AS l ON l.incident_id = i.external_id
    WHERE i.status = 'resolved'
),
reopened AS (
    SELECT
        e.incident_id AS external_id, e.external_id || '/reopened' AS event_id,
        CASE WHEN e.created_at > s.happened_at THEN 'contradicted' ELSE 'reopened' END AS event_type,
        e.entry_type AS vendor_type, e.created_at AS happened_at, e.agent_name AS actor, e.actor_kind, 'derived' AS provenance,
        e.landed_in
    FROM entries AS e
    JOIN first_resolve AS f ON f.incident_id = e.incident_id AND e.created_at > f.happened_at
    LEFT JOIN settled AS s ON s.external_id = e.incident_id
    WHERE e.entry_type IN ('acknowledge', 'unacknowledge', 'trigger')
    UNION ALL
    SELECT
        i.external_id, i.external_id || '/reopened', 'reopened', 'last_status_change_at', i.last_status_change_at,
        NULL, NULL, 'derived', i.landed_in
    FROM staging.${source}_incidents AS i
    JOIN last_resolve AS l ON l.incident_id = i.external_id AND i.last_status_change_at > l.happened_at
    WHERE i.status IN ('triggered', 'acknowledged')
),
fields AS (
    SELECT
        external_id, external_id || '/field/' || target AS event_id, replace(target, '_at', '') AS event_type,
        target AS vendor_type, instant(value, 'UTC') AS happened_at, 'field' AS provenance, landed_in
    FROM staging.${source}_fields
    WHERE target LIKE '%\_at' ESCAPE '\' AND value IS NOT NULL
),
everything AS (
    SELECT * FROM told
    UNION ALL BY NAME SELECT * FROM noted
    UNION ALL BY NAME SELECT * FROM created
    UNION ALL BY NAME SELECT * FROM resolved
    UNION ALL BY NAME SELECT * FROM reopened
    UNION ALL BY NAME SELECT * FROM fields
)
SELECT
    '${source}' AS source, external_id, event_id, event_type, vendor_type, happened_at, actor, actor_kind, notes, provenance,
    severity_from, severity_to,
    CASE WHEN event_type = 'other' THEN pagerduty_is_routine(vendor_type) END AS is_routine, landed_in
FROM everything
