/*
description = """What Opsgenie incidents name: addresses and keys in the title, in notes, timeline entries, tags and details, addresses in the
description, and their alerts. Also the incident that the details of an alert name as incident-id; an alert that no integration raised
pages for it."""
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
    FROM raw.${source}_incidents
    UNION ALL
    SELECT external_id, 'tag', NULL, tag, landed_in
    FROM (
        SELECT external_id, unnest(list_filter(tags, lambda t: names_one(t))) AS tag, landed_in
        FROM raw.${source}_incidents
    )
    UNION ALL
    SELECT external_id, 'note', event_id, notes, landed_in
    FROM staging.${source}_incident_events
    WHERE notes IS NOT NULL AND provenance <> 'derived'
    UNION ALL
    SELECT external_id, 'field', CASE WHEN NOT names_one(detail.value ->> '$') THEN detail.key END,
        detail.value ->> '$', landed_in
    FROM (
        SELECT external_id, landed_in, unnest(naming_details(details)) AS detail
        FROM raw.${source}_incidents
    )
),
named AS (
    SELECT external_id, place, text_id, unnest(targets_in("text", true)) AS found, landed_in FROM texts
    UNION ALL
    SELECT external_id, 'description', 'description', {'target_kind': 'url', 'target': unnest(named)}, landed_in
    FROM raw.${source}_incidents
    WHERE named IS NOT NULL
),
listed AS (
    SELECT incident_id AS external_id, 'associated_alert' AS place, unnest(associated) AS target, false AS is_responder, landed_in
    FROM raw.${source}_incident_alerts
    UNION ALL
    SELECT incident_id, 'responder_alert', unnest(responders), true, landed_in
    FROM raw.${source}_incident_alerts
),
-- Of an alert: what only its body said, and the incident that it was made for.
details AS (
    SELECT a.external_id, a.integration_name IS NULL AS is_responder, d.external_id IS NULL AS is_received, a.landed_in, unnest(list_filter(
        map_entries(coalesce(d.details, a.details)), lambda e: is_incident_id(e.key) OR d.external_id IS NULL)) AS detail
    FROM staging.${source}_alerts AS a
    LEFT JOIN raw.${source}_alert_details AS d ON d.external_id = a.external_id
),
received AS (
    SELECT external_id, CASE WHEN NOT names_one(detail.value ->> '$') THEN detail.key END AS text_id,
        unnest(targets_in(detail.value ->> '$', true)) AS found, landed_in
    FROM details
    WHERE is_received
)
SELECT DISTINCT ON (n.external_id, n.place, n.text_id, n.found)
    '${source}_incident' AS source, n.external_id, n.place, n.text_id, link_reason(n.place, n.found.target_kind) AS reason,
    n.found.target_kind AS target_kind, NULL AS target_source, n.found.target AS target, false AS is_responder, n.landed_in
FROM named AS n
SEMI JOIN raw.${source}_incidents AS i ON i.external_id = n.external_id
UNION ALL
SELECT DISTINCT '${source}_incident', l.external_id, l.place, NULL, 'vendor', 'id', '${source}', l.target, l.is_responder, l.landed_in
FROM listed AS l
SEMI JOIN raw.${source}_incidents AS i ON i.external_id = l.external_id
UNION ALL
SELECT DISTINCT '${source}', external_id, 'incident_id', NULL, 'vendor', 'id', '${source}_incident', trim(detail.value ->> '$'), is_responder,
    landed_in
FROM details
WHERE is_incident_id(detail.key) AND regexp_full_match(trim(detail.value ->> '$'), '(?i)[0-9a-f]{8}-[0-9a-f-]{27,45}')
UNION ALL
SELECT DISTINCT '${source}', external_id, 'field', text_id, found.target_kind, found.target_kind, NULL, found.target, false, landed_in
FROM received
