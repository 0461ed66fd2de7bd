/*
description = "Opsgenie alerts and incidents that are gone. An alert that was received after it was missed is there again."
like = "staging.deletions"
yields = "deletions"
not_null = ["source", "external_id"]

[columns]
source = "the account; for incidents with _incident"
external_id = "id of the record"
seen_missing_at = "="
landed_in = "="
*/
SELECT '${source}' AS source, t.external_id, t.seen_missing_at, t.landed_in
FROM raw.${source}_tombstones AS t
ANTI JOIN staging.${source}_received AS r
    ON r.external_id = t.external_id AND r.is_snapshot AND r.happened_at > t.seen_missing_at
WHERE t.of_stream = 'alerts'
UNION ALL
SELECT '${source}_incident', external_id, seen_missing_at, landed_in
FROM raw.${source}_tombstones
WHERE of_stream = 'incidents'
UNION ALL
SELECT '${source}', external_id, happened_at, landed_in
FROM staging.${source}_received
WHERE action = 'delete'
