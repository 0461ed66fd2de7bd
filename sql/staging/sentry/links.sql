/*
description = """What error issues name: their short id, by which pagers know them; their own page; tickets of other tools that an integration made or
linked, and those that an annotation leads to; what comments name."""
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
WITH newest AS (
    SELECT *
    FROM raw.${source}_issues
    QUALIFY row_number() OVER (PARTITION BY external_id ORDER BY read_at DESC) = 1
),
named AS (
    SELECT external_id, 'alert_key' AS place, NULL AS text_id, 'dedup' AS reason, 'dedup' AS target_kind, key AS target, landed_in
    FROM newest
    WHERE key IS NOT NULL
    UNION ALL
    SELECT external_id, 'url', NULL, 'url', 'url', canonical_url(web_link(url)), landed_in
    FROM newest
    WHERE canonical_url(web_link(url)) IS NOT NULL
    UNION ALL
    SELECT external_id, 'external_reference', NULL, 'vendor', 'key', unnest(keys), landed_in
    FROM newest
    UNION ALL
    SELECT external_id, 'external_reference', NULL, 'vendor', 'url', canonical_url(address), landed_in
    FROM (SELECT external_id, unnest(urls) AS address, landed_in FROM newest)
    WHERE canonical_url(address) IS NOT NULL
    UNION ALL
    SELECT external_id, 'external_reference', NULL, 'url', 'url', canonical_url(address), landed_in
    FROM (SELECT external_id, unnest(annotations) AS address, landed_in FROM newest)
    WHERE canonical_url(address) IS NOT NULL
    UNION ALL
    SELECT external_id, 'note', event_id, link_reason('note', found.target_kind), found.target_kind, found.target, landed_in
    FROM (
        SELECT external_id, event_id, unnest(targets_in(notes, true)) AS found, landed_in
        FROM staging.${source}_error_events
        WHERE event_type = 'note'
    )
)
SELECT DISTINCT ON (n.external_id, n.place, n.text_id, n.reason, n.target_kind, n.target)
    '${source}' AS source, n.external_id, n.place, n.text_id, n.reason, n.target_kind, NULL AS target_source, n.target,
    false AS is_responder, n.landed_in
FROM named AS n
SEMI JOIN staging.${source}_error_issues AS i ON i.external_id = n.external_id
ORDER BY n.external_id, n.place, n.text_id, n.reason, n.target_kind, n.target, n.landed_in
