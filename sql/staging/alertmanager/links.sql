/*
description = """What alerts name: addresses in their annotations, and the hash of the key of their group, by which a pager that Alertmanager
notifies knows the group (prometheus/alertmanager, Key.Hash). The page of the expression is no link."""
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
SELECT '${source}' AS source, external_id, 'group_key' AS place, NULL AS text_id, 'dedup' AS reason, 'dedup' AS target_kind,
    NULL AS target_source, sha256(group_key) AS target, false AS is_responder, landed_in
FROM raw.${source}_inbox
WHERE group_key IS NOT NULL
UNION ALL
SELECT DISTINCT '${source}', external_id, found.place, found.text_id, 'url', 'url', NULL, found.url, false, landed_in
FROM (SELECT external_id, unnest(named) AS found, landed_in FROM raw.${source}_inbox WHERE named IS NOT NULL)
