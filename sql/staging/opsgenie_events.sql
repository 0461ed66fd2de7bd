/*
description = """History of Opsgenie alerts in the common shape. acknowledged and resolved are log entries; where the log has
none they are createdAt plus the report's milliseconds, and updatedAt stands in for the close of an alert without either. An
alert is never reopened: a new one with the same alias comes instead. A user's name is an address, so an owner with an @ is
a person; an auto-close policy says so in the text of its entry. A received action counts as a log entry or note, unless a
pulled one says the same within a minute."""
not_null = ["source", "external_id", "event_id", "event_type"]
unique = [["source", "external_id", "event_id"]]

[columns]
source = "always opsgenie"
external_id = "Opsgenie id of the alert"
event_id = "id of the alert and the log entry, note or field"
event_type = "event of the incident model; `other` sets no stamp"
vendor_type = "text of the log entry, or the field"
happened_at = "when it happened"
actor = "who did it"
actor_kind = "human, integration or timeout"
notes = "text of a note"
provenance = "api or derived"
severity_from = "severity before a change of priority, where the text names it"
severity_to = "severity after it"
landed_in = "landing file"
*/
WITH entries AS (
    SELECT
        l.alert_id AS external_id, l.alert_id || '/log/' || l.entry_id AS event_id,
        alert_log_event(l.entry_type, l.log) AS event_type,
        coalesce(l.log, l.entry_type) AS vendor_type,
        l.created_at AS happened_at,
        l.owner AS actor,
        CASE
            WHEN contains(l.owner, '@') THEN 'human'
            WHEN regexp_matches(l.log, 'auto[- ]?close', 'i') THEN 'timeout'
            ELSE 'integration'
        END AS actor_kind,
        regexp_extract_all(upper(l.log), '\bP[1-5]\b') AS priorities,
        'api' AS provenance,
        l.landed_in
    FROM raw.opsgenie_alert_logs AS l
    JOIN staging.opsgenie_alerts AS a ON a.external_id = l.alert_id
),
-- A note comes as a note of its own, below.
received AS (
    SELECT
        r.external_id, r.external_id || '/received/' || r.delivery_id AS event_id, r.event_type, r.action AS vendor_type,
        r.happened_at, r.actor, CASE WHEN contains(r.actor, '@') THEN 'human' ELSE 'integration' END AS actor_kind,
        list_filter([r.old_priority, r.priority], lambda p: p IS NOT NULL) AS priorities, 'api' AS provenance, r.landed_in
    FROM staging.opsgenie_received AS r
    ANTI JOIN entries AS e
        ON e.external_id = r.external_id AND e.event_type = r.event_type AND within_a_minute(e.happened_at, r.happened_at)
    WHERE r.action <> 'addnote'
),
history AS (
    SELECT *, false AS is_received FROM entries
    UNION ALL BY NAME
    SELECT *, true AS is_received FROM received
),
told AS (
    SELECT e.* EXCLUDE (priorities, is_received), old.severity AS severity_from, new.severity AS severity_to
    FROM history AS e
    LEFT JOIN config.severities AS old
        ON old.source = 'opsgenie' AND old.value = lower(e.priorities[1]) AND len(e.priorities) = 2
        AND e.event_type = 'severity_changed'
    LEFT JOIN config.severities AS new
        ON new.source = 'opsgenie' AND new.value = lower(e.priorities[-1]) AND e.event_type = 'severity_changed'
),
logged AS (
    SELECT external_id, bool_or(event_type = 'acknowledged' AND NOT is_received) AS has_ack,
        bool_or(event_type = 'resolved') AS has_close
    FROM history
    GROUP BY external_id
),
reported AS (
    SELECT
        a.external_id, a.external_id || '/' || event_type AS event_id, r.event_type, r.vendor_type, r.happened_at, r.actor,
        CASE WHEN contains(r.actor, '@') THEN 'human' WHEN r.actor IS NOT NULL THEN 'integration' END AS actor_kind,
        r.provenance, a.landed_in
    FROM (
        SELECT
            external_id, 'detected' AS event_type, 'createdAt' AS vendor_type, created_at AS happened_at,
            NULL AS actor, 'api' AS provenance
        FROM staging.opsgenie_alerts
        UNION ALL
        SELECT
            a.external_id, 'acknowledged', 'report.ackTime', TRY(a.created_at + to_milliseconds(a.ack_ms)),
            a.acknowledged_by, 'api'
        FROM staging.opsgenie_alerts AS a
        LEFT JOIN logged AS l ON l.external_id = a.external_id
        WHERE NOT coalesce(l.has_ack, false)
        UNION ALL
        SELECT
            a.external_id, 'resolved', CASE WHEN a.close_ms IS NULL THEN 'updatedAt' ELSE 'report.closeTime' END,
            coalesce(TRY(a.created_at + to_milliseconds(a.close_ms)), CASE WHEN a.status = 'closed' THEN a.updated_at END),
            a.closed_by, CASE WHEN a.close_ms IS NULL THEN 'derived' ELSE 'api' END
        FROM staging.opsgenie_alerts AS a
        LEFT JOIN logged AS l ON l.external_id = a.external_id
        WHERE NOT coalesce(l.has_close, false)
    ) AS r
    JOIN staging.opsgenie_alerts AS a ON a.external_id = r.external_id
    WHERE r.happened_at IS NOT NULL
),
notes AS (
    SELECT
        n.alert_id AS external_id, n.alert_id || '/note/' || n.entry_id AS event_id, n.created_at AS happened_at,
        n.owner AS actor, CASE WHEN contains(n.owner, '@') THEN 'human' ELSE 'integration' END AS actor_kind, n.note AS notes,
        n.landed_in
    FROM (
        SELECT alert_id, entry_id, note, owner, created_at, landed_in FROM raw.opsgenie_alert_notes
        UNION ALL
        SELECT r.external_id, r.delivery_id, r.note, r.actor, r.happened_at, r.landed_in
        FROM staging.opsgenie_received AS r
        ANTI JOIN raw.opsgenie_alert_notes AS p
            ON p.alert_id = r.external_id AND within_a_minute(p.created_at, r.happened_at)
        WHERE r.note IS NOT NULL
    ) AS n
    JOIN staging.opsgenie_alerts AS a ON a.external_id = n.alert_id
),
everything AS (
    SELECT * FROM told
    UNION ALL BY NAME SELECT * FROM reported
    UNION ALL BY NAME SELECT *, 'note' AS event_type, 'note' AS vendor_type, 'api' AS provenance FROM notes
    UNION ALL BY NAME
    SELECT
        n.* REPLACE (n.event_id || '/' || mark.event_type AS event_id), mark.event_type, 'note' AS vendor_type,
        'derived' AS provenance
    FROM notes AS n
    JOIN (
        SELECT 'root_cause_found' AS event_type, root_cause_marks AS marks FROM config.sources WHERE source = 'opsgenie'
        UNION ALL
        SELECT 'mitigated', mitigated_marks FROM config.sources WHERE source = 'opsgenie'
    ) AS mark ON starts_with_any(n.notes, mark.marks)
)
SELECT
    'opsgenie' AS source, external_id, event_id, event_type, vendor_type, happened_at, actor, actor_kind, notes, provenance,
    severity_from, severity_to, landed_in
FROM everything
