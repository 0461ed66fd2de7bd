/*
description = """What custom records name: the page of another record as their own address, addresses and keys in the title, in tags and in notes of
the timeline."""
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
    FROM raw.${source}_records
    UNION ALL
    SELECT external_id, 'url', NULL, url, landed_in
    FROM raw.${source}_records
    WHERE url IS NOT NULL
    UNION ALL
    SELECT external_id, 'tag', NULL, tag, landed_in
    FROM (
        SELECT external_id, unnest(list_filter(tags, lambda t: names_one(t))) AS tag, landed_in
        FROM raw.${source}_records
    )
    UNION ALL
    SELECT external_id, 'note', content_id([notes]), notes, landed_in
    FROM (
        SELECT external_id, unnest(list_filter(list_transform(timeline, lambda e: e.notes), lambda notes: notes IS NOT NULL)) AS notes,
            landed_in
        FROM raw.${source}_records
    )
)
SELECT DISTINCT
    '${source}' AS source, external_id, place, text_id, link_reason(place, found.target_kind) AS reason,
    found.target_kind AS target_kind, NULL AS target_source, found.target AS target, false AS is_responder, landed_in
FROM (SELECT external_id, place, text_id, unnest(targets_in("text", place <> 'url')) AS found, landed_in FROM texts)
