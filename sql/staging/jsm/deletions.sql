/*
description = "JSM Operations alerts that are gone."
yields = "deletions"
not_null = ["source", "external_id"]

[columns]
source = "the account"
external_id = "id of the alert"
seen_missing_at = "clock of the run that missed it, or when it was deleted. UTC"
landed_in = "landing file of the finding"
*/
SELECT '${source}' AS source, external_id, seen_missing_at, landed_in
FROM raw.${source}_tombstones
WHERE of_stream = 'alerts'
