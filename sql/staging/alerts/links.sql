/*
description = """What alerts name: addresses and keys in the title, in notes, tags and details, and addresses in the description."""
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
    FROM staging.${source}_records
    UNION ALL
    SELECT external_id, 'tag', NULL, tag, landed_in
    FROM (
        SELECT external_id, unnest(list_filter(tags, lambda t: names_one(t))) AS tag, landed_in
        FROM staging.${source}_records
    )
    UNION ALL
    SELECT external_id, 'note', event_id, notes, landed_in
    FROM staging.${source}_notes
    WHERE notes IS NOT NULL
    UNION ALL
    SELECT external_id, 'field', CASE WHEN NOT names_one(detail.value ->> '$') THEN detail.key END,
        detail.value ->> '$', landed_in
    FROM (
        SELECT external_id, landed_in, unnest(naming_details(details)) AS detail
        FROM raw.${source}_alert_details
    )
),
named AS (
    SELECT external_id, place, text_id, unnest(targets_in("text", true)) AS found, landed_in FROM texts
    UNION ALL
    SELECT external_id, 'description', 'description', {'target_kind': 'url', 'target': unnest(named)}, landed_in
    FROM raw.${source}_alert_details
    WHERE named IS NOT NULL
)
SELECT DISTINCT ON (n.external_id, n.place, n.text_id, n.found)
    '${source}' AS source, n.external_id, n.place, n.text_id, link_reason(n.place, n.found.target_kind) AS reason,
    n.found.target_kind AS target_kind, NULL AS target_source, n.found.target AS target, false AS is_responder, n.landed_in
FROM named AS n
SEMI JOIN staging.${source}_records AS r ON r.external_id = n.external_id AND r.source = '${source}'
ORDER BY n.external_id, n.place, n.text_id, n.found, n.landed_in
