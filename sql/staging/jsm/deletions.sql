/*
description = "JSM Operations alerts that are gone."
like = "staging.deletions"
yields = "deletions"
not_null = ["source", "external_id"]

[columns]
source = "the account"
external_id = "id of the alert"
seen_missing_at = "="
landed_in = "="
*/
SELECT '${source}' AS source, external_id, seen_missing_at, landed_in
FROM raw.${source}_tombstones
WHERE of_stream = 'alerts'
