/*
description = "Issues that the server does not have any more, those that were merged into others included."
like = "staging.deletions"
yields = "deletions"
not_null = ["source", "external_id"]

[columns]
source = "the account"
external_id = "id of the issue"
seen_missing_at = "="
landed_in = "="
*/
SELECT '${source}' AS source, external_id, seen_missing_at, landed_in FROM raw.${source}_tombstones WHERE of_stream = 'issues'
