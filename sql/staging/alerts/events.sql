/*
description = """History of alerts in the common shape: what a source's alert_history says, its notes, and the stamps that notes carry. A change
of priority names the severities where the entry names both priorities. An alert is never reopened: a new one with the same
alias comes instead."""
like = "staging.events"
yields = "events"
not_null = ["source", "external_id", "event_id", "event_type"]
unique = [["source", "external_id", "event_id"]]

[columns]
source = "the account"
external_id = "id of the alert"
event_id = "id of the alert and the log entry, note or field"
event_type = "="
vendor_type = "text of the log entry, or the field"
happened_at = "="
actor = "="
actor_kind = "="
notes = "="
provenance = "api or derived"
severity_from = "severity before a change of priority, where the text names it"
severity_to = "="
is_routine = "="
landed_in = "="
*/
WITH history AS (
    SELECT h.* EXCLUDE (priorities), old.severity AS severity_from, new.severity AS severity_to
    FROM staging.${source}_alert_history AS h
    LEFT JOIN config.severities AS old
        ON old.source = '${source}' AND old.word = normalized(h.priorities[1]) AND len(h.priorities) = 2
        AND h.event_type = 'severity_changed'
    LEFT JOIN config.severities AS new
        ON new.source = '${source}' AND new.word = normalized(h.priorities[-1]) AND h.event_type = 'severity_changed'
),
everything AS (
    SELECT * FROM history
    UNION ALL BY NAME
    SELECT *, 'note' AS event_type, 'note' AS vendor_type, 'api' AS provenance FROM staging.${source}_notes
    UNION ALL BY NAME
    SELECT
        n.* REPLACE (n.event_id || '/' || mark.event_type AS event_id), mark.event_type, 'note' AS vendor_type,
        'derived' AS provenance
    FROM staging.${source}_notes AS n
    JOIN config.marks AS mark ON mark.source = '${source}' AND starts_with_any(n.notes, mark.marks)
)
SELECT
    '${source}' AS source, external_id, event_id, event_type, vendor_type, happened_at, actor, actor_kind, notes, provenance,
    severity_from, severity_to, CASE WHEN event_type = 'other' THEN alert_log_is_routine(vendor_type) END AS is_routine,
    landed_in
FROM everything
