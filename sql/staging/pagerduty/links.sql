/*
description = """What PagerDuty incidents name: addresses and keys in the title, in notes and custom fields; addresses in the body, in the event that
triggered it and in its alerts, as external references and as conference bridge; keys of its alerts where it has none itself."""
like = "staging.links"
yields = "links"

[columns]
source = "="
external_id = "="
place = "="
text_id = "="
reason = "="
target_kind = "="
target_source = "="
target = "="
is_responder = "="
landed_in = "="
*/
WITH texts AS (
    SELECT external_id, 'title' AS place, 'title' AS text_id, title AS "text", landed_in
    FROM staging.${source}_incidents
    UNION ALL
    SELECT external_id, 'note', event_id, notes, landed_in
    FROM staging.${source}_events
    WHERE event_type = 'note' AND notes IS NOT NULL
    UNION ALL
    SELECT external_id, 'field', CASE WHEN NOT names_one(value) THEN name END, value, landed_in
    FROM (
        SELECT external_id, landed_in, coalesce(field.name, field.display_name) AS name, json_text(field.value) AS value
        FROM (
            SELECT external_id, landed_in, unnest(list_filter(fields, lambda f: regexp_matches(f.value::VARCHAR, '://|[A-Z0-9_]-[1-9A-Z]')))
                AS field
            FROM raw.${source}_incident_fields
        )
    )
),
kept AS (
    SELECT external_id, unnest(named) AS named, landed_in FROM staging.${source}_incidents
    UNION ALL
    SELECT incident_id, unnest(named), landed_in FROM raw.${source}_incident_alerts
),
named AS (
    SELECT external_id, place, text_id, unnest(targets_in("text", true)) AS found, landed_in FROM texts
    UNION ALL
    SELECT external_id, named.place, named.text_id, {'target_kind': 'url', 'target': named.url}, landed_in FROM kept
    UNION ALL
    SELECT incident_id, 'description', external_id, {'target_kind': 'url', 'target': unnest(named)}, landed_in
    FROM raw.${source}_log_entries
    WHERE named IS NOT NULL
    UNION ALL
    SELECT external_id, 'conference_bridge', NULL, {'target_kind': 'url', 'target': unnest(record_pages_in(bridge_url))}, landed_in
    FROM raw.${source}_incident_fields
    WHERE bridge_url IS NOT NULL
    UNION ALL
    SELECT external_id, 'mapped_field', NULL, {'target_kind': 'key', 'target': trim(value)}, landed_in
    FROM staging.${source}_fields
    WHERE target = 'linked_incident' AND NOT contains(value, '://') AND NOT names_one(value)
    UNION ALL
    SELECT external_id, 'mapped_field', NULL, {'target_kind': 'deploy', 'target': trim(value)}, landed_in
    FROM staging.${source}_fields
    WHERE target = 'introduced_by' AND trim(value) <> ''
    UNION ALL
    SELECT incident_id, 'alert_key', NULL, {'target_kind': 'dedup', 'target': unnest(alert_keys)}, landed_in
    FROM raw.${source}_incident_alerts
    UNION ALL
    SELECT e.incident_id, 'alert_key', NULL, {'target_kind': 'dedup', 'target': e.alert_key}, e.landed_in
    FROM raw.${source}_log_entries AS e
    JOIN staging.${source}_incidents AS i ON i.external_id = e.incident_id AND i.incident_key IS NULL
    WHERE e.alert_key IS NOT NULL
)
SELECT DISTINCT ON (n.external_id, n.place, n.text_id, n.found)
    '${source}' AS source, n.external_id, n.place, n.text_id, link_reason(n.place, n.found.target_kind) AS reason,
    n.found.target_kind AS target_kind, NULL AS target_source, n.found.target AS target, false AS is_responder, n.landed_in
FROM named AS n
SEMI JOIN staging.${source}_incidents AS i ON i.external_id = n.external_id
ORDER BY n.external_id, n.place, n.text_id, n.found, n.landed_in
